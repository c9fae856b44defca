#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/clock.h"

namespace weir {

// Says after each failure whether and when the job is tried again. Flink's strategies and numbers.
class RestartStrategy {
 public:
  virtual ~RestartStrategy() = default;
  // How long to wait from the failure on; none: the job has failed for good.
  virtual std::optional<std::chrono::milliseconds> on_failure(MonotonicTime now) = 0;
  // "fixed-delay: 3 attempts, 1000 ms apart"
  virtual std::string description() const = 0;
};

struct FixedDelayOptions {
  int32_t attempts = 1;
  std::chrono::milliseconds delay{1000};
};

struct ExponentialDelayOptions {
  std::chrono::milliseconds initial_backoff{1000};
  std::chrono::milliseconds max_backoff{std::chrono::minutes(1)};
  double multiplier = 1.5;
  // The job ran this long without a failure: the backoff starts from its initial value again.
  std::chrono::milliseconds reset_threshold{std::chrono::hours(1)};
  double jitter_factor = 0.1;
  std::optional<int32_t> attempts_before_reset{};  // none: without end
};

struct FailureRateOptions {
  int32_t max_failures_per_interval = 1;
  std::chrono::milliseconds interval{std::chrono::minutes(1)};
  std::chrono::milliseconds delay{1000};
};

std::unique_ptr<RestartStrategy> make_no_restart();
std::unique_ptr<RestartStrategy> make_fixed_delay(FixedDelayOptions options);
// `random` gives numbers in [-1, 1].
std::unique_ptr<RestartStrategy> make_exponential_delay(ExponentialDelayOptions options,
                                                        std::function<double()> random);
std::unique_ptr<RestartStrategy> make_failure_rate(FailureRateOptions options);

}  // namespace weir
