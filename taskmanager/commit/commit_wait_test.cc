#include "connectors/kafka/sink/commit_wait.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::kafka {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(CommitWaitTest, NamesTheOldestCheckpointOnceAndTheEndOnce) {
  CommitWait wait;
  wait.prepared(2, 11, 1'000);
  wait.prepared(0, 12, 6'000);
  EXPECT_FALSE(wait.check(false, 6'000));
  wait.prepared(1, 13, 11'000);
  const auto begins = wait.check(true, 11'000);
  ASSERT_TRUE(begins);
  EXPECT_TRUE(begins->begins);
  EXPECT_THAT(begins->message,
              AllOf(HasSubstr("all 3 transactional ids"),
                    HasSubstr("since 1970-01-01 00:00:01 UTC that of checkpoint 11")));
  EXPECT_FALSE(wait.check(true, 12'000));
  wait.released(2);
  const auto ends = wait.check(false, 14'500);
  ASSERT_TRUE(ends);
  EXPECT_FALSE(ends->begins);
  EXPECT_THAT(ends->message, HasSubstr("after 3500 ms"));
  EXPECT_FALSE(wait.check(false, 15'000));
}

TEST(CommitWaitTest, ASecondWaitIsSaidAgainWithWhatIsOldestThen) {
  CommitWait wait;
  wait.prepared(0, 1, 0);
  ASSERT_TRUE(wait.check(true, 1'000));
  wait.released(0);
  ASSERT_TRUE(wait.check(false, 2'000));
  wait.prepared(0, 5, 3'000);
  const auto again = wait.check(true, 4'000);
  ASSERT_TRUE(again);
  EXPECT_THAT(again->message, HasSubstr("checkpoint 5"));
}

}  // namespace
}  // namespace weir::kafka
