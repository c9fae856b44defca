#include "taskmanager/commit/commit_wait.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace weir {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// Transaction "t<checkpoint>" is prepared and is to be committed.
void start_commit(CommitTracker& tracker, int64_t checkpoint) {
  Committable committable;
  committable.transaction = "t" + std::to_string(checkpoint);
  ASSERT_TRUE(tracker.on_barrier(CheckpointId(checkpoint), {committable}).ok());
  tracker.on_notify(CheckpointId(checkpoint));
}

TEST(CommitWaitTest, NamesTheOldestCheckpointOnceAndTheEndOnce) {
  CommitTracker tracker;
  CommitWait wait;
  for (int64_t checkpoint = 11; checkpoint < 14; ++checkpoint) start_commit(tracker, checkpoint);
  EXPECT_FALSE(wait.check(tracker, 6'000));
  start_commit(tracker, 14);
  const auto begins = wait.check(tracker, 11'000);
  ASSERT_TRUE(begins);
  EXPECT_TRUE(begins->begins);
  EXPECT_THAT(begins->message,
              AllOf(HasSubstr("4 commits"), HasSubstr("the oldest that of checkpoint 11")));
  EXPECT_FALSE(wait.check(tracker, 12'000));
  tracker.on_commit_result("t11", CommitStatus::kCommitted);
  const auto ends = wait.check(tracker, 14'500);
  ASSERT_TRUE(ends);
  EXPECT_FALSE(ends->begins);
  EXPECT_THAT(ends->message, HasSubstr("after 3500 ms"));
  EXPECT_FALSE(wait.check(tracker, 15'000));
  start_commit(tracker, 15);
  const auto again = wait.check(tracker, 20'000);
  ASSERT_TRUE(again);
  EXPECT_THAT(again->message, HasSubstr("checkpoint 12"));
}

}  // namespace
}  // namespace weir
