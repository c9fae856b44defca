#pragma once

#include "absl/status/status.h"
#include "cli/options.h"

namespace weir::cli {

// Loads the job library, submits the job and, unless detached, waits for its end. With the target
// "local" the whole cluster runs inside this process.
absl::Status run_job(const ClientOptions& client, const RunOptions& options);

// Prints the plan: what `run` would submit.
absl::Status show_plan(const ClientOptions& client, const RunOptions& options);

}  // namespace weir::cli
