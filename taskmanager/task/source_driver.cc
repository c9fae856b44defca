#include "taskmanager/task/source_driver.h"

#include <utility>
#include <vector>

#include "api/library/convert.h"
#include "proto/control.pb.h"

namespace weir {

SourceDriver::SourceDriver(TaskChain& chain, AttemptInfo attempt, int subtask, int parallelism,
                           const std::atomic<bool>& cancelled, Gauges& gauges,
                           ControlSender& sender)
    : source_(*chain.source()),
      head_(chain.head()),
      context_(std::move(attempt), source_.uid, subtask, parallelism, cancelled, gauges, sender) {}

void SourceDriver::open(uint64_t generation) {
  context_.set_generation(generation);
  source_.reader->open(context_);
}

void SourceDriver::on_event(const pb::SourceEvent& event) {
  switch (event.event_case()) {
    case pb::SourceEvent::kSplits: {
      std::vector<Split> splits;
      for (const pb::Split& split : event.splits().splits()) splits.push_back(from_proto(split));
      source_.reader->add_splits(splits);
      break;
    }
    case pb::SourceEvent::kNoMoreSplits:
      source_.reader->no_more_splits();
      break;
    case pb::SourceEvent::kToReader:
      source_.reader->on_coordinator_event(event.to_reader());
      break;
    case pb::SourceEvent::kToCoordinator:
    case pb::SourceEvent::EVENT_NOT_SET:
      break;
  }
}

PollStatus SourceDriver::poll(std::chrono::milliseconds wait) {
  const PollStatus status = source_.reader->poll(wait);
  if (status == PollStatus::kEndOfInput) head_.watermark(kMaxWatermark);
  return status;
}

void SourceDriver::snapshot(CheckpointId checkpoint, pb::AcknowledgeCheckpoint& acknowledge) {
  pb::OperatorState& state = *acknowledge.add_operators();
  state.set_uid(source_.uid);
  state.set_subtask(context_.subtask());
  for (const Split& split : source_.reader->snapshot(checkpoint.value())) {
    *state.add_splits() = to_proto(split);
  }
}

void SourceDriver::on_checkpoint_complete(CheckpointId checkpoint) {
  source_.reader->notify_checkpoint_complete(checkpoint.value());
}

void SourceDriver::Context::send_to_coordinator(std::string event) {
  pb::FromTaskManager message;
  pb::SourceEvent& source_event = *message.mutable_source_event();
  source_event.mutable_coordinator()->set_job_id(job_id());
  source_event.mutable_coordinator()->set_attempt(attempt());
  source_event.mutable_coordinator()->set_uid(uid());
  source_event.set_subtask(subtask());
  source_event.set_to_coordinator(std::move(event));
  sender_.send(std::move(message));
}

}  // namespace weir
