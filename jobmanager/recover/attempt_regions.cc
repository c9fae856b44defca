// The part of the AttemptMachine that restarts some regions while the others go on.
#include <algorithm>
#include <utility>

#include "jobmanager/recover/attempt_machine.h"

namespace weir {

// What is kept of the attempts before goes on.
void AttemptMachine::begin_regions(AttemptDecisions& decisions) {
  unrecovered_.clear();
  for (const PlannedCoordinator& coordinator : plan_.coordinators()) {
    const bool concerned = std::any_of(restarted_.begin(), restarted_.end(), [&](TaskIndex task) {
      return task.vertex == coordinator.vertex;
    });
    if (concerned) unrecovered_.insert(coordinator.uid);
  }
  undeployed_ = restarted_;
  not_running_ = restarted_;
  for (TaskIndex task : plan_.source_tasks()) {
    if (restarted_.contains(task)) not_drained_.insert(task);
  }
  for (TaskIndex task : restarted_) attempts_[task] = attempt_;
  restart_due_ = false;
  const auto gone = static_cast<int32_t>(std::count(slots_.begin(), slots_.end(), ""));
  decisions.push_back(RequestSlots{gone});
  if (gone == 0) take(Signal::kSlotsAgain, decisions);
}

void AttemptMachine::cancel_tasks(AttemptDecisions& decisions) {
  decisions.push_back(StopCheckpoints{"a region of the job restarts", true});
  CancelTasksDecision cancel;
  unreleased_.clear();
  for (TaskIndex task : restarted_) {
    if (!deployed_.contains(task)) continue;
    cancel.tasks.push_back(task);
    unreleased_.insert(slots_[static_cast<size_t>(task.subtask)]);
  }
  if (!cancel.tasks.empty()) decisions.push_back(std::move(cancel));
  go_on(decisions);
}

std::set<TaskIndex> AttemptMachine::with_regions(const std::set<TaskIndex>& tasks) const {
  std::set<TaskIndex> all;
  for (const std::vector<TaskIndex>& region : plan_.regions()) {
    const bool concerned = std::any_of(region.begin(), region.end(),
                                       [&](TaskIndex task) { return tasks.contains(task); });
    if (concerned) all.insert(region.begin(), region.end());
  }
  return all;
}

bool AttemptMachine::can_restart_only(const std::set<TaskIndex>& tasks) const {
  return region_failover_ && coordinators_restart_subtasks_ && !next_plan_ && !tasks.empty() &&
         (step_ == AttemptStep::kRunning || only_regions_) && !slots_[0].empty() &&
         tasks.size() < plan_.tasks().size();
}

std::set<TaskIndex> AttemptMachine::tasks_on(const std::string& taskmanager) const {
  std::set<TaskIndex> tasks;
  for (TaskIndex task : plan_.tasks()) {
    const auto slot = static_cast<size_t>(task.subtask);
    if (slot < slots_.size() && slots_[slot] == taskmanager) tasks.insert(task);
  }
  return tasks;
}

Attempt AttemptMachine::attempt_of(TaskIndex task) const {
  const auto own = attempts_.find(task);
  return own == attempts_.end() ? coordinators_attempt_ : own->second;
}

std::set<Attempt> AttemptMachine::live_attempts() const {
  std::set<Attempt> attempts = {coordinators_attempt_};
  for (const auto& [task, attempt] : attempts_) attempts.insert(attempt);
  return attempts;
}

AttemptDecisions AttemptMachine::tasks_released(Attempt attempt, const std::string& taskmanager) {
  AttemptDecisions decisions;
  if (attempt != attempt_ || step_ != AttemptStep::kCanceling || !only_regions_) return decisions;
  unreleased_.erase(taskmanager);
  for (TaskIndex task : tasks_on(taskmanager)) {
    if (restarted_.contains(task)) deployed_.erase(task);
  }
  go_on(decisions);
  return decisions;
}

}  // namespace weir
