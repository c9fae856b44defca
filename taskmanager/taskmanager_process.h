#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/config.h"

namespace weir {

// A whole TaskManager: the composition root, for main.cc and for clusters inside one process.
//
// Thread-safe. It tries to reach its JobManager until shut down, however often it is lost.
class TaskManagerProcess {
 public:
  // Called on a thread of the TaskManager each time it has registered, with a line for people.
  using OnRegistered = std::function<void(const std::string& line)>;

  static absl::StatusOr<std::unique_ptr<TaskManagerProcess>> start(const Config& config,
                                                                   OnRegistered on_registered);
  TaskManagerProcess(const TaskManagerProcess&) = delete;
  TaskManagerProcess& operator=(const TaskManagerProcess&) = delete;
  ~TaskManagerProcess();  // shutdown()

  // "host:pid-suffix", new for every process.
  const std::string& id() const;
  // False if it isn't registered within `timeout`.
  bool wait_until_registered(std::chrono::milliseconds timeout);
  // Cancels what runs, waits for its end and leaves the JobManager. Prepared transactions are left
  // to the next attempt's recovery. Idempotent.
  void shutdown();

 private:
  class Parts;

  explicit TaskManagerProcess(std::unique_ptr<Parts> parts);

  const std::unique_ptr<Parts> parts_;
};

}  // namespace weir
