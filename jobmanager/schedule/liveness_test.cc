#include "jobmanager/schedule/liveness.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(LivenessTest, ASilentTaskManagerIsNamedOnceWithItsAge) {
  const MonotonicTime start{std::chrono::hours(1)};
  Liveness liveness{seconds(5)};
  liveness.heard("a", start);
  liveness.heard("b", start + seconds(2));
  EXPECT_EQ(liveness.next_wakeup(), start + seconds(5));
  EXPECT_TRUE(liveness.expire(start + milliseconds(4999)).empty());
  const auto silent = liveness.expire(start + seconds(6));
  ASSERT_EQ(silent.size(), 1u);
  EXPECT_EQ(silent[0].taskmanager, "a");
  EXPECT_EQ(silent[0].age, seconds(6));
  EXPECT_TRUE(liveness.expire(start + seconds(6)).empty());
}

TEST(LivenessTest, WhoIsForgottenDoesNotExpire) {
  Liveness liveness{seconds(5)};
  liveness.heard("a", MonotonicTime(seconds(1)));
  liveness.forget("a");
  EXPECT_EQ(liveness.next_wakeup(), std::nullopt);
  EXPECT_TRUE(liveness.expire(MonotonicTime(seconds(100))).empty());
}

}  // namespace
}  // namespace weir
