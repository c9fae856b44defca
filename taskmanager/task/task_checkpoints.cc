// The part of Task that takes checkpoints.
#include <utility>

#include "common/fault_point.h"
#include "proto/control.pb.h"
#include "taskmanager/task/task.h"

namespace weir {

void Task::on_trigger(CheckpointTrigger trigger) {
  if (!takes_checkpoints()) {
    reporter_.decline(trigger.checkpoint, "the task is " + std::string(to_string(state_)));
    return;
  }
  if (last_checkpoint_ && trigger.checkpoint <= *last_checkpoint_) return;
  if (recorder_ == nullptr) trigger.aligned_until_ms = kAlwaysAligned;
  take_checkpoint(trigger, {.start_delay = start_delay_of(trigger)}, false);
}

void Task::take_checkpoint(const CheckpointTrigger& trigger, const Alignment& alignment,
                           bool unaligned) {
  last_checkpoint_ = trigger.checkpoint;
  const auto failure =
      run_user_code([&] { snapshot_and_acknowledge(trigger, alignment, unaligned); });
  if (!failure) return;
  if (!cancelled_) reporter_.decline(trigger.checkpoint, failure->cause);
  fail({"checkpoint " + to_string(trigger.checkpoint) + ": " + failure->cause, failure->fatal});
}

void Task::snapshot_and_acknowledge(const CheckpointTrigger& trigger, const Alignment& alignment,
                                    bool unaligned) {
  const MonotonicTime begin = now();
  throw_fault(WEIR_FAULT_POINT_STATUS("task.barrier_received"));
  pb::AcknowledgeCheckpoint acknowledge;
  *acknowledge.mutable_task() = id();
  acknowledge.set_checkpoint_id(trigger.checkpoint.value());
  input_->snapshot(trigger.checkpoint, acknowledge);
  int parts = 0;
  for (auto& op : operators_) {
    pb::OperatorState state;
    if (op->snapshot(trigger, state)) *acknowledge.add_operators() = std::move(state);
    if (op->keyed_state() != nullptr) ++parts;
  }
  for (auto& sink : sinks_) sink->snapshot(trigger.checkpoint, *acknowledge.add_operators());
  if (trigger.stop_sources) stopped_ = true;
  const bool ahead = unaligned || goes_ahead(trigger);
  send_barrier(trigger, ahead);
  if (recording_) {
    recording_->inputs = unaligned;
    ++parts;
  }
  acknowledge.set_unaligned(ahead);
  acknowledge.set_sync_duration_us(
      std::chrono::duration_cast<std::chrono::microseconds>(now() - begin).count());
  acknowledge.set_start_delay_us(alignment.start_delay.count());
  acknowledge.set_alignment_duration_us(alignment.duration.count());
  acknowledge.set_processed_bytes(alignment.processed_bytes);
  acknowledge_if_complete(pending_.add(std::move(acknowledge), parts, now()));
}

void Task::send_barrier(const CheckpointTrigger& trigger, bool ahead) {
  if (recording_) drop_checkpoint(recording_->trigger.checkpoint);
  if (trigger.aligned_until_ms == kAlwaysAligned) return outputs_->broadcast(barrier_of(trigger));
  recording_ = Recording{.trigger = trigger, .send_ahead = send_ahead_time_of(trigger)};
  if (ahead) return outputs_->broadcast_ahead(trigger, *recorder_);
  outputs_->broadcast(barrier_of(trigger));
  recording_->outputs = true;
}

void Task::on_inputs_recorded(CheckpointId checkpoint, const Alignment& alignment) {
  if (!recording_ || recording_->trigger.checkpoint != checkpoint) return;
  recording_->inputs = false;
  if (pb::AcknowledgeCheckpoint* acknowledge = pending_.find(checkpoint)) {
    acknowledge->set_alignment_duration_us(alignment.duration.count());
    acknowledge->set_processed_bytes(alignment.processed_bytes);
  }
}

void Task::continue_recording() {
  const CheckpointTrigger& trigger = recording_->trigger;
  if (recording_->outputs && !outputs_->barrier_waits()) recording_->outputs = false;
  if (recording_->outputs && now() >= recording_->send_ahead) {
    outputs_->send_ahead(trigger, *recorder_);
    recording_->outputs = false;
    if (auto* acknowledge = pending_.find(trigger.checkpoint)) acknowledge->set_unaligned(true);
  }
  if (recording_->inputs || recording_->outputs) return;
  recorder_->finish(trigger);
  recording_.reset();
}

void Task::on_in_flight_stored(CheckpointId checkpoint, absl::StatusOr<pb::InFlightHandle> handle) {
  if (handle.ok()) {
    acknowledge_if_complete(
        pending_.on_in_flight_stored(checkpoint, head_uid_, *std::move(handle), now()));
  } else if (pending_.drop(checkpoint)) {
    reporter_.decline(checkpoint, std::string(handle.status().message()));
  }
}

void Task::drop_checkpoint(CheckpointId checkpoint) {
  pending_.drop(checkpoint);
  if (recorder_ != nullptr) recorder_->drop(checkpoint);
  if (recording_ && recording_->trigger.checkpoint == checkpoint) recording_.reset();
}

void Task::acknowledge_if_complete(PendingCheckpoints::Acknowledgement acknowledgement) {
  if (!acknowledgement) return;
  throw_fault(WEIR_FAULT_POINT_STATUS("task.snapshot_before_ack"));
  gauges_.set("checkpointAlignmentTime", acknowledgement->alignment_duration_us() * 1000);
  gauges_.set("checkpointStartDelayNanos", acknowledgement->start_delay_us() * 1000);
  reporter_.acknowledge(*std::move(acknowledgement));
  WEIR_FAULT_POINT("task.ack_sent");
}

void Task::on_state_stored(CheckpointId checkpoint, const std::string& uid,
                           absl::StatusOr<pb::KeyedStateHandle> handle) {
  if (handle.ok()) {
    acknowledge_if_complete(pending_.on_stored(checkpoint, uid, *std::move(handle), now()));
  } else if (pending_.drop(checkpoint)) {
    reporter_.decline(checkpoint, std::string(handle.status().message()));
  }
}

void Task::on_aborted(CheckpointId checkpoint) {
  if (!takes_checkpoints()) return;
  drop_checkpoint(checkpoint);
  for (auto& op : operators_) {
    if (op->keyed_state() != nullptr) op->keyed_state()->abandon_snapshot(checkpoint);
  }
  input_->on_checkpoint_aborted(checkpoint);
}

void Task::give_up_checkpoint(CheckpointId checkpoint, const std::string& why) {
  drop_checkpoint(checkpoint);
  outputs_->broadcast(Event::abort_checkpoint(checkpoint));
  if (!why.empty()) reporter_.decline(checkpoint, why);
}

void Task::on_complete(CheckpointId checkpoint) {
  if (!takes_checkpoints()) return;
  for (auto& op : operators_) {
    if (op->keyed_state() != nullptr) op->keyed_state()->on_checkpoint_complete(checkpoint);
  }
  if (!sinks_.empty()) WEIR_FAULT_POINT("task.notified_before_commit");
  for (auto& sink : sinks_) sink->notify_checkpoint_complete(checkpoint);
  input_->on_checkpoint_complete(checkpoint);
}

}  // namespace weir
