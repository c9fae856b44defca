#include "jobmanager/recover/attempt_machine.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace weir {

namespace {

constexpr std::chrono::milliseconds kFirstSettleBackoff{500};
constexpr std::chrono::milliseconds kMaxSettleBackoff{10'000};

}  // namespace

// Beside these, kFailure, kEndWanted and kRescaled lead from every active step to kCanceling.
const AttemptMachine::Transition AttemptMachine::kTransitions[] = {
    {AttemptStep::kNew, Signal::kStart, AttemptStep::kWaitingForSlots},
    {AttemptStep::kNew, Signal::kNothingLeft, AttemptStep::kDone},
    {AttemptStep::kWaitingForSlots, Signal::kSlots, AttemptStep::kValidating},
    {AttemptStep::kWaitingForSlots, Signal::kSlotsAgain, AttemptStep::kPersisting},
    {AttemptStep::kValidating, Signal::kAllValidated, AttemptStep::kClaiming},
    {AttemptStep::kClaiming, Signal::kResources, AttemptStep::kPersisting},
    {AttemptStep::kPersisting, Signal::kPersisted, AttemptStep::kRecovering},
    {AttemptStep::kRecovering, Signal::kAllRecovered, AttemptStep::kStarting},
    {AttemptStep::kRecovering, Signal::kSettled, AttemptStep::kCanceling},
    {AttemptStep::kStarting, Signal::kAllRunning, AttemptStep::kRunning},
    {AttemptStep::kRunning, Signal::kLastPublished, AttemptStep::kFinishing},
    {AttemptStep::kFinishing, Signal::kLastCommitted, AttemptStep::kCanceling},
    {AttemptStep::kCanceling, Signal::kReleased, AttemptStep::kWaitingToRestart},
    {AttemptStep::kCanceling, Signal::kRestart, AttemptStep::kWaitingForSlots},
    {AttemptStep::kCanceling, Signal::kNothingLeft, AttemptStep::kDone},
    {AttemptStep::kWaitingToRestart, Signal::kRestart, AttemptStep::kWaitingForSlots},
    {AttemptStep::kWaitingToRestart, Signal::kNothingLeft, AttemptStep::kDone},
};

AttemptMachine::AttemptMachine(JobPlan plan, History history, RestartStrategy& strategy)
    : plan_(std::move(plan)),
      strategy_(strategy),
      intent_(history.intent),
      attempt_(history.next_attempt),
      ever_ran_(history.ever_ran),
      region_failover_(history.region_failover) {}

void AttemptMachine::take(Signal signal, AttemptDecisions& decisions) {
  if (signal == Signal::kFailure || signal == Signal::kEndWanted || signal == Signal::kRescaled) {
    if (!live()) return;
    only_regions_ = false;
    enter(AttemptStep::kCanceling, decisions);
    return;
  }
  for (const Transition& transition : kTransitions) {
    if (transition.from == step_ && transition.signal == signal) {
      enter(transition.to, decisions);
      return;
    }
  }
}

void AttemptMachine::enter(AttemptStep step, AttemptDecisions& decisions) {
  step_ = step;
  switch (step) {
    case AttemptStep::kNew:
      break;
    case AttemptStep::kWaitingForSlots:
      only_regions_ ? begin_regions(decisions) : begin_attempt(decisions);
      break;
    case AttemptStep::kValidating:
      if (unvalidated_.empty()) return take(Signal::kAllValidated, decisions);
      decisions.push_back(DeployCoordinatorsDecision{coordinators_to_run()});
      break;
    case AttemptStep::kClaiming:
      decisions.push_back(ClaimResources{resources_});
      break;
    case AttemptStep::kPersisting:
      decisions.push_back(PersistAttempt{attempt_, generation_max_});
      break;
    case AttemptStep::kRecovering:
      ever_ran_ = true;
      decisions.push_back(RecoverCoordinatorsDecision{{unrecovered_.begin(), unrecovered_.end()}});
      if (!settling()) {
        deployed_.insert(undeployed_.begin(), undeployed_.end());
        decisions.push_back(DeployTasksDecision{{undeployed_.begin(), undeployed_.end()}});
      }
      check_recovered(decisions);
      break;
    case AttemptStep::kStarting:
      decisions.push_back(StartTasksDecision{});
      break;
    case AttemptStep::kRunning:
      decisions.push_back(StartCoordinatorsDecision{});
      decisions.push_back(StartCheckpoints{std::exchange(only_regions_, false)});
      if (not_drained_.empty()) decisions.push_back(TriggerFinalCheckpoint{});
      break;
    case AttemptStep::kFinishing:
      break;
    case AttemptStep::kCanceling:
      if (only_regions_) return cancel_tasks(decisions);
      decisions.push_back(StopCheckpoints{"the attempt ends"});
      if (participants_.empty()) {
        decisions.push_back(ReleaseSlots{});
      } else {
        decisions.push_back(CancelAttemptDecision{});
      }
      go_on(decisions);
      break;
    case AttemptStep::kWaitingToRestart:
      break;
    case AttemptStep::kDone:
      decisions.push_back(ReleaseSlots{});
      decisions.push_back(Terminated{intent_});
      break;
  }
}

void AttemptMachine::begin_attempt(AttemptDecisions& decisions) {
  if (next_plan_) plan_ = *std::exchange(next_plan_, std::nullopt);
  coordinators_attempt_ = attempt_;
  coordinators_restart_subtasks_ = true;
  slots_.clear();
  attempts_.clear();
  deployed_.clear();
  participants_.clear();
  const std::vector<std::string> coordinators = coordinators_to_run();
  unvalidated_ = {coordinators.begin(), coordinators.end()};
  unrecovered_ = unvalidated_;
  const std::vector<TaskIndex> tasks = plan_.tasks();
  undeployed_ = {tasks.begin(), tasks.end()};
  not_running_ = undeployed_;
  const std::vector<TaskIndex> source_tasks = plan_.source_tasks();
  not_drained_ = {source_tasks.begin(), source_tasks.end()};
  resources_.clear();
  generation_max_ = 0;
  restart_due_ = false;
  decisions.push_back(RequestSlots{settling() ? 0 : plan_.slots_needed()});
}

std::vector<std::string> AttemptMachine::coordinators_to_run() const {
  std::vector<std::string> uids;
  for (const PlannedCoordinator& coordinator : plan_.coordinators()) {
    if (!settling() || !coordinator.source) uids.push_back(coordinator.uid);
  }
  return uids;
}

bool AttemptMachine::active() const {
  return step_ != AttemptStep::kNew && step_ != AttemptStep::kCanceling &&
         step_ != AttemptStep::kWaitingToRestart && step_ != AttemptStep::kDone;
}

bool AttemptMachine::nothing_to_settle() const {
  return settled_ || !ever_ran_ ||
         std::none_of(plan_.coordinators().begin(), plan_.coordinators().end(),
                      [](const PlannedCoordinator& coordinator) { return !coordinator.source; });
}

AttemptDecisions AttemptMachine::start() {
  AttemptDecisions decisions;
  take(settling() && nothing_to_settle() ? Signal::kNothingLeft : Signal::kStart, decisions);
  return decisions;
}

AttemptDecisions AttemptMachine::slots_granted(const std::vector<std::string>& taskmanagers) {
  AttemptDecisions decisions;
  if (step_ != AttemptStep::kWaitingForSlots) return decisions;
  participants_.insert(taskmanagers.begin(), taskmanagers.end());
  if (!only_regions_) {
    slots_ = taskmanagers;
    take(Signal::kSlots, decisions);
    return decisions;
  }
  auto next = taskmanagers.begin();
  for (std::string& slot : slots_) {
    if (slot.empty() && next != taskmanagers.end()) slot = *next++;
  }
  take(Signal::kSlotsAgain, decisions);
  return decisions;
}

AttemptDecisions AttemptMachine::slots_refused(const std::string& cause, MonotonicTime now) {
  AttemptDecisions decisions;
  if (step_ == AttemptStep::kWaitingForSlots) fail({"scheduler", cause, false}, {}, now, decisions);
  return decisions;
}

AttemptDecisions AttemptMachine::coordinator_validated(Attempt attempt, const std::string& uid,
                                                       std::vector<std::string> resources,
                                                       uint64_t generation_max,
                                                       bool restarts_subtasks) {
  AttemptDecisions decisions;
  if (!current(attempt) || unvalidated_.erase(uid) == 0) return decisions;
  coordinators_restart_subtasks_ &= restarts_subtasks;
  resources_.insert(resources_.end(), resources.begin(), resources.end());
  generation_max_ = std::max(generation_max_, generation_max);
  if (unvalidated_.empty()) take(Signal::kAllValidated, decisions);
  return decisions;
}

AttemptDecisions AttemptMachine::resources_granted() {
  AttemptDecisions decisions;
  take(Signal::kResources, decisions);
  return decisions;
}

AttemptDecisions AttemptMachine::resources_refused(const std::string& cause, MonotonicTime now) {
  AttemptDecisions decisions;
  if (step_ == AttemptStep::kClaiming) fail({"dispatcher", cause, true}, {}, now, decisions);
  return decisions;
}

AttemptDecisions AttemptMachine::attempt_persisted(Attempt attempt) {
  AttemptDecisions decisions;
  if (current(attempt)) take(Signal::kPersisted, decisions);
  return decisions;
}

AttemptDecisions AttemptMachine::coordinator_resolved(Attempt attempt, const std::string& uid,
                                                      std::string state) {
  AttemptDecisions decisions;
  if (current(attempt) && unrecovered_.contains(uid)) {
    decisions.push_back(PersistResolved{uid, std::move(state)});
  }
  return decisions;
}

AttemptDecisions AttemptMachine::resolved_durable(Attempt attempt, const std::string& uid) {
  AttemptDecisions decisions;
  if (current(attempt)) decisions.push_back(AcknowledgeResolved{uid});
  return decisions;
}

AttemptDecisions AttemptMachine::coordinator_recovered(Attempt attempt, const std::string& uid) {
  AttemptDecisions decisions;
  if (!current(attempt) || unrecovered_.erase(uid) == 0) return decisions;
  check_recovered(decisions);
  return decisions;
}

AttemptDecisions AttemptMachine::task_deployed(Attempt attempt, TaskIndex task) {
  AttemptDecisions decisions;
  if (attempt != attempt_of(task) || !current(attempt_) || undeployed_.erase(task) == 0) {
    return decisions;
  }
  check_recovered(decisions);
  return decisions;
}

void AttemptMachine::check_recovered(AttemptDecisions& decisions) {
  if (!unrecovered_.empty()) return;
  if (settling()) {
    if (step_ == AttemptStep::kRecovering) settled_ = true;
    take(Signal::kSettled, decisions);
  } else if (undeployed_.empty()) {
    take(Signal::kAllRecovered, decisions);
  }
}

AttemptDecisions AttemptMachine::task_running(Attempt attempt, TaskIndex task) {
  AttemptDecisions decisions;
  if (attempt != attempt_of(task) || !current(attempt_) || not_running_.erase(task) == 0) {
    return decisions;
  }
  if (not_running_.empty()) take(Signal::kAllRunning, decisions);
  return decisions;
}

AttemptDecisions AttemptMachine::task_drained(Attempt attempt, TaskIndex task) {
  AttemptDecisions decisions;
  // A task that goes on while others restart may come to its end.
  if (attempt != attempt_of(task) || !live() || (!active() && restarts(task))) return decisions;
  const bool input_ended = not_drained_.erase(task) > 0 && not_drained_.empty();
  if (not_running_.erase(task) > 0 && not_running_.empty()) {
    take(Signal::kAllRunning, decisions);
  } else if (input_ended && step_ == AttemptStep::kRunning) {
    decisions.push_back(TriggerFinalCheckpoint{});
  }
  return decisions;
}

AttemptDecisions AttemptMachine::task_failed(Attempt attempt, TaskIndex task,
                                             const AttemptFailure& failure, MonotonicTime now) {
  AttemptDecisions decisions;
  // What is being cancelled may fail.
  if (attempt != attempt_of(task) || !live() || (!active() && restarts(task))) return decisions;
  fail(failure, {task}, now, decisions);
  return decisions;
}

AttemptDecisions AttemptMachine::coordinator_failed(Attempt attempt, const AttemptFailure& failure,
                                                    MonotonicTime now) {
  AttemptDecisions decisions;
  if (attempt == coordinators_attempt_ && live()) fail(failure, {}, now, decisions);
  return decisions;
}

AttemptDecisions AttemptMachine::failed(Attempt attempt, const AttemptFailure& failure,
                                        MonotonicTime now) {
  AttemptDecisions decisions;
  if (attempt == attempt_ && live()) fail(failure, {}, now, decisions);
  return decisions;
}

void AttemptMachine::fail(const AttemptFailure& failure, const std::set<TaskIndex>& tasks,
                          MonotonicTime now, AttemptDecisions& decisions) {
  std::optional<std::chrono::milliseconds> restart_delay;
  if (!settling() && !intent_wanted_ && !failure.fatal) restart_delay = strategy_.on_failure(now);
  decisions.push_back(RecordFault{failure.where, failure.cause, restart_delay.has_value()});
  if (settling()) {
    if (failure.fatal) {
      settled_ = true;  // it can't be, whoever tries
      intent_ = JobIntent::kFail;
    } else {
      const auto backoff = kFirstSettleBackoff * (1 << std::min(settle_failures_++, 5));
      decisions.push_back(ScheduleRestart{std::min(backoff, kMaxSettleBackoff)});
    }
  } else if (intent_wanted_) {
    // The end is on its way already.
  } else if (!restart_delay) {
    want(JobIntent::kFail, decisions);
  } else if (restart_delay->count() == 0) {
    restart_due_ = true;
  } else {
    restart_due_ = false;
    decisions.push_back(ScheduleRestart{*restart_delay});
  }
  std::set<TaskIndex> restarted = with_regions(tasks);
  if (only_regions_ && !tasks.empty()) restarted.insert(restarted_.begin(), restarted_.end());
  if (!restart_delay || !can_restart_only(restarted)) return take(Signal::kFailure, decisions);
  // What is asked of TaskManagers from now on is told from what was asked before.
  if (only_regions_) ++attempt_;
  only_regions_ = true;
  restarted_ = std::move(restarted);
  enter(AttemptStep::kCanceling, decisions);
}

AttemptDecisions AttemptMachine::taskmanager_lost(const std::string& taskmanager,
                                                  const std::string& cause, MonotonicTime now) {
  AttemptDecisions decisions;
  if (participants_.erase(taskmanager) == 0) return decisions;
  const std::set<TaskIndex> tasks = tasks_on(taskmanager);
  for (TaskIndex task : tasks) deployed_.erase(task);
  std::replace(slots_.begin(), slots_.end(), taskmanager, std::string());
  unreleased_.erase(taskmanager);
  const bool known = only_regions_ && !active() && !slots_[0].empty() &&
                     std::all_of(tasks.begin(), tasks.end(),
                                 [&](TaskIndex task) { return restarted_.contains(task); });
  if (live() && !known) {
    fail({absl::StrCat("TaskManager ", taskmanager), cause, false}, tasks, now, decisions);
  } else {
    go_on(decisions);
  }
  return decisions;
}

AttemptDecisions AttemptMachine::lost_while_settling(const std::string& where,
                                                     const std::string& cause) {
  AttemptDecisions decisions;
  if (step_ == AttemptStep::kDone) return decisions;
  intent_ = JobIntent::kFail;
  decisions.push_back(RecordFault{where, cause});
  return decisions;
}

AttemptDecisions AttemptMachine::attempt_released(Attempt attempt, const std::string& taskmanager) {
  AttemptDecisions decisions;
  if (attempt != attempt_ || step_ != AttemptStep::kCanceling) return decisions;
  if (only_regions_) return decisions;
  participants_.erase(taskmanager);
  go_on(decisions);
  return decisions;
}

AttemptDecisions AttemptMachine::release_timed_out(Attempt attempt) {
  AttemptDecisions decisions;
  if (attempt != attempt_ || step_ != AttemptStep::kCanceling) return decisions;
  if (only_regions_) {  // a task that doesn't end: its slot can't be had for the next one
    take(Signal::kFailure, decisions);
    return decisions;
  }
  participants_.clear();
  go_on(decisions);
  return decisions;
}

AttemptDecisions AttemptMachine::restart_due(Attempt attempt) {
  AttemptDecisions decisions;
  if (attempt != attempt_) return decisions;
  restart_due_ = true;
  go_on(decisions);
  return decisions;
}

void AttemptMachine::go_on(AttemptDecisions& decisions) {
  if (step_ != AttemptStep::kCanceling && step_ != AttemptStep::kWaitingToRestart) return;
  if (only_regions_ ? !unreleased_.empty() : !participants_.empty()) return;
  const bool settle_next = settling() && (settle_failures_ == 0 || restart_due_);
  if (intent_wanted_) return;
  if (settling() && nothing_to_settle()) {
    take(Signal::kNothingLeft, decisions);
  } else if (settle_next || (!settling() && restart_due_)) {
    ++attempt_;
    take(Signal::kRestart, decisions);
  } else {
    take(Signal::kReleased, decisions);
  }
}

AttemptDecisions AttemptMachine::rescaled(JobPlan plan) {
  AttemptDecisions decisions;
  next_plan_ = std::move(plan);
  if (!live() || settling()) return decisions;
  restart_due_ = true;
  take(Signal::kRescaled, decisions);
  return decisions;
}

void AttemptMachine::want(JobIntent intent, AttemptDecisions& decisions) {
  intent_wanted_ = intent;
  decisions.push_back(PersistIntent{intent});
}

AttemptDecisions AttemptMachine::cancel_requested() {
  AttemptDecisions decisions;
  if (step_ != AttemptStep::kDone && intent_ == JobIntent::kRun && !intent_wanted_) {
    want(JobIntent::kCancel, decisions);
  }
  return decisions;
}

AttemptDecisions AttemptMachine::intent_persisted(JobIntent intent) {
  AttemptDecisions decisions;
  if (!intent_wanted_) return decisions;
  intent_wanted_.reset();
  intent_ = intent;
  if (step_ == AttemptStep::kFinishing) return decisions;  // the last checkpoint came before it
  take(Signal::kEndWanted, decisions);
  go_on(decisions);
  return decisions;
}

AttemptDecisions AttemptMachine::final_checkpoint_published(Attempt attempt) {
  AttemptDecisions decisions;
  if (step_ == AttemptStep::kDone) return decisions;
  intent_ = JobIntent::kFinish;
  // If its attempt has failed meanwhile, the one that was to follow only settles.
  const bool running = attempt == attempt_ && step_ == AttemptStep::kRunning;
  take(running ? Signal::kLastPublished : Signal::kEndWanted, decisions);
  go_on(decisions);
  return decisions;
}

AttemptDecisions AttemptMachine::final_commits_known(Attempt attempt) {
  AttemptDecisions decisions;
  if (attempt != attempt_ || step_ != AttemptStep::kFinishing) return decisions;
  settled_ = true;
  take(Signal::kLastCommitted, decisions);
  return decisions;
}

}  // namespace weir
