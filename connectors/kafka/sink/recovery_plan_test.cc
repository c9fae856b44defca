#include "connectors/kafka/sink/recovery_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::kafka {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

RecoveryInput input() {
  return {.prefix = "orders", .uid = "out", .generation = 5};
}

TEST(RecoveryPlanTest, CommitsWhatTheLedgerDoesNotKnowAndFencesNoneOfTheCheckpointsIds) {
  RecoveryInput in = input();
  in.committables = {{"orders:out:4:0:0", true}, {"orders:out:4:1:2", false}};
  in.listed_ids = {"orders:out:4:0:0", "orders:out:4:1:2", "orders:out:4:0:1"};
  const RecoveryPlan plan = plan_recovery(in);
  EXPECT_THAT(plan.commit, ElementsAre(1));
  EXPECT_THAT(plan.keep, ElementsAre("orders:out:4:0:0", "orders:out:4:1:2"));
  EXPECT_THAT(plan.fence, ElementsAre("orders:out:4:0:1"));
}

protocol::TransactionDescription shown_at(std::int64_t producer_id, std::int16_t epoch) {
  protocol::TransactionDescription description;
  description.producer_id = producer_id;
  description.producer_epoch = epoch;
  return description;
}

TEST(RecoveryPlanTest, FencesAnIdOfAnOlderCheckpointThatWasUsedAgain) {
  RecoveryInput in = input();
  in.committables = {{"orders:out:4:0:0", true, 70, 3}, {"orders:out:4:0:1", true, 71, 3}};
  in.listed_ids = {"orders:out:4:0:0", "orders:out:4:0:1"};
  in.committables[0].used_again = is_used_again(in.committables[0], shown_at(70, 4));
  in.committables[1].used_again = is_used_again(in.committables[1], shown_at(71, 3));
  const RecoveryPlan plan = plan_recovery(in);
  EXPECT_THAT(plan.fence, ElementsAre("orders:out:4:0:0"));
  EXPECT_THAT(plan.keep, ElementsAre("orders:out:4:0:1"));
}

TEST(RecoveryPlanTest, TakesAnIdThatTheBrokerDoesNotKnowForUnused) {
  protocol::TransactionDescription unknown;
  unknown.error = protocol::ErrorCode::kTransactionalIdNotFound;
  EXPECT_FALSE(is_used_again({"orders:out:4:0:0", true, 70, 3}, unknown));
}

TEST(RecoveryPlanTest, FencesEverySmallerGenerationOnceAndNoOther) {
  RecoveryInput in = input();
  in.listed_ids = {"orders:out:4:0:0", "orders:out:1:7:3", "orders:out:4:0:0", "orders:out:5:0:0",
                   "orders:out:6:0:0"};
  EXPECT_THAT(plan_recovery(in).fence, ElementsAre("orders:out:1:7:3", "orders:out:4:0:0"));
}

TEST(RecoveryPlanTest, ForSomeSubtasksFencesTheirsAloneFromTheGenerationOnThatIsTold) {
  RecoveryInput in = input();
  in.subtasks = {1};
  in.generation_from = 3;
  in.committables = {{"orders:out:4:1:2", false}};
  in.listed_ids = {"orders:out:2:1:0", "orders:out:3:0:0", "orders:out:3:1:0",
                   "orders:out:4:1:1", "orders:out:4:1:2", "orders:out:5:1:0"};
  const RecoveryPlan plan = plan_recovery(in);
  EXPECT_THAT(plan.commit, ElementsAre(0));
  EXPECT_THAT(plan.fence, ElementsAre("orders:out:3:1:0", "orders:out:4:1:1"));
}

TEST(RecoveryPlanTest, LeavesIdsThatOnlyLookAlike) {
  RecoveryInput in = input();
  in.listed_ids = {"orders2:out:4:0:0", "order:out:4:0:0",   "orders:out2:4:0:0",
                   "orders:ou:4:0:0",   "orders:out:4:0",    "orders:out:04:0:0",
                   "orders-out-4-0-0",  "orders:out:4:0:0:0"};
  EXPECT_THAT(plan_recovery(in).fence, IsEmpty());
}

TEST(RecoveryPlanTest, FencesRecordedIdsThatNoBrokerShows) {
  RecoveryInput in = input();
  in.pools = {{.generation = 4, .subtask = 1, .slot_count = 2},
              {.generation = 5, .subtask = 0, .slot_count = 9}};
  in.committables = {{"orders:out:4:1:0", false}};
  in.listed_ids = {"orders:out:4:1:1"};
  EXPECT_THAT(plan_recovery(in).fence, ElementsAre("orders:out:4:1:1"));
}

TEST(RecoveryPlanTest, PlansAgainTheSameAfterItWasKilled) {
  RecoveryInput in = input();
  in.committables = {{"orders:out:4:0:0", false}};
  in.listed_ids = {"orders:out:4:0:0", "orders:out:4:0:1"};
  const RecoveryPlan first = plan_recovery(in);
  in.generation = 6;  // the next attempt, from the same checkpoint
  in.listed_ids.push_back("orders:out:5:0:0");
  const RecoveryPlan second = plan_recovery(in);
  EXPECT_EQ(first.commit, second.commit);
  EXPECT_EQ(first.keep, second.keep);
  EXPECT_THAT(second.fence, ElementsAre("orders:out:4:0:1", "orders:out:5:0:0"));
}

}  // namespace
}  // namespace weir::kafka
