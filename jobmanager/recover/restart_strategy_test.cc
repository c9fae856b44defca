#include "jobmanager/recover/restart_strategy.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr MonotonicTime kStart{std::chrono::hours(1)};

TEST(RestartStrategyTest, NoneNeverRestarts) {
  EXPECT_EQ(make_no_restart()->on_failure(kStart), std::nullopt);
}

TEST(RestartStrategyTest, FixedDelayGivesUpAfterItsAttempts) {
  const auto strategy = make_fixed_delay({.attempts = 2, .delay = seconds(3)});
  EXPECT_EQ(strategy->on_failure(kStart), seconds(3));
  EXPECT_EQ(strategy->on_failure(kStart), seconds(3));
  EXPECT_EQ(strategy->on_failure(kStart), std::nullopt);
}

TEST(RestartStrategyTest, ExponentialDelayGrowsToItsMaximum) {
  const auto strategy = make_exponential_delay(
      {.initial_backoff = seconds(1), .max_backoff = seconds(3), .multiplier = 2},
      [] { return 0.0; });
  EXPECT_EQ(strategy->on_failure(kStart), seconds(1));
  EXPECT_EQ(strategy->on_failure(kStart), seconds(2));
  EXPECT_EQ(strategy->on_failure(kStart), seconds(3));
  EXPECT_EQ(strategy->on_failure(kStart), seconds(3));
}

TEST(RestartStrategyTest, ExponentialDelayStartsAnewAfterAQuietTime) {
  const auto strategy = make_exponential_delay(
      {.initial_backoff = seconds(1), .multiplier = 2, .reset_threshold = minutes(10)},
      [] { return 0.0; });
  strategy->on_failure(kStart);
  EXPECT_EQ(strategy->on_failure(kStart + minutes(9)), seconds(2));
  // Counted from the restart, two seconds after the failure.
  EXPECT_EQ(strategy->on_failure(kStart + minutes(19) + milliseconds(1'999)), seconds(4));
  EXPECT_EQ(strategy->on_failure(kStart + minutes(29) + seconds(6)), seconds(1));
}

TEST(RestartStrategyTest, JitterStaysWithinItsFactorAndTheBounds) {
  double random = 1;
  const auto strategy = make_exponential_delay({.initial_backoff = seconds(1), .multiplier = 2},
                                               [&] { return random; });
  EXPECT_EQ(strategy->on_failure(kStart), milliseconds(1100));
  random = -1;
  EXPECT_EQ(strategy->on_failure(kStart), milliseconds(1800));
}

TEST(RestartStrategyTest, ExponentialDelayGivesUpAfterItsAttempts) {
  const auto strategy = make_exponential_delay({.attempts_before_reset = 1}, [] { return 0.0; });
  EXPECT_TRUE(strategy->on_failure(kStart).has_value());
  EXPECT_EQ(strategy->on_failure(kStart), std::nullopt);
}

TEST(RestartStrategyTest, FailureRateForgetsWhatIsOlderThanTheInterval) {
  const auto strategy = make_failure_rate(
      {.max_failures_per_interval = 2, .interval = minutes(1), .delay = seconds(1)});
  EXPECT_EQ(strategy->on_failure(kStart), seconds(1));
  EXPECT_EQ(strategy->on_failure(kStart + seconds(30)), seconds(1));
  EXPECT_EQ(strategy->on_failure(kStart + seconds(59)), std::nullopt);
  EXPECT_EQ(strategy->on_failure(kStart + seconds(61)), seconds(1));
}

}  // namespace
}  // namespace weir
