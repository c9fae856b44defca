#include "taskmanager/task/task_reporter.h"

#include <utility>

#include "proto/control.pb.h"

namespace weir {

pb::TaskId TaskReporter::id() const {
  pb::TaskId id;
  id.set_job_id(spec_.attempt.job_id);
  id.set_attempt(spec_.attempt.attempt);
  id.set_vertex(spec_.vertex);
  id.set_subtask(spec_.subtask);
  return id;
}

namespace {

pb::TaskStateChanged::State to_proto(TaskState state) {
  switch (state) {
    case TaskState::kRunning:
      return pb::TaskStateChanged::RUNNING;
    case TaskState::kDrained:
      return pb::TaskStateChanged::DRAINED;
    case TaskState::kCanceled:
      return pb::TaskStateChanged::CANCELED;
    case TaskState::kFailed:
      return pb::TaskStateChanged::FAILED;
    default:
      return pb::TaskStateChanged::DEPLOYED;
  }
}

}  // namespace

void TaskReporter::state_changed(TaskState state, const Failure& failure,
                                 const pb::TaskMetrics& metrics) {
  pb::FromTaskManager message;
  pb::TaskStateChanged& changed = *message.mutable_task_state_changed();
  *changed.mutable_task() = id();
  changed.set_state(to_proto(state));
  changed.set_cause(failure.cause);
  changed.set_fatal(failure.fatal);
  if (state == TaskState::kDrained || is_terminal(state)) *changed.mutable_metrics() = metrics;
  if (state == TaskState::kFailed) {
    WEIR_LOG_ERROR(log_context(), "{} FAILED: {}", spec_.name, failure.cause);
  } else {
    WEIR_LOG_INFO(log_context(), "{} {}", spec_.name, to_string(state));
  }
  sender_.send(std::move(message));
}

void TaskReporter::acknowledge(pb::AcknowledgeCheckpoint acknowledge) {
  pb::FromTaskManager message;
  *acknowledge.mutable_task() = id();
  *message.mutable_acknowledge_checkpoint() = std::move(acknowledge);
  sender_.send(std::move(message));
}

void TaskReporter::decline(CheckpointId checkpoint, const std::string& cause) {
  pb::FromTaskManager message;
  pb::DeclineCheckpoint& declined = *message.mutable_decline_checkpoint();
  *declined.mutable_task() = id();
  declined.set_checkpoint_id(checkpoint.value());
  declined.set_cause(cause);
  sender_.send(std::move(message));
}

LogContext TaskReporter::log_context() const {
  return {.job = JobId::parse(spec_.attempt.job_id),
          .attempt = Attempt(spec_.attempt.attempt),
          .checkpoint = std::nullopt,
          .subtask = SubtaskIndex(spec_.subtask)};
}

}  // namespace weir
