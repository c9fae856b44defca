#include "connectors/kafka/verify/topic_comparison.h"

#include <gtest/gtest.h>

namespace weir::kafka {
namespace {

TEST(TopicComparison, EqualTopicsAreExact) {
  TopicComparison comparison("processed_{}");
  for (const char* value : {"a", "b", "a"}) comparison.expect(value);
  for (const char* value : {"processed_a", "processed_a", "processed_b"}) {
    comparison.observe(value, {});
  }
  EXPECT_TRUE(comparison.exact());
}

TEST(TopicComparison, FindsWhatIsLost) {
  TopicComparison comparison("{}!");
  for (const char* value : {"a", "b", "b"}) comparison.expect(value);
  comparison.observe("b!", {});
  EXPECT_EQ(comparison.lost(), 2);
  EXPECT_FALSE(comparison.exact());

  int missing = 0;
  std::int64_t offset = 0;
  for (const char* value : {"a", "b", "b"}) missing += comparison.is_missing(value, {2, offset++});
  EXPECT_EQ(missing, 2);
  ASSERT_EQ(comparison.lost_examples().size(), 2);
  EXPECT_EQ(comparison.lost_examples()[0].value, "a!");
  EXPECT_EQ(comparison.lost_examples()[0].position.partition, 2);
}

TEST(TopicComparison, FindsWhatIsRepeatedAndWhatIsStrange) {
  TopicComparison comparison("{}");
  comparison.expect("a");
  comparison.observe("a", {0, 0});
  comparison.observe("a", {0, 1});
  comparison.observe("x", {1, 7});
  comparison.observe("x", {1, 8});
  EXPECT_EQ(comparison.lost(), 0);
  EXPECT_EQ(comparison.repeated(), 1);
  EXPECT_EQ(comparison.repeated_examples()[0].position.offset, 1);
  EXPECT_EQ(comparison.strange(), 2);
}

TEST(TopicComparison, KeepsOnlySomeExamples) {
  TopicComparison comparison("{}");
  for (int i = 0; i < 100; ++i) comparison.observe(std::to_string(i), {0, i});
  EXPECT_EQ(comparison.strange(), 100);
  EXPECT_LT(comparison.strange_examples().size(), 10);
}

}  // namespace
}  // namespace weir::kafka
