// The verbs about one job or all. Each prints its answer on stdout and returns what went wrong.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "cli/jobmanager_client.h"
#include "cli/options.h"

namespace weir::cli {

struct ListOptions {
  bool running = false;
  bool scheduled = false;  // waiting for slots or restarting
  bool all = false;        // ended ones too
};

absl::Status list_jobs(JobManagerClient& client, const ClientOptions& options,
                       const ListOptions& list);
// State, vertices, last checkpoints, the first fault.
absl::Status show_status(JobManagerClient& client, const ClientOptions& options,
                         const std::string& job_id);
// Waits until the job has ended.
absl::Status cancel_job(JobManagerClient& client, const std::string& job_id);
absl::Status stop_job(JobManagerClient& client, const ClientOptions& options,
                      const std::string& job_id, const std::string& directory, bool drain);
absl::Status take_savepoint(JobManagerClient& client, const ClientOptions& options,
                            const std::string& job_id, const std::string& directory);
absl::Status take_checkpoint(JobManagerClient& client, const ClientOptions& options,
                             const std::string& job_id);

}  // namespace weir::cli
