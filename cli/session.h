#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "cli/options.h"

namespace weir::cli {

// host:port of the JobManager: -m, else jobmanager.rpc.address and .port of the configuration.
absl::StatusOr<std::string> jobmanager_address(const ClientOptions& options);

}  // namespace weir::cli
