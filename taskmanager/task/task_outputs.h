#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "common/clock.h"
#include "taskmanager/network/network_environment.h"
#include "taskmanager/network/result_partition.h"
#include "taskmanager/task/task_spec.h"

namespace weir {

// What a task sends to other tasks: the partitions of its output edges, in the order of the spec.
//
// Confined to the task's thread, but for cancel() and the callbacks (see ResultPartition). The
// environment outlives it.
class TaskOutputs {
 public:
  // Throws Error when the network memory is used up.
  TaskOutputs(const TaskSpec& spec, NetworkEnvironment* network,
              const std::function<void()>& on_available,
              const std::function<void(const absl::Status&)>& on_failure);

  const std::vector<std::unique_ptr<ResultPartition>>& partitions() const { return partitions_; }

  // Another batch can be processed; if not, on_available follows.
  bool writable();
  void flush_if_due(MonotonicTime now);
  void flush();
  // MonotonicTime::max() if there is nothing to flush.
  MonotonicTime flush_deadline() const;
  void broadcast(const Event& event);
  IoCounts io_counts() const;
  // In writes that waited for a buffer.
  std::chrono::nanoseconds blocked() const;
  // The readers fail with this.
  void fail(const absl::Status& status);
  // Any thread: a write that waits for a buffer throws.
  void cancel();

 private:
  std::vector<std::unique_ptr<ResultPartition>> partitions_;
};

}  // namespace weir
