#include "jobmanager/recover/restart_strategy.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <utility>

#include "absl/strings/str_cat.h"

namespace weir {

namespace {

using std::chrono::milliseconds;

class NoRestart final : public RestartStrategy {
 public:
  std::optional<milliseconds> on_failure(MonotonicTime) override { return std::nullopt; }
  std::string description() const override { return "none"; }
};

class FixedDelay final : public RestartStrategy {
 public:
  explicit FixedDelay(FixedDelayOptions options) : options_(options) {}

  std::optional<milliseconds> on_failure(MonotonicTime) override {
    if (restarts_ >= options_.attempts) return std::nullopt;
    ++restarts_;
    return options_.delay;
  }
  std::string description() const override {
    return absl::StrCat("fixed-delay: ", options_.attempts, " attempts, ", options_.delay.count(),
                        " ms apart");
  }

 private:
  const FixedDelayOptions options_;
  int32_t restarts_ = 0;
};

class ExponentialDelay final : public RestartStrategy {
 public:
  ExponentialDelay(ExponentialDelayOptions options, std::function<double()> random)
      : options_(options), random_(std::move(random)) {}

  std::optional<milliseconds> on_failure(MonotonicTime now) override {
    // The quiet time counts from the last restart, not from the last failure.
    if (restarts_ > 0 && now - last_restart_ >= options_.reset_threshold) restarts_ = 0;
    if (options_.attempts_before_reset && restarts_ >= *options_.attempts_before_reset) {
      return std::nullopt;
    }
    const double exact =
        std::min(static_cast<double>(options_.max_backoff.count()),
                 static_cast<double>(options_.initial_backoff.count()) *
                     std::pow(options_.multiplier, static_cast<double>(restarts_)));
    const double jittered = exact + exact * options_.jitter_factor * random_();
    const milliseconds backoff = std::clamp(milliseconds(std::llround(jittered)),
                                            options_.initial_backoff, options_.max_backoff);
    ++restarts_;
    last_restart_ = now + backoff;
    return backoff;
  }
  std::string description() const override {
    return absl::StrCat("exponential-delay: from ", options_.initial_backoff.count(), " ms to ",
                        options_.max_backoff.count(), " ms",
                        options_.attempts_before_reset
                            ? absl::StrCat(", ", *options_.attempts_before_reset, " attempts")
                            : "");
  }

 private:
  const ExponentialDelayOptions options_;
  const std::function<double()> random_;
  int32_t restarts_ = 0;
  MonotonicTime last_restart_;
};

class FailureRate final : public RestartStrategy {
 public:
  explicit FailureRate(FailureRateOptions options) : options_(options) {}

  std::optional<milliseconds> on_failure(MonotonicTime now) override {
    while (!failures_.empty() && now - failures_.front() > options_.interval) failures_.pop_front();
    if (static_cast<int32_t>(failures_.size()) >= options_.max_failures_per_interval) {
      return std::nullopt;
    }
    failures_.push_back(now);
    return options_.delay;
  }
  std::string description() const override {
    return absl::StrCat("failure-rate: ", options_.max_failures_per_interval, " failures in ",
                        options_.interval.count(), " ms");
  }

 private:
  const FailureRateOptions options_;
  std::deque<MonotonicTime> failures_;
};

}  // namespace

std::unique_ptr<RestartStrategy> make_no_restart() {
  return std::make_unique<NoRestart>();
}

std::unique_ptr<RestartStrategy> make_fixed_delay(FixedDelayOptions options) {
  return std::make_unique<FixedDelay>(options);
}

std::unique_ptr<RestartStrategy> make_exponential_delay(ExponentialDelayOptions options,
                                                        std::function<double()> random) {
  return std::make_unique<ExponentialDelay>(options, std::move(random));
}

std::unique_ptr<RestartStrategy> make_failure_rate(FailureRateOptions options) {
  return std::make_unique<FailureRate>(options);
}

}  // namespace weir
