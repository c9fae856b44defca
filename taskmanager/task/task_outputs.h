#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "common/clock.h"
#include "taskmanager/network/network_environment.h"
#include "taskmanager/network/result_partition.h"
#include "taskmanager/task/in_flight_recorder.h"
#include "taskmanager/task/task_spec.h"

namespace weir {

// What a task sends to other tasks: the partitions of its output edges, in the order of the spec.
// Barriers overtake what waits in the partitions that may be overtaken; in the others they keep
// their place.
//
// Confined to the task's thread, but for cancel() and the callbacks (see ResultPartition). The
// environment outlives it.
class TaskOutputs {
 public:
  // Of the spec's output: what is recorded of its channels; none if it isn't to be overtaken.
  using Streams = std::vector<InFlightRecorder::Stream>;

  // Throws Error when the network memory is used up. `streams` by output.
  TaskOutputs(const TaskSpec& spec, std::vector<Streams> streams, NetworkEnvironment* network,
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
  // The barrier goes ahead of what waits here, which is recorded.
  void broadcast_ahead(const CheckpointTrigger& trigger, InFlightRecorder& recorder);
  // The same for a barrier that was broadcast in its order before.
  void send_ahead(const CheckpointTrigger& trigger, InFlightRecorder& recorder);
  // The barrier broadcast last waits for records that it may overtake; on_available follows when it
  // doesn't any more.
  bool barrier_waits() const;
  IoCounts io_counts() const;
  // In writes that waited for a buffer.
  std::chrono::nanoseconds blocked() const;
  // The readers fail with this.
  void fail(const absl::Status& status);
  // Any thread: a write that waits for a buffer throws.
  void cancel();

 private:
  void record(const CheckpointTrigger& trigger, size_t partition,
              std::vector<std::vector<Buffer>> overtaken, InFlightRecorder& recorder) const;
  bool overtakable(size_t partition) const { return !streams_[partition].empty(); }

  std::vector<std::unique_ptr<ResultPartition>> partitions_;
  const std::vector<Streams> streams_;  // by partition
};

}  // namespace weir
