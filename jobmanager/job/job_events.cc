// The part of the JobController that takes in what TaskManagers say.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "jobmanager/job/job_controller.h"
#include "jobmanager/job/task_rates.h"

namespace weir {
namespace {

void describe_alignment(const pb::AcknowledgeCheckpoint& ack, pb::CheckpointStatus& status) {
  status.set_unaligned(status.unaligned() || ack.unaligned());
  status.set_alignment_duration_ms(
      std::max(status.alignment_duration_ms(), ack.alignment_duration_us() / 1000));
  status.set_processed_bytes(status.processed_bytes() + ack.processed_bytes());
  status.set_persisted_bytes(status.persisted_bytes() + ack.persisted_bytes());
}

}  // namespace

void JobController::on_message(const std::string& taskmanager, const pb::FromTaskManager& message) {
  switch (message.message_case()) {
    case pb::FromTaskManager::kCoordinatorValidated: {
      const auto& validated = message.coordinator_validated();
      transaction_age_.set_timeout(validated.coordinator().uid(),
                                   std::chrono::milliseconds(validated.transaction_timeout_ms()));
      check_transaction_age();
      return execute(machine_.coordinator_validated(
          Attempt(validated.coordinator().attempt()), validated.coordinator().uid(),
          {validated.exclusive_resources().begin(), validated.exclusive_resources().end()},
          validated.generation_max(), validated.restarts_subtasks()));
    }
    case pb::FromTaskManager::kCoordinatorResolved: {
      const auto& resolved = message.coordinator_resolved();
      return execute(machine_.coordinator_resolved(Attempt(resolved.coordinator().attempt()),
                                                   resolved.coordinator().uid(), resolved.state()));
    }
    case pb::FromTaskManager::kCoordinatorRecovered: {
      const auto& recovered = message.coordinator_recovered();
      return execute(machine_.coordinator_recovered(Attempt(recovered.for_attempt()),
                                                    recovered.coordinator().uid()));
    }
    case pb::FromTaskManager::kCoordinatorFailed: {
      const auto& failed = message.coordinator_failed();
      return execute(machine_.coordinator_failed(
          Attempt(failed.coordinator().attempt()),
          {absl::StrCat("coordinator of ", failed.coordinator().uid(), " on ", taskmanager),
           failed.cause(), failed.fatal()},
          now()));
    }
    case pb::FromTaskManager::kTaskStateChanged:
      return on_task_state(taskmanager, message.task_state_changed());
    case pb::FromTaskManager::kAcknowledgeCheckpoint: {
      const auto& ack = message.acknowledge_checkpoint();
      if (!is_current(ack.task())) return;
      const CheckpointId id(ack.checkpoint_id());
      const size_t missing = checkpoints_.tasks_missing(id).size();
      CheckpointDecisions decisions = checkpoints_.on_task_acknowledged(
          machine_.attempt(), {ack.task().vertex(), ack.task().subtask()}, id,
          {ack.operators().begin(), ack.operators().end()}, now());
      if (auto* entry = history_of(id); entry && missing > 0) {
        entry->status.set_subtasks_acknowledged(
            entry->status.subtasks_total() -
            static_cast<int32_t>(checkpoints_.tasks_missing(id).size()));
        entry->status.set_latest_acknowledgement_ms(wall_ms());
        describe_alignment(ack, entry->status);
      }
      return execute(std::move(decisions));
    }
    case pb::FromTaskManager::kAcknowledgeCoordinatorCheckpoint: {
      const auto& ack = message.acknowledge_coordinator_checkpoint();
      if (Attempt(ack.coordinator().attempt()) != attempt_.coordinators) return;
      return execute(checkpoints_.on_coordinator_acknowledged(
          machine_.attempt(), ack.coordinator().uid(), CheckpointId(ack.checkpoint_id()),
          ack.state(), now()));
    }
    case pb::FromTaskManager::kDeclineCheckpoint: {
      const auto& decline = message.decline_checkpoint();
      if (!is_current(decline.task())) return;
      const TaskIndex task{decline.task().vertex(), decline.task().subtask()};
      return execute(checkpoints_.on_declined(
          machine_.attempt(), task, CheckpointId(decline.checkpoint_id()),
          absl::StrCat("declined by ", plan().task_name(task), ": ", decline.cause()), now()));
    }
    case pb::FromTaskManager::kCommitReported:
      return on_commit(message.commit_reported());
    case pb::FromTaskManager::kSourceEvent:
      return route(message.source_event());
    case pb::FromTaskManager::kAttemptReleased: {
      const Attempt attempt(message.attempt_released().attempt());
      environment_.services.release_slots(job_id_, attempt, taskmanager);
      return execute(machine_.attempt_released(attempt, taskmanager));
    }
    case pb::FromTaskManager::kTasksReleased:
      return execute(
          machine_.tasks_released(Attempt(message.tasks_released().attempt()), taskmanager));
    default:
      return;
  }
}

void JobController::on_task_state(const std::string& taskmanager,
                                  const pb::TaskStateChanged& change) {
  if (!is_current(change.task())) return;
  const Attempt attempt(change.task().attempt());
  const TaskIndex task{change.task().vertex(), change.task().subtask()};
  // A reader fails when the task that it reads was cancelled before it.
  const bool cancelled =
      change.state() == pb::TaskStateChanged::FAILED && machine_.step() == AttemptStep::kCanceling;
  task_states_[task] = cancelled ? pb::TaskStateChanged::CANCELED : change.state();
  if (change.has_metrics()) on_metrics(change.metrics());
  switch (change.state()) {
    case pb::TaskStateChanged::DEPLOYED:
      return execute(machine_.task_deployed(attempt, task));
    case pb::TaskStateChanged::RUNNING:
      return execute(machine_.task_running(attempt, task));
    case pb::TaskStateChanged::DRAINED:
      return execute(machine_.task_drained(attempt, task));
    case pb::TaskStateChanged::FAILED:
      return execute(
          machine_.task_failed(attempt, task,
                               {absl::StrCat(plan().task_name(task), " on ", taskmanager),
                                change.cause(), change.fatal()},
                               now()));
    default:
      return state_may_have_changed();
  }
}

bool JobController::is_current(const pb::TaskId& task) const {
  return Attempt(task.attempt()) == machine_.attempt_of({task.vertex(), task.subtask()});
}

// The reader may be of a younger attempt than its coordinator. While it begins anew neither hears
// the other: the coordinator tells the reader everything once more when it runs.
void JobController::route(const pb::SourceEvent& event) {
  const int32_t subtask = event.subtask();
  if (subtask < 0 || subtask >= static_cast<int32_t>(attempt_.slots.size())) return;
  const TaskIndex reader{plan().vertex_of(event.coordinator().uid()), subtask};
  if (machine_.only_regions() && machine_.restarts(reader)) return;
  const bool to_coordinator = event.event_case() == pb::SourceEvent::kToCoordinator;
  const Attempt reader_attempt = machine_.attempt_of(reader);
  const Attempt from = to_coordinator ? reader_attempt : attempt_.coordinators;
  if (Attempt(event.coordinator().attempt()) != from) return;
  const Attempt to = to_coordinator ? attempt_.coordinators : reader_attempt;
  pb::ToTaskManager message;
  *message.mutable_source_event() = event;
  message.mutable_source_event()->mutable_coordinator()->set_attempt(to.value());
  send(attempt_.slots[to_coordinator ? 0 : subtask].taskmanager, std::move(message));
}

void JobController::on_metrics(const pb::TaskMetrics& metrics) {
  if (!is_current(metrics.task())) return;
  TaskFigures& figures = metrics_[{metrics.task().vertex(), metrics.task().subtask()}];
  if (auto rates = rates_between(figures.totals, metrics)) figures.rates = std::move(rates);
  figures.totals = metrics;
}

void JobController::on_metrics(const pb::CoordinatorMetrics& metrics) {
  if (Attempt(metrics.coordinator().attempt()) != attempt_.coordinators) return;
  coordinator_metrics_[metrics.coordinator().uid()] = metrics;
}

}  // namespace weir
