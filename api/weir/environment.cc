#include "weir/environment.h"

#include <sstream>

#include "weir/error.h"
#include "weir/key_group.h"

namespace weir {
namespace {

std::string text_of(std::chrono::milliseconds duration) {
  return std::to_string(duration.count()) + " ms";
}

std::string text_of(double number) {
  std::ostringstream text;
  text.imbue(std::locale::classic());
  text << number;
  return text.str();
}

void check_at_least(std::int64_t value, std::int64_t least, const char* what) {
  if (value < least) {
    throw FatalError(std::string(what) + " is " + std::to_string(value) + ": it must be at least " +
                     std::to_string(least));
  }
}

}  // namespace

RestartStrategy RestartStrategy::none() {
  RestartStrategy result;
  result.configuration_ = {{"restart-strategy.type", "none"}};
  return result;
}

RestartStrategy RestartStrategy::fixed_delay(int attempts, std::chrono::milliseconds delay) {
  check_at_least(attempts, 0, "the number of attempts of the fixed-delay restart strategy");
  RestartStrategy result;
  result.configuration_ = {{"restart-strategy.type", "fixed-delay"},
                           {"restart-strategy.fixed-delay.attempts", std::to_string(attempts)},
                           {"restart-strategy.fixed-delay.delay", text_of(delay)}};
  return result;
}

RestartStrategy RestartStrategy::exponential_delay(std::chrono::milliseconds initial_backoff,
                                                   std::chrono::milliseconds max_backoff,
                                                   double backoff_multiplier) {
  if (backoff_multiplier < 1.0) {
    throw FatalError("the backoff multiplier of the exponential-delay restart strategy is " +
                     text_of(backoff_multiplier) + ": it must be at least 1");
  }
  RestartStrategy result;
  const std::string prefix = "restart-strategy.exponential-delay.";
  result.configuration_ = {{"restart-strategy.type", "exponential-delay"},
                           {prefix + "initial-backoff", text_of(initial_backoff)},
                           {prefix + "max-backoff", text_of(max_backoff)},
                           {prefix + "backoff-multiplier", text_of(backoff_multiplier)}};
  return result;
}

RestartStrategy RestartStrategy::failure_rate(int max_failures_per_interval,
                                              std::chrono::milliseconds interval,
                                              std::chrono::milliseconds delay) {
  check_at_least(max_failures_per_interval, 1,
                 "the number of failures of the failure-rate restart strategy");
  RestartStrategy result;
  const std::string prefix = "restart-strategy.failure-rate.";
  result.configuration_ = {
      {"restart-strategy.type", "failure-rate"},
      {prefix + "max-failures-per-interval", std::to_string(max_failures_per_interval)},
      {prefix + "failure-rate-interval", text_of(interval)},
      {prefix + "delay", text_of(delay)}};
  return result;
}

void StreamExecutionEnvironment::set_parallelism(int parallelism) {
  check_at_least(parallelism, 1, "the parallelism");
  set("parallelism.default", std::to_string(parallelism));
}

void StreamExecutionEnvironment::set_max_parallelism(int max_parallelism) {
  check_at_least(max_parallelism, 1, "the maximum parallelism");
  if (max_parallelism > kMaxParallelismLimit) {
    throw FatalError("the maximum parallelism is " + std::to_string(max_parallelism) +
                     ": it must be at most " + std::to_string(kMaxParallelismLimit));
  }
  set("pipeline.max-parallelism", std::to_string(max_parallelism));
}

void StreamExecutionEnvironment::enable_checkpointing(std::chrono::milliseconds interval,
                                                      CheckpointingMode mode) {
  check_at_least(interval.count(), 1, "the checkpoint interval in milliseconds");
  set("execution.checkpointing.interval", text_of(interval));
  set("execution.checkpointing.mode",
      mode == CheckpointingMode::kExactlyOnce ? "EXACTLY_ONCE" : "AT_LEAST_ONCE");
}

void StreamExecutionEnvironment::set_checkpoint_timeout(std::chrono::milliseconds timeout) {
  check_at_least(timeout.count(), 1, "the checkpoint timeout in milliseconds");
  set("execution.checkpointing.timeout", text_of(timeout));
}

void StreamExecutionEnvironment::set_min_pause_between_checkpoints(
    std::chrono::milliseconds pause) {
  check_at_least(pause.count(), 0, "the pause between checkpoints in milliseconds");
  set("execution.checkpointing.min-pause", text_of(pause));
}

void StreamExecutionEnvironment::set_max_concurrent_checkpoints(int checkpoints) {
  check_at_least(checkpoints, 1, "the number of concurrent checkpoints");
  set("execution.checkpointing.max-concurrent-checkpoints", std::to_string(checkpoints));
}

void StreamExecutionEnvironment::set_tolerable_checkpoint_failures(int failures) {
  check_at_least(failures, 0, "the number of tolerable checkpoint failures");
  set("execution.checkpointing.tolerable-failed-checkpoints", std::to_string(failures));
}

void StreamExecutionEnvironment::set_externalized_checkpoint_retention(
    ExternalizedCheckpointRetention retention) {
  set("execution.checkpointing.externalized-checkpoint-retention",
      retention == ExternalizedCheckpointRetention::kRetainOnCancellation
          ? "RETAIN_ON_CANCELLATION"
          : "DELETE_ON_CANCELLATION");
}

void StreamExecutionEnvironment::set_restart_strategy(const RestartStrategy& strategy) {
  for (const auto& [key, value] : strategy.configuration()) set(key, value);
}

void StreamExecutionEnvironment::set(std::string key, std::string value) {
  graph_.configuration.insert_or_assign(std::move(key), std::move(value));
}

}  // namespace weir
