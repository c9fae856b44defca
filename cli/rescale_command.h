#pragma once

#include <string>

#include "absl/status/status.h"
#include "cli/jobmanager_client.h"
#include "cli/options.h"

namespace weir::cli {

// Lets a job go on at another parallelism, says on stdout how far it is, and returns when the job
// runs at it. A JobManager that goes away meanwhile is waited for and asked again.
absl::Status rescale_job(JobManagerClient& client, const ClientOptions& options,
                         const std::string& job_id, int parallelism);

}  // namespace weir::cli
