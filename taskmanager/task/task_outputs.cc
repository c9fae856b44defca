#include "taskmanager/task/task_outputs.h"

#include <algorithm>
#include <string>
#include <utility>

#include "common/check.h"
#include "weir/error.h"

namespace weir {
namespace {

// For the rest of a batch that was begun while there were buffers: a task that waits for one in the
// middle of a batch can't handle a barrier.
constexpr int kOverdraftBuffers = 64;

}  // namespace

TaskOutputs::TaskOutputs(const TaskSpec& spec, std::vector<Streams> streams,
                         NetworkEnvironment* network, const std::function<void()>& on_available,
                         const std::function<void(const absl::Status&)>& on_failure)
    : streams_(std::move(streams)) {
  WEIR_CHECK(spec.outputs.empty() || network != nullptr);
  for (const PartitionSpec& output : spec.outputs) {
    auto partition = network->create_partition(
        {.id = partition_id_of(spec.attempt.job_id, spec.attempt.attempt, spec.vertex,
                               output.edge.edge, spec.subtask),
         .name = spec.name,
         .channels = output.channels,
         .buffer_timeout = spec.buffer_timeout,
         .overdraft = spec.unaligned_checkpoints ? kOverdraftBuffers : 0,
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

void TaskOutputs::broadcast_ahead(const CheckpointTrigger& trigger, InFlightRecorder& recorder) {
  const Event barrier = barrier_of(trigger);
  for (size_t i = 0; i < partitions_.size(); ++i) {
    if (overtakable(i)) {
      record(trigger, i, partitions_[i]->broadcast_priority_event(barrier), recorder);
    } else {
      partitions_[i]->broadcast_event(barrier);
    }
  }
}

void TaskOutputs::send_ahead(const CheckpointTrigger& trigger, InFlightRecorder& recorder) {
  for (size_t i = 0; i < partitions_.size(); ++i) {
    if (!overtakable(i)) continue;
    record(trigger, i, partitions_[i]->send_ahead(barrier_of(trigger)), recorder);
  }
}

bool TaskOutputs::barrier_waits() const {
  for (size_t i = 0; i < partitions_.size(); ++i) {
    if (overtakable(i) && partitions_[i]->event_waits()) return true;
  }
  return false;
}

void TaskOutputs::record(const CheckpointTrigger& trigger, size_t partition,
                         std::vector<std::vector<Buffer>> overtaken,
                         InFlightRecorder& recorder) const {
  for (size_t channel = 0; channel < overtaken.size(); ++channel) {
    for (Buffer& buffer : overtaken[channel]) {
      recorder.record(trigger, streams_[partition][channel], std::move(buffer));
    }
  }
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
