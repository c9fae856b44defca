#include "taskmanager/coordinator/hosted_source.h"

#include <utility>
#include <vector>

#include "api/library/convert.h"
#include "common/fault_point.h"
#include "proto/control.pb.h"

namespace weir {
namespace {

pb::CoordinatorId id_of(const RuntimeContext& context) {
  pb::CoordinatorId id;
  id.set_job_id(context.job_id());
  id.set_attempt(context.attempt());
  id.set_uid(context.uid());
  return id;
}

pb::SourceEvent event_to(int subtask, const RuntimeContext& context) {
  pb::SourceEvent event;
  *event.mutable_coordinator() = id_of(context);
  event.set_subtask(subtask);
  return event;
}

std::vector<Split> splits_of(const pb::RecoverCoordinator& request) {
  std::vector<Split> splits;
  for (const pb::Split& split : request.splits()) splits.push_back(from_proto(split));
  return splits;
}

}  // namespace

HostedSource::HostedSource(std::unique_ptr<SourceCoordinator> coordinator,
                           const CoordinatorSpec& spec, const std::atomic<bool>& cancelled,
                           Gauges& gauges, ControlSender& sender)
    : sender_(sender),
      context_(spec, cancelled, gauges, sender),
      coordinator_(std::move(coordinator)) {}

void HostedSource::validate(pb::CoordinatorValidated& answer) {
  coordinator_->open(context_);
  coordinator_->validate();
  answer.set_restarts_subtasks(coordinator_->restarts_readers());
}

HostedCoordinator::Recovery HostedSource::recover(const pb::RecoverCoordinator& request) {
  context_.set_generation(request.generation());
  if (!request.has_state()) {
    resolved_ = coordinator_->resolve();
    pb::FromTaskManager message;
    pb::CoordinatorResolved& answer = *message.mutable_coordinator_resolved();
    *answer.mutable_coordinator() = id_of(context_);
    answer.set_state(resolved_);
    WEIR_FAULT_POINT("coordinator.resolved_not_reported");
    sender_.send(std::move(message));
    return Recovery::kWaitsForResolvedState;
  }
  coordinator_->restore(request.state(), splits_of(request));
  return Recovery::kDone;
}

void HostedSource::on_resolved_state_durable() {
  coordinator_->restore(resolved_, {});
}

void HostedSource::recover_subtasks(const pb::RecoverCoordinator& request) {
  context_.restarting = {request.subtasks().begin(), request.subtasks().end()};
  restarted_splits_ = splits_of(request);
}

void HostedSource::restart_subtasks() {
  const std::set<int> restarted = std::exchange(context_.restarting, {});
  if (restarted.empty()) return;
  coordinator_->restart_readers(std::vector<int>(restarted.begin(), restarted.end()),
                                restarted_splits_);
}

void HostedSource::start() {
  coordinator_->start();
}

void HostedSource::tick() {
  coordinator_->tick();
}

void HostedSource::on_source_event(const pb::SourceEvent& event) {
  coordinator_->on_reader_event(event.subtask(), event.to_coordinator());
}

std::optional<std::string> HostedSource::snapshot(int64_t checkpoint_id) {
  return coordinator_->snapshot(checkpoint_id);
}

void HostedSource::notify_checkpoint_complete(int64_t checkpoint_id) {
  coordinator_->notify_checkpoint_complete(checkpoint_id);
}

void HostedSource::close() {
  coordinator_->close();
}

HostedSource::Context::Context(const CoordinatorSpec& spec, const std::atomic<bool>& cancelled,
                               Gauges& gauges, ControlSender& sender)
    : AttemptContext(spec.attempt, spec.uid, -1, spec.parallelism, cancelled, gauges),
      sender_(sender) {}

void HostedSource::Context::assign_splits(int subtask, std::vector<Split> splits) {
  pb::SourceEvent event = event_to(subtask, *this);
  event.mutable_splits();
  for (const Split& split : splits) *event.mutable_splits()->add_splits() = to_proto(split);
  send(subtask, std::move(event));
}

void HostedSource::Context::signal_no_more_splits(int subtask) {
  pb::SourceEvent event = event_to(subtask, *this);
  event.set_no_more_splits(true);
  send(subtask, std::move(event));
}

void HostedSource::Context::send_to_reader(int subtask, std::string payload) {
  pb::SourceEvent event = event_to(subtask, *this);
  event.set_to_reader(std::move(payload));
  send(subtask, std::move(event));
}

void HostedSource::Context::send(int subtask, pb::SourceEvent event) {
  if (restarting.contains(subtask)) return;
  pb::FromTaskManager message;
  *message.mutable_source_event() = std::move(event);
  sender_.send(std::move(message));
}

}  // namespace weir
