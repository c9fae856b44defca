#include "connectors/kafka/source/partition_split.h"

#include <gtest/gtest.h>

#include <set>

#include "absl/strings/escaping.h"
#include "common/status_matchers.h"

namespace weir::kafka {
namespace {

const PartitionSplit kSplit{"orders", 3, 1000, 2000};

TEST(PartitionSplitTest, SurvivesItsDurableForm) {
  const Split split = to_split(kSplit);
  EXPECT_EQ(split.id, "orders-3");
  EXPECT_EQ(*from_split(split), kSplit);
  EXPECT_EQ(*decode_source_state(encode_source_state({kSplit, {"a", 0, 0}}, true)),
            (std::vector<PartitionSplit>{kSplit, {"a", 0, 0, kUnbounded}}));
}

TEST(PartitionSplitTest, YesterdaysBytesAreReadTomorrow) {
  const std::string golden = absl::HexStringToBytes("080112066f7264657273180320e80728d00f");
  EXPECT_EQ(absl::BytesToHexString(to_split(kSplit).state), absl::BytesToHexString(golden));
  EXPECT_EQ(*from_split({"orders-3", golden}), kSplit);
  const std::string state =
      absl::HexStringToBytes("08011212080112066f7264657273180320e80728d00f1801");
  EXPECT_EQ(absl::BytesToHexString(encode_source_state({kSplit}, true)),
            absl::BytesToHexString(state));
  EXPECT_EQ(*decode_source_state(state), std::vector<PartitionSplit>{kSplit});
}

TEST(PartitionSplitTest, AnotherFormatIsRefused) {
  EXPECT_THAT(from_split({"orders-3", absl::HexStringToBytes("0802")}),
              StatusIs(absl::StatusCode::kDataLoss, testing::HasSubstr("'orders-3'")));
  EXPECT_THAT(decode_source_state("\xff"), StatusIs(absl::StatusCode::kDataLoss));
}

TEST(PartitionSplitTest, IsFinishedAtItsStop) {
  PartitionSplit split = kSplit;
  EXPECT_FALSE(split.finished());
  split.next_offset = 2000;
  EXPECT_TRUE(split.finished());
  split.stop_offset = kUnbounded;
  EXPECT_FALSE(split.finished());
}

TEST(PartitionSplitTest, ATopicsPartitionsAreSpreadEvenly) {
  for (const char* topic : {"orders", "a", "words"}) {
    std::set<int> owners;
    for (int partition = 0; partition < 4; ++partition) {
      owners.insert(owner_of(topic, partition, 4));
    }
    EXPECT_EQ(owners.size(), 4U) << topic;
  }
}

}  // namespace
}  // namespace weir::kafka
