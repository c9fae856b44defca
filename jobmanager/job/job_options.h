#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/config.h"
#include "jobmanager/checkpoint/checkpoint_coordinator.h"
#include "jobmanager/recover/restart_strategy.h"
#include "proto/job_graph.pb.h"
#include "proto/job_record.pb.h"

namespace weir {

enum class OnLostTransaction { kFail, kRewind, kAccept };

// What a job's configuration says to the JobManager.
struct JobOptions {
  CheckpointOptions checkpoints;
  std::chrono::milliseconds aligned_checkpoint_timeout{};  // of unaligned ones
  int32_t retained_checkpoints = 1;
  bool keep_on_cancellation = false;
  std::string checkpoint_folder;
  std::string savepoint_folder;
  OnLostTransaction on_lost_transaction = OnLostTransaction::kFail;
  std::chrono::milliseconds slot_request_timeout{};
  bool region_failover = true;  // else everything restarts
  int32_t max_parallelism = 0;  // wanted; 0: it doesn't say
  Config config;                // of the cluster, with the job's own over it
};

// `default_folder` holds the checkpoints of jobs that name no folder.
absl::StatusOr<JobOptions> make_job_options(const Config& cluster, const pb::JobGraph& graph,
                                            const std::string& default_folder);

// Whether the checkpoints of a job that has ended are kept. A failed job's always are: its output
// may still have to be put right.
bool keeps_checkpoints(const pb::JobRecord& ended, const JobOptions& options);

std::unique_ptr<RestartStrategy> make_restart_strategy(const JobOptions& options,
                                                       std::function<double()> random);

}  // namespace weir
