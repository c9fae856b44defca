#include "taskmanager/task/task_outputs.h"

#include <algorithm>
#include <string>
#include <utility>

#include "common/check.h"
#include "weir/error.h"

namespace weir {

TaskOutputs::TaskOutputs(const TaskSpec& spec, NetworkEnvironment* network,
                         const std::function<void()>& on_available,
                         const std::function<void(const absl::Status&)>& on_failure) {
  WEIR_CHECK(spec.outputs.empty() || network != nullptr);
  for (const PartitionSpec& output : spec.outputs) {
    auto partition = network->create_partition(
        {.id = partition_id_of(spec.attempt.job_id, spec.attempt.attempt, spec.vertex,
                               output.edge.edge, spec.subtask),
         .name = spec.name,
         .channels = output.channels,
         .buffer_timeout = spec.buffer_timeout,
         .on_available = on_available,
         .on_failure = on_failure});
    if (!partition.ok()) throw Error(std::string(partition.status().message()));
    partitions_.push_back(*std::move(partition));
  }
}

bool TaskOutputs::writable() {
  return std::all_of(partitions_.begin(), partitions_.end(),
                     [](const auto& partition) { return partition->writable(); });
}

void TaskOutputs::flush_if_due(MonotonicTime now) {
  for (const auto& partition : partitions_) {
    if (now >= partition->flush_deadline()) partition->flush();
  }
}

void TaskOutputs::flush() {
  for (const auto& partition : partitions_) partition->flush();
}

MonotonicTime TaskOutputs::flush_deadline() const {
  MonotonicTime deadline = MonotonicTime::max();
  for (const auto& partition : partitions_) {
    deadline = std::min(deadline, partition->flush_deadline());
  }
  return deadline;
}

void TaskOutputs::broadcast(const Event& event) {
  for (const auto& partition : partitions_) partition->broadcast_event(event);
}

IoCounts TaskOutputs::io_counts() const {
  IoCounts counts;
  for (const auto& partition : partitions_) {
    counts.records += partition->records();
    counts.bytes += partition->bytes_sent();
  }
  return counts;
}

std::chrono::nanoseconds TaskOutputs::blocked() const {
  std::chrono::nanoseconds blocked{0};
  for (const auto& partition : partitions_) blocked += partition->blocked();
  return blocked;
}

void TaskOutputs::fail(const absl::Status& status) {
  for (const auto& partition : partitions_) partition->fail(status);
}

void TaskOutputs::cancel() {
  for (const auto& partition : partitions_) partition->cancel();
}

}  // namespace weir
