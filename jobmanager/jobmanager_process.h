#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "common/config.h"

namespace weir {

// A whole JobManager: store, dispatcher, gRPC and REST. Usable inside any process; the composition
// root of weir-jobmanager.
class JobManagerProcess {
 public:
  // Returns when it listens. The errors (a port that is taken, another JobManager on the same
  // folder) are one line each.
  static absl::StatusOr<std::unique_ptr<JobManagerProcess>> start(const Config& config);
  JobManagerProcess(const JobManagerProcess&) = delete;
  JobManagerProcess& operator=(const JobManagerProcess&) = delete;
  ~JobManagerProcess();  // shutdown()

  int rpc_port() const;
  int rest_port() const;

  // Jobs stay as they are, for the next JobManager on the same folder. Idempotent.
  void shutdown();

 private:
  struct Parts;
  explicit JobManagerProcess(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
};

}  // namespace weir
