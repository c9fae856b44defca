#include "taskmanager/coordinator/coordinator_host.h"

#include <utility>

#include "common/fault_point.h"
#include "proto/control.pb.h"

namespace weir {

CoordinatorHost::CoordinatorHost(Options options)
    : options_(std::move(options)), mailbox_({.name = "coord " + options_.spec.uid}) {
  post([this] { validate(); });
  mailbox_.start();
}

CoordinatorHost::~CoordinatorHost() {
  cancelled_ = true;
  mailbox_.shutdown(Mailbox::Pending::kDrop);
}

void CoordinatorHost::recover(pb::RecoverCoordinator request) {
  post([this, request = std::move(request)] {
    if (state_ == State::kStarted && !request.subtasks().empty()) {
      coordinator_->recover_subtasks(request);
      return report_recovered(request.for_attempt());
    }
    if (state_ != State::kValidated) return;
    if (coordinator_->recover(request) == HostedCoordinator::Recovery::kDone) {
      finish_recovery();
    } else {
      state_ = State::kResolved;
    }
  });
}

void CoordinatorHost::on_resolved_state_durable() {
  post([this] {
    if (state_ != State::kResolved) return;
    coordinator_->on_resolved_state_durable();
    finish_recovery();
  });
}

void CoordinatorHost::start() {
  post([this] {
    if (state_ == State::kStarted) return coordinator_->restart_subtasks();
    if (state_ != State::kRecovered) return;
    state_ = State::kStarted;
    coordinator_->start();
    mailbox_.post_after(coordinator_->tick_interval(), [this] { tick(); });
  });
}

void CoordinatorHost::on_source_event(pb::SourceEvent event) {
  post([this, event = std::move(event)] {
    if (takes_part()) coordinator_->on_source_event(event);
  });
}

void CoordinatorHost::trigger_checkpoint(CheckpointId checkpoint) {
  post([this, checkpoint] {
    if (!takes_part()) return;
    std::optional<std::string> state = coordinator_->snapshot(checkpoint.value());
    if (!state) return;
    pb::FromTaskManager message;
    auto& acknowledge = *message.mutable_acknowledge_coordinator_checkpoint();
    *acknowledge.mutable_coordinator() = id();
    acknowledge.set_checkpoint_id(checkpoint.value());
    acknowledge.set_state(*std::move(state));
    WEIR_FAULT_POINT("coordinator.snapshot_before_ack");
    options_.sender->send(std::move(message));
  });
}

void CoordinatorHost::notify_checkpoint_complete(CheckpointId checkpoint) {
  post([this, checkpoint] {
    if (takes_part()) coordinator_->notify_checkpoint_complete(checkpoint.value());
  });
}

void CoordinatorHost::cancel() {
  cancelled_ = true;
  mailbox_.post([this] { end(); });
}

void CoordinatorHost::validate() {
  coordinator_ = make_hosted_coordinator(options_.build_graph(), options_.spec, cancelled_, gauges_,
                                         *options_.sender);
  pb::FromTaskManager message;
  pb::CoordinatorValidated& answer = *message.mutable_coordinator_validated();
  *answer.mutable_coordinator() = id();
  coordinator_->validate(answer);
  state_ = State::kValidated;
  options_.sender->send(std::move(message));
}

void CoordinatorHost::finish_recovery() {
  if (cancelled_) return;  // it may have given up: nothing is known to be recovered
  state_ = State::kRecovered;
  report_recovered(options_.spec.attempt.attempt);
}

void CoordinatorHost::report_recovered(int for_attempt) {
  if (cancelled_) return;
  WEIR_FAULT_POINT("coordinator.recovered_not_reported");
  pb::FromTaskManager message;
  *message.mutable_coordinator_recovered()->mutable_coordinator() = id();
  message.mutable_coordinator_recovered()->set_for_attempt(for_attempt);
  options_.sender->send(std::move(message));
}

void CoordinatorHost::tick() {
  if (state_ != State::kStarted) return;
  guard([this] { coordinator_->tick(); });
  if (state_ == State::kStarted) {
    mailbox_.post_after(coordinator_->tick_interval(), [this] { tick(); });
  }
}

void CoordinatorHost::end() {
  if (state_ == State::kEnded) return;
  state_ = State::kEnded;
  if (coordinator_ != nullptr) {
    if (const auto failure = run_user_code([this] { coordinator_->close(); })) {
      WEIR_LOG_WARN(log_context(), "coordinator of '{}': close failed: {}", options_.spec.uid,
                    failure->cause);
    }
    coordinator_.reset();
  }
  mailbox_.shutdown(Mailbox::Pending::kDrop);
  options_.on_ended();
}

void CoordinatorHost::post(absl::AnyInvocable<void()> call) {
  mailbox_.post([this, call = std::move(call)]() mutable { guard(std::move(call)); });
}

void CoordinatorHost::guard(absl::AnyInvocable<void()> call) {
  if (cancelled_ || state_ == State::kFailed || state_ == State::kEnded) return;
  if (const auto failure = run_user_code(call)) fail(*failure);
}

void CoordinatorHost::fail(const Failure& failure) {
  if (cancelled_) return;  // what a cancelled connector throws isn't a failure
  state_ = State::kFailed;
  WEIR_LOG_ERROR(log_context(), "coordinator of '{}' failed: {}", options_.spec.uid, failure.cause);
  pb::FromTaskManager message;
  pb::CoordinatorFailed& failed = *message.mutable_coordinator_failed();
  *failed.mutable_coordinator() = id();
  failed.set_cause(failure.cause);
  failed.set_fatal(failure.fatal);
  options_.sender->send(std::move(message));
}

pb::CoordinatorMetrics CoordinatorHost::metrics() const {
  pb::CoordinatorMetrics metrics;
  *metrics.mutable_coordinator() = id();
  for (const auto& [name, value] : gauges_.snapshot()) (*metrics.mutable_gauges())[name] = value;
  return metrics;
}

pb::CoordinatorId CoordinatorHost::id() const {
  pb::CoordinatorId id;
  id.set_job_id(options_.spec.attempt.job_id);
  id.set_attempt(options_.spec.attempt.attempt);
  id.set_uid(options_.spec.uid);
  return id;
}

LogContext CoordinatorHost::log_context() const {
  return {.job = JobId::parse(options_.spec.attempt.job_id),
          .attempt = Attempt(options_.spec.attempt.attempt),
          .checkpoint = std::nullopt,
          .subtask = std::nullopt};
}

}  // namespace weir
