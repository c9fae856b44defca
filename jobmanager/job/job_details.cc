// The part of the JobController that clients look at.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "jobmanager/job/job_controller.h"

namespace weir {

namespace {

const char* name_of(pb::TaskStateChanged::State state) {
  switch (state) {
    case pb::TaskStateChanged::DEPLOYED:
      return "INITIALIZING";
    case pb::TaskStateChanged::RUNNING:
      return "RUNNING";
    case pb::TaskStateChanged::DRAINED:
      return "RUNNING";  // it takes part in checkpoints until the job finishes
    case pb::TaskStateChanged::CANCELED:
      return "CANCELED";
    case pb::TaskStateChanged::FAILED:
      return "FAILED";
    default:
      return "CREATED";
  }
}

void copy_figures(const pb::TaskMetrics& task, pb::SubtaskDetails& subtask) {
  subtask.set_records_in(task.records_in());
  subtask.set_records_out(task.records_out());
  subtask.set_bytes_in(task.bytes_in());
  subtask.set_bytes_out(task.bytes_out());
  subtask.set_busy_ms(task.busy_ms());
  subtask.set_idle_ms(task.idle_ms());
  subtask.set_backpressured_ms(task.backpressured_ms());
  *subtask.mutable_gauges() = task.gauges();
}

void add_figures(const pb::SubtaskDetails& subtask, pb::VertexDetails& vertex) {
  vertex.set_records_in(vertex.records_in() + subtask.records_in());
  vertex.set_records_out(vertex.records_out() + subtask.records_out());
  vertex.set_bytes_in(vertex.bytes_in() + subtask.bytes_in());
  vertex.set_bytes_out(vertex.bytes_out() + subtask.bytes_out());
  vertex.set_busy_ms(vertex.busy_ms() + subtask.busy_ms());
  vertex.set_idle_ms(vertex.idle_ms() + subtask.idle_ms());
  vertex.set_backpressured_ms(vertex.backpressured_ms() + subtask.backpressured_ms());
  for (const auto& [name, value] : subtask.gauges()) (*vertex.mutable_gauges())[name] += value;
}

pb::JobStatus status_of_record(const pb::JobRecord& record) {
  pb::JobStatus status;
  status.set_job_id(record.job_id());
  status.set_name(record.graph().name());
  status.set_state(record.state());
  status.set_attempt(record.attempt());
  status.set_start_time_ms(record.start_time_ms());
  status.set_end_time_ms(record.end_time_ms());
  if (record.has_first_fault()) *status.mutable_first_fault() = record.first_fault();
  if (record.has_last_fault()) *status.mutable_last_fault() = record.last_fault();
  return status;
}

pb::JobDetails frame(const pb::JobRecord& record, const JobPlan& plan) {
  pb::JobDetails details;
  for (const JobVertex& vertex : plan.vertices()) {
    pb::VertexDetails* shown = details.add_vertices();
    shown->set_id(vertex.id);
    shown->set_name(vertex.name);
    shown->set_parallelism(vertex.parallelism);
    shown->set_max_parallelism(record.max_parallelism());
    for (int32_t number : vertex.inputs) {
      const JobEdge& edge = plan.edges()[number];
      pb::VertexInput* input = shown->add_inputs();
      input->set_vertex_id(plan.vertices()[edge.from_vertex].id);
      input->set_ship_strategy(pb::JobGraph::Partitioning_Name(edge.partitioning));
    }
  }
  if (record.checkpoints_size() > 0) {
    *details.mutable_recovery_point() = record.checkpoints(record.checkpoints_size() - 1);
  }
  details.set_generation(record.generation());
  details.set_restarts(record.restarts());
  *details.mutable_accepted_losses() = record.accepted_losses();
  return details;
}

}  // namespace

pb::JobDetails details_of(const pb::JobRecord& record, const JobPlan& plan) {
  pb::JobDetails details = frame(record, plan);
  *details.mutable_status() = status_of_record(record);
  details.mutable_status()->set_tasks_total(static_cast<int32_t>(plan.tasks().size()));
  (*details.mutable_state_times_ms())[record.state()] = record.end_time_ms();
  return details;
}

pb::JobStatus JobController::status() const {
  pb::JobStatus status = status_of_record(record_);
  status.set_state(terminated_ ? record_.state() : shown_state_);
  status.set_attempt(machine_.attempt().value());
  status.set_tasks_total(static_cast<int32_t>(plan().tasks().size()));
  status.set_tasks_running(static_cast<int32_t>(
      std::count_if(task_states_.begin(), task_states_.end(), [](const auto& task) {
        return task.second == pb::TaskStateChanged::RUNNING ||
               task.second == pb::TaskStateChanged::DRAINED;
      })));
  const std::string waiting_for = machine_.waiting_for();
  const bool both = !waiting_for.empty() && !age_warning_.empty();
  status.set_detail(absl::StrCat(waiting_for, both ? "; " : "", age_warning_));
  return status;
}

void JobController::show_subtask(TaskIndex task, bool finished, pb::VertexDetails& vertex) const {
  const auto state = task_states_.find(task);
  const char* shown = state == task_states_.end() ? "CREATED" : name_of(state->second);
  if (finished) shown = "FINISHED";
  vertex.set_start_time_ms(attempt_start_ms_);
  ++(*vertex.mutable_tasks_by_state())[shown];
  pb::SubtaskDetails* subtask = vertex.add_subtasks();
  subtask->set_subtask(task.subtask);
  subtask->set_state(shown);
  subtask->set_attempt(machine_.attempt_of(task).value());
  subtask->set_start_time_ms(attempt_start_ms_);
  if (static_cast<size_t>(task.subtask) < attempt_.slots.size()) {
    subtask->set_taskmanager_id(attempt_.slots[static_cast<size_t>(task.subtask)].taskmanager);
  }
  const auto metrics = metrics_.find(task);
  if (metrics == metrics_.end()) return;
  copy_figures(metrics->second.totals, *subtask);
  if (const auto& rates = metrics->second.rates) *subtask->mutable_rates() = *rates;
  add_figures(*subtask, vertex);
}

pb::JobDetails JobController::details() const {
  pb::JobDetails details = frame(record_, plan());
  *details.mutable_status() = status();
  const bool ended = terminated_ || machine_.step() == AttemptStep::kDone;
  const bool finished = ended && details.status().state() == "FINISHED";
  for (TaskIndex task : plan().tasks()) {
    show_subtask(task, finished, *details.mutable_vertices(task.vertex));
  }
  for (const auto& [uid, metrics] : coordinator_metrics_) {
    const int32_t vertex = plan().vertex_of(uid);
    if (vertex < 0) continue;
    details.mutable_vertices(vertex)->mutable_coordinator_gauges()->insert(metrics.gauges().begin(),
                                                                           metrics.gauges().end());
  }
  *details.mutable_checkpoint_counts() = counts_;
  for (auto entry = history_.rbegin(); entry != history_.rend(); ++entry) {
    *details.add_checkpoints() = entry->status;
  }
  for (const auto& [key, value] : options_.config.shown_values()) {
    (*details.mutable_configuration())[key] = value;
  }
  for (const auto& [state, time] : state_times_ms_) {
    (*details.mutable_state_times_ms())[state] = time;
  }
  if (attempt_.restored) {
    details.mutable_restored()->set_checkpoint_id(attempt_.restored->checkpoint_id());
    details.mutable_restored()->set_savepoint(attempt_.restored->savepoint());
    details.set_restored_time_ms(attempt_start_ms_);
  }
  if (const auto oldest = oldest_prepared(); oldest && transaction_age_.timeout()) {
    details.set_transaction_oldest_prepared_age_ms(wall_ms() - oldest->since_ms);
  }
  details.set_transaction_timeout_ms(
      transaction_age_.timeout().value_or(std::chrono::milliseconds(0)).count());
  return details;
}

void JobController::watch(std::function<bool(const pb::JobStatus&)> watcher) {
  const bool goes_on = watcher(status());
  if (goes_on && !terminated_) watchers_.push_back(std::move(watcher));
}

void JobController::state_may_have_changed() {
  // The terminal state shows only when it is durable.
  if (machine_.step() != AttemptStep::kDone) {
    shown_state_ = std::string(machine_.job_state());
  } else if (terminated_) {
    shown_state_ = record_.state();
  }
  const std::string detail =
      absl::StrCat(shown_state_, "/", machine_.attempt().value(), "/", machine_.waiting_for(), "/",
                   terminated_, "/", age_warning_);
  if (detail == shown_detail_) return;
  shown_detail_ = detail;
  if (!state_times_ms_.contains(shown_state_) || shown_state_ == "RUNNING") {
    state_times_ms_[shown_state_] = wall_ms();
  }
  const pb::JobStatus current = status();
  std::erase_if(watchers_, [&](const auto& watcher) { return !watcher(current); });
  if (terminated_) watchers_.clear();
}

}  // namespace weir
