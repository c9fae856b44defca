#include "connectors/kafka/verify/topic_comparison.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace weir::kafka {
namespace {

using testing::SizeIs;

// Records of partition 0, from offset 0.
std::vector<TopicRecord> topic(const std::vector<std::string>& values) {
  std::vector<TopicRecord> records;
  for (const std::string& value : values) {
    records.push_back({value, {0, static_cast<std::int64_t>(records.size())}});
  }
  return records;
}

std::vector<std::string> numbers(int count) {
  std::vector<std::string> values;
  for (int i = 0; i < count; ++i) values.push_back(std::to_string(i));
  return values;
}

TEST(TopicComparison, EqualTopicsAreExact) {
  TopicComparison comparison("processed_{}");
  const std::vector<std::string> input = {"a", "b", "a"};
  const std::vector<std::string> output = {"processed_a", "processed_a", "processed_b"};
  comparison.expect(topic(input));
  comparison.observe(topic(output));
  EXPECT_TRUE(comparison.exact());
  EXPECT_EQ(comparison.expected(), 3);
  EXPECT_EQ(comparison.observed(), 3);
}

TEST(TopicComparison, FindsWhatIsLost) {
  TopicComparison comparison("{}!");
  const std::vector<std::string> input = {"a", "b", "b"};
  const std::vector<std::string> output = {"b!"};
  comparison.expect(topic(input));
  comparison.observe(topic(output));
  EXPECT_EQ(comparison.lost(), 2);
  EXPECT_FALSE(comparison.exact());

  comparison.find_lost(topic(input));
  ASSERT_THAT(comparison.lost_examples(), SizeIs(2));
  EXPECT_EQ(comparison.lost_examples()[0].value, "a!");
  EXPECT_EQ(comparison.lost_examples()[0].position.offset, 0);
  EXPECT_EQ(comparison.lost_examples()[1].value, "b!");
}

TEST(TopicComparison, FindsWhatIsRepeatedAndWhatIsStrange) {
  TopicComparison comparison("{}");
  const std::vector<std::string> input = {"a"};
  const std::vector<std::string> output = {"a", "a", "x", "x"};
  comparison.expect(topic(input));
  comparison.observe(topic(output));
  EXPECT_EQ(comparison.lost(), 0);
  EXPECT_EQ(comparison.repeated(), 1);
  EXPECT_EQ(comparison.repeated_examples()[0].position.offset, 1);
  EXPECT_EQ(comparison.strange(), 2);
}

TEST(TopicComparison, TakesBatchesOfAnySize) {
  TopicComparison comparison("{}");
  const std::vector<std::string> values = numbers(1000);
  const std::vector<TopicRecord> records = topic(values);
  comparison.expect(records);
  for (std::size_t begin = 0; begin < records.size(); begin += 7) {
    comparison.observe(std::span(records).subspan(begin, std::min<std::size_t>(7, 1000 - begin)));
  }
  EXPECT_TRUE(comparison.exact());
  EXPECT_EQ(comparison.observed(), 1000);
}

TEST(TopicComparison, KeepsOnlySomeExamples) {
  TopicComparison comparison("{}");
  const std::vector<std::string> values = numbers(100);
  comparison.observe(topic(values));
  EXPECT_EQ(comparison.strange(), 100);
  EXPECT_LT(comparison.strange_examples().size(), 10);
}

}  // namespace
}  // namespace weir::kafka
