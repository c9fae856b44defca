#include "taskmanager/commit/commit_tracker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status_matchers.h"

namespace weir {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> names(const std::vector<Committable>& committables) {
  std::vector<std::string> result;
  for (const Committable& committable : committables) result.push_back(committable.transaction);
  return result;
}

Committable prepared_as(std::string transaction) {
  Committable committable;
  committable.transaction = std::move(transaction);
  return committable;
}

class CommitTrackerTest : public testing::Test {
 protected:
  // Returns what the snapshot carries.
  std::vector<std::string> barrier(int64_t checkpoint, std::vector<std::string> prepared) {
    std::vector<Committable> committables;
    for (std::string& name : prepared) committables.push_back(prepared_as(std::move(name)));
    auto carried = tracker_.on_barrier(CheckpointId(checkpoint), std::move(committables));
    EXPECT_THAT(carried, IsOk());
    return names(*carried);
  }
  CommitTracker::Decision notify(int64_t checkpoint) {
    return tracker_.on_notify(CheckpointId(checkpoint));
  }
  CommitTracker::Decision committed(const std::string& transaction) {
    return tracker_.on_commit_result(transaction, CommitStatus::kCommitted);
  }

  CommitTracker tracker_;
};

TEST_F(CommitTrackerTest, CommitsWhatACompleteCheckpointCovers) {
  EXPECT_THAT(barrier(1, {"a"}), ElementsAre("a"));
  const auto decision = notify(1);
  EXPECT_THAT(names(decision.to_commit), ElementsAre("a"));
  EXPECT_EQ(decision.to_commit[0].checkpoint_id, 1);
  EXPECT_THAT(decision.to_release, IsEmpty());
}

TEST_F(CommitTrackerTest, IsBehindByCommitsUnderWayOnly) {
  for (int64_t checkpoint = 1; checkpoint <= 10; ++checkpoint) {
    barrier(checkpoint, {"t" + std::to_string(checkpoint)});
  }
  EXPECT_FALSE(tracker_.is_behind());  // a checkpoint must come to an end first
  notify(3);
  EXPECT_FALSE(tracker_.is_behind());
  EXPECT_EQ(tracker_.oldest_committing(), CheckpointId(1));
  notify(10);
  EXPECT_EQ(tracker_.committing(), 10u);
  EXPECT_TRUE(tracker_.is_behind());
  for (int64_t checkpoint = 1; checkpoint <= 7; ++checkpoint) {
    EXPECT_TRUE(tracker_.is_behind());
    committed("t" + std::to_string(checkpoint));  // settled, though not released
  }
  EXPECT_FALSE(tracker_.is_behind());
  EXPECT_EQ(tracker_.oldest_committing(), CheckpointId(8));
}

TEST_F(CommitTrackerTest, ACommittedTransactionIsCarriedNoMore) {
  barrier(1, {"a"});
  notify(1);
  committed("a");
  EXPECT_THAT(barrier(2, {"b"}), ElementsAre("b"));
  EXPECT_EQ(tracker_.unsettled(), 1u);
}

TEST_F(CommitTrackerTest, ANotificationCommitsAllOlderOnes) {
  barrier(1, {"a"});
  barrier(2, {"b"});
  barrier(3, {"c"});
  EXPECT_THAT(names(notify(2).to_commit), ElementsAre("a", "b"));
  EXPECT_THAT(names(notify(3).to_commit), ElementsAre("c"));
}

TEST_F(CommitTrackerTest, LateRepeatedAndOutOfOrderNotificationsAreHarmless) {
  barrier(1, {"a"});
  barrier(2, {"b"});
  notify(2);
  EXPECT_THAT(notify(2).to_commit, IsEmpty());
  EXPECT_THAT(notify(1).to_commit, IsEmpty());
}

TEST_F(CommitTrackerTest, ANotificationOfACheckpointThatThisAttemptDidNotTakeCommitsNothing) {
  EXPECT_THAT(notify(7).to_commit, IsEmpty());
  barrier(8, {"a"});
  EXPECT_THAT(notify(7).to_commit, IsEmpty());
  EXPECT_THAT(notify(9).to_commit, IsEmpty());
  EXPECT_THAT(names(notify(8).to_commit), ElementsAre("a"));
}

// V3 and rule 2(a): reuse before a later checkpoint would turn a restore from 1 into a false LOST.
TEST_F(CommitTrackerTest, ReleasesOnlyAfterALaterCheckpointThanTheLastCarrier) {
  barrier(1, {"a"});
  notify(1);
  EXPECT_THAT(committed("a").to_release, IsEmpty());
  barrier(2, {});
  EXPECT_THAT(names(notify(2).to_release), ElementsAre("a"));
  EXPECT_THAT(notify(2).to_release, IsEmpty());
}

// V4: counting from the first carrier.
TEST_F(CommitTrackerTest, EveryCarrierCountsAndNotTheFirst) {
  barrier(1, {"a"});
  barrier(2, {});  // carries a, which isn't known to be committed
  notify(1);
  committed("a");
  EXPECT_THAT(notify(2).to_release, IsEmpty());
  barrier(3, {});
  EXPECT_THAT(names(notify(3).to_release), ElementsAre("a"));
}

// V4: a declined checkpoint's committables are carried on and committed by the next.
TEST_F(CommitTrackerTest, ADeclinedCheckpointIsCarriedOnAndCommittedByTheNext) {
  barrier(1, {"a"});  // never notified
  EXPECT_THAT(barrier(2, {"b"}), ElementsAre("a", "b"));
  EXPECT_THAT(names(notify(2).to_commit), ElementsAre("a", "b"));
  committed("a");
  committed("b");
  barrier(3, {});
  EXPECT_THAT(names(notify(3).to_release), ElementsAre("a", "b"));
}

// V4: a savepoint carries, so its number is a carrier, but it is never notified.
TEST_F(CommitTrackerTest, ASavepointCarriesButFreesNothing) {
  barrier(1, {"a"});
  notify(1);
  EXPECT_THAT(barrier(2, {"b"}), ElementsAre("a", "b"));  // the savepoint
  EXPECT_THAT(committed("a").to_release, IsEmpty());
  EXPECT_THAT(barrier(3, {"c"}), ElementsAre("b", "c"));
  const auto decision = notify(3);
  EXPECT_THAT(names(decision.to_release), ElementsAre("a"));
  EXPECT_THAT(names(decision.to_commit), ElementsAre("b", "c"));
}

// V5: two slots, the second prepared by a checkpoint that timed out: the next one frees both.
TEST_F(CommitTrackerTest, AnEmptyCheckpointFreesAFullPool) {
  barrier(1, {"slot0"});
  notify(1);
  committed("slot0");
  barrier(2, {"slot1"});  // times out
  EXPECT_THAT(barrier(3, {}), ElementsAre("slot1"));
  const auto third = notify(3);
  EXPECT_THAT(names(third.to_release), ElementsAre("slot0"));
  EXPECT_THAT(names(third.to_commit), ElementsAre("slot1"));
  committed("slot1");
  barrier(4, {});
  EXPECT_THAT(names(notify(4).to_release), ElementsAre("slot1"));
}

TEST_F(CommitTrackerTest, ACommitThatIsKnownLateIsReleasedByALaterCheckpointThanItsLastCarrier) {
  barrier(1, {"a"});
  notify(1);
  barrier(2, {});
  notify(2);
  EXPECT_THAT(committed("a").to_release, IsEmpty());  // carried by 2, which may be restored
  barrier(3, {});
  EXPECT_THAT(names(notify(3).to_release), ElementsAre("a"));
}

TEST_F(CommitTrackerTest, ARetryKeepsTheCommittableInEverySnapshot) {
  barrier(1, {"a"});
  notify(1);
  const auto decision = tracker_.on_commit_result("a", CommitStatus::kRetry);
  EXPECT_THAT(decision.to_commit, IsEmpty());
  EXPECT_THAT(barrier(2, {}), ElementsAre("a"));
  EXPECT_THAT(notify(2).to_commit, IsEmpty());  // still being committed
  committed("a");
  EXPECT_EQ(tracker_.unsettled(), 0u);
}

// Else the ids of a job that accepts losses would run out.
TEST_F(CommitTrackerTest, ALostCommittableIsCarriedNoMoreAndReleasedByALaterCheckpoint) {
  barrier(1, {"a"});
  notify(1);
  EXPECT_THAT(tracker_.on_commit_result("a", CommitStatus::kLost).to_release, IsEmpty());
  EXPECT_EQ(tracker_.unsettled(), 0u);
  EXPECT_THAT(barrier(2, {}), IsEmpty());
  EXPECT_THAT(names(notify(2).to_release), ElementsAre("a"));
  EXPECT_THAT(notify(3).to_release, IsEmpty());
}

TEST_F(CommitTrackerTest, ResultsOfWhatIsNotBeingCommittedAreIgnored) {
  barrier(1, {"a"});
  EXPECT_THAT(committed("a").to_release, IsEmpty());  // a is only prepared
  EXPECT_THAT(committed("stranger").to_release, IsEmpty());
  EXPECT_THAT(barrier(2, {}), ElementsAre("a"));
}

TEST_F(CommitTrackerTest, ATransactionNamedTwiceIsRefused) {
  barrier(1, {"a"});
  EXPECT_THAT(tracker_.on_barrier(CheckpointId(2), {prepared_as("a")}),
              StatusIs(absl::StatusCode::kInternal, HasSubstr("prepared the transaction a twice")));
}

}  // namespace
}  // namespace weir
