#include "connectors/kafka/sink/kafka_committable.h"

#include <gtest/gtest.h>

#include "absl/strings/escaping.h"
#include "common/status_matchers.h"

namespace weir::kafka {
namespace {

using testing::HasSubstr;

const PreparedTransaction kPrepared{"p:out:1:0:2", 42, 3, {{"a-b", 0}, {"a-b", 12}}};

Committable committable() {
  return to_committable(kPrepared, 7, {{"a-b-0", 5, 9, 5}, {"a-b-12", 0, 0, 1}}, 1000);
}

TEST(KafkaCommittableTest, SaysAllThatACommitNeeds) {
  const Committable made = committable();
  EXPECT_EQ(made.transaction, "p:out:1:0:2/42/3");
  EXPECT_EQ(made.checkpoint_id, 7);
  EXPECT_EQ(made.records, 6U);
  const PreparedTransaction read = *from_committable(made);
  EXPECT_EQ(read.transactional_id, kPrepared.transactional_id);
  EXPECT_EQ(read.producer_id, 42);
  EXPECT_EQ(read.producer_epoch, 3);
  EXPECT_EQ(read.topic_partitions, kPrepared.topic_partitions);
}

TEST(KafkaCommittableTest, YesterdaysBytesAreReadTomorrow) {
  const std::string golden = absl::HexStringToBytes("0801120b703a6f75743a313a303a32182a200328e807");
  EXPECT_EQ(absl::BytesToHexString(committable().payload), absl::BytesToHexString(golden));
  Committable old = committable();
  old.payload = golden;
  EXPECT_EQ(from_committable(old)->transactional_id, "p:out:1:0:2");
}

TEST(KafkaCommittableTest, AnotherFormatIsRefusedByTheTransactionsName) {
  Committable strange = committable();
  strange.payload = absl::HexStringToBytes("0802");
  EXPECT_THAT(from_committable(strange),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("p:out:1:0:2/42/3")));
  strange = committable();
  strange.ranges[0].resource = "nothing";
  EXPECT_THAT(from_committable(strange),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("'nothing'")));
}

}  // namespace
}  // namespace weir::kafka
