#include "jobmanager/job/job_options.h"

#include <utility>

#include "common/config_options.h"
#include "common/status.h"

namespace weir {

absl::StatusOr<JobOptions> make_job_options(const Config& cluster, const pb::JobGraph& graph,
                                            const std::string& default_folder) {
  JobOptions result;
  result.config = cluster;
  for (const auto& [key, value] : graph.configuration()) {
    WEIR_RETURN_IF_ERROR(Annotate(result.config.set(key, value), "the job's configuration"));
  }
  const Config& config = result.config;
  const auto interval = config.get(options::kCheckpointInterval);
  if (interval.count() > 0) result.checkpoints.interval = interval;
  result.checkpoints.timeout = config.get(options::kCheckpointTimeout);
  result.checkpoints.min_pause = config.get(options::kCheckpointMinPause);
  result.checkpoints.max_concurrent =
      static_cast<int32_t>(config.get(options::kMaxConcurrentCheckpoints));
  result.checkpoints.unaligned = config.get(options::kUnalignedCheckpoints) &&
                                 config.get(options::kCheckpointMode) != "AT_LEAST_ONCE";
  if (result.checkpoints.unaligned && result.checkpoints.max_concurrent > 1) {
    return absl::InvalidArgumentError(
        "execution.checkpointing.unaligned.enabled needs "
        "execution.checkpointing.max-concurrent-checkpoints: 1");
  }
  result.aligned_checkpoint_timeout = config.get(options::kAlignedCheckpointTimeout);
  result.checkpoints.tolerable_failures =
      static_cast<int32_t>(config.get(options::kTolerableFailedCheckpoints));
  result.retained_checkpoints = static_cast<int32_t>(config.get(options::kRetainedCheckpoints));
  const std::string retention = config.get(options::kCheckpointRetention);
  result.keep_on_cancellation = retention == "RETAIN_ON_CANCELLATION";
  result.checkpoint_folder = config.get(options::kCheckpointFolder);
  if (result.checkpoint_folder.empty()) result.checkpoint_folder = default_folder;
  result.savepoint_folder = config.get(options::kSavepointFolder);
  if (result.savepoint_folder.empty()) result.savepoint_folder = result.checkpoint_folder;
  const std::string on_lost = config.get(options::kSinkOnLostTransaction);
  result.on_lost_transaction = on_lost == "rewind"   ? OnLostTransaction::kRewind
                               : on_lost == "accept" ? OnLostTransaction::kAccept
                                                     : OnLostTransaction::kFail;
  result.region_failover = config.get(options::kFailoverStrategy) == "region";
  result.slot_request_timeout = config.get(options::kSlotRequestTimeout);
  result.max_parallelism = graph.max_parallelism() != 0
                               ? graph.max_parallelism()
                               : static_cast<int32_t>(config.get(options::kMaxParallelism));
  return result;
}

bool keeps_checkpoints(const pb::JobRecord& ended, const JobOptions& options) {
  if (ended.state() == "CANCELED") return options.keep_on_cancellation;
  return ended.state() != "FINISHED";
}

std::unique_ptr<RestartStrategy> make_restart_strategy(const JobOptions& job,
                                                       std::function<double()> random) {
  const Config& config = job.config;
  // Without checkpoints a restart would begin anew; that must be asked for.
  if (!config.contains(options::kRestartStrategy) && !job.checkpoints.interval) {
    return make_no_restart();
  }
  const std::string type = config.get(options::kRestartStrategy);
  if (type == "none" || type == "off" || type == "disable") return make_no_restart();
  if (type == "fixed-delay" || type == "fixeddelay") {
    return make_fixed_delay({static_cast<int32_t>(config.get(options::kFixedDelayAttempts)),
                             config.get(options::kFixedDelay)});
  }
  if (type == "failure-rate" || type == "failurerate") {
    return make_failure_rate({static_cast<int32_t>(config.get(options::kFailureRateMaxFailures)),
                              config.get(options::kFailureRateInterval),
                              config.get(options::kFailureRateDelay)});
  }
  ExponentialDelayOptions exponential;
  exponential.initial_backoff = config.get(options::kExponentialDelayInitialBackoff);
  exponential.max_backoff =
      std::max(config.get(options::kExponentialDelayMaxBackoff), exponential.initial_backoff);
  exponential.multiplier = config.get(options::kExponentialDelayMultiplier);
  exponential.reset_threshold = config.get(options::kExponentialDelayResetThreshold);
  exponential.jitter_factor = config.get(options::kExponentialDelayJitter);
  const int64_t attempts = config.get(options::kExponentialDelayAttempts);
  if (attempts < INT32_MAX) {
    exponential.attempts_before_reset = static_cast<int32_t>(attempts);
  }
  return make_exponential_delay(exponential, std::move(random));
}

}  // namespace weir
