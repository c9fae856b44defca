#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/config.h"

namespace weir::cli {

// A JobManager and a TaskManager inside this process, on free ports of the loopback interface and
// with a temporary folder that goes with them. For `weir run -t local`.
class LocalCluster {
 public:
  // `slots` is at least the job's parallelism. Returns when the TaskManager has registered.
  static absl::StatusOr<std::unique_ptr<LocalCluster>> start(const Config& config, int slots);
  ~LocalCluster();

  const std::string& jobmanager_address() const;
  const std::string& rest_address() const;

 private:
  struct Processes;

  explicit LocalCluster(std::unique_ptr<Processes> processes);

  const std::unique_ptr<Processes> processes_;
};

}  // namespace weir::cli
