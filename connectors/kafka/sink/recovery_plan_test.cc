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

TEST(RecoveryPlanTest, FencesEverySmallerGenerationOnceAndNoOther) {
  RecoveryInput in = input();
  in.listed_ids = {"orders:out:4:0:0", "orders:out:1:7:3", "orders:out:4:0:0", "orders:out:5:0:0",
                   "orders:out:6:0:0"};
  EXPECT_THAT(plan_recovery(in).fence, ElementsAre("orders:out:1:7:3", "orders:out:4:0:0"));
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
