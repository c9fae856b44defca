#include "taskmanager/coordinator/hosted_sink.h"

#include <utility>

#include "api/library/convert.h"
#include "common/fault_point.h"
#include "proto/control.pb.h"

namespace weir {

HostedSink::HostedSink(std::unique_ptr<SinkCoordinator> coordinator, const CoordinatorSpec& spec,
                       const std::atomic<bool>& cancelled, Gauges& gauges, ControlSender& sender)
    : sender_(sender),
      context_(spec.attempt, spec.uid, -1, spec.parallelism, cancelled, gauges),
      coordinator_(std::move(coordinator)) {}

void HostedSink::validate(pb::CoordinatorValidated& answer) {
  coordinator_->open(context_);
  const SinkValidation validation = coordinator_->validate();
  for (const std::string& resource : validation.exclusive_resources) {
    answer.add_exclusive_resources(resource);
  }
  answer.set_restarts_subtasks(coordinator_->recovers_subtasks());
  answer.set_generation_max(validation.generation_max);
  answer.set_transaction_timeout_ms(validation.transaction_timeout.count());
}

HostedCoordinator::Recovery HostedSink::recover(const pb::RecoverCoordinator& request) {
  context_.set_generation(request.generation());
  SinkRecovery recovery;
  recovery.generation = request.generation();
  for (const auto& recovered : request.committables()) {
    recovery.committables.push_back(
        {from_proto(recovered.committable()), recovered.known_committed()});
  }
  recovery.subtasks.assign(request.subtasks().begin(), request.subtasks().end());
  recovery.generation_from = request.generation_from();
  recovery.writer_states.assign(request.writer_states().begin(), request.writer_states().end());
  coordinator_->recover(recovery,
                        [this](const Committable& committable, const CommitResult& result) {
                          report(committable, result);
                        });
  return Recovery::kDone;
}

void HostedSink::tick() {
  coordinator_->sweep();
}

void HostedSink::close() {
  coordinator_->close();
}

void HostedSink::report(const Committable& committable, const CommitResult& result) {
  if (result.status == CommitStatus::kRetry) return;  // nothing is known yet
  WEIR_FAULT_POINT("coordinator.committed_not_reported");
  pb::FromTaskManager message;
  pb::CommitReported& reported = *message.mutable_commit_reported();
  reported.set_job_id(context_.job_id());
  reported.set_attempt(context_.attempt());
  reported.set_sink_uid(context_.uid());
  reported.set_subtask(-1);
  *reported.mutable_committable() = to_proto(committable);
  reported.set_state(result.status == CommitStatus::kCommitted ? pb::LedgerEntry::COMMITTED
                                                               : pb::LedgerEntry::LOST);
  reported.set_message(result.message);
  sender_.send(std::move(message));
}

}  // namespace weir
