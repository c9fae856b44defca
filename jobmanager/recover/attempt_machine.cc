#include "jobmanager/recover/attempt_machine.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

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

std::string_view to_string(AttemptStep step) {
  switch (step) {
    case AttemptStep::kNew:
      return "new";
    case AttemptStep::kWaitingForSlots:
      return "waiting for slots";
    case AttemptStep::kValidating:
      return "validating";
    case AttemptStep::kClaiming:
      return "claiming resources";
    case AttemptStep::kPersisting:
      return "persisting the attempt";
    case AttemptStep::kRecovering:
      return "recovering";
    case AttemptStep::kStarting:
      return "starting";
    case AttemptStep::kRunning:
      return "running";
    case AttemptStep::kFinishing:
      return "finishing";
    case AttemptStep::kCanceling:
      return "canceling";
    case AttemptStep::kWaitingToRestart:
      return "waiting to restart";
    case AttemptStep::kDone:
      return "done";
  }
  return "?";
}

AttemptMachine::AttemptMachine(JobPlan plan, History history, RestartStrategy& strategy)
    : plan_(std::move(plan)),
      strategy_(strategy),
      intent_(history.intent),
      attempt_(history.next_attempt),
      ever_ran_(history.ever_ran) {}

void AttemptMachine::take(Signal signal, AttemptDecisions& decisions) {
  if (signal == Signal::kFailure || signal == Signal::kEndWanted || signal == Signal::kRescaled) {
    if (active()) enter(AttemptStep::kCanceling, decisions);
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
      begin_attempt(decisions);
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
      decisions.push_back(RecoverCoordinatorsDecision{coordinators_to_run()});
      if (!settling()) decisions.push_back(DeployTasksDecision{});
      check_recovered(decisions);
      break;
    case AttemptStep::kStarting:
      decisions.push_back(StartTasksDecision{});
      break;
    case AttemptStep::kRunning:
      decisions.push_back(StartCoordinatorsDecision{});
      decisions.push_back(StartCheckpoints{});
      if (not_drained_.empty()) decisions.push_back(TriggerFinalCheckpoint{});
      break;
    case AttemptStep::kFinishing:
      break;
    case AttemptStep::kCanceling:
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

AttemptDecisions AttemptMachine::slots_granted(std::set<std::string> taskmanagers) {
  AttemptDecisions decisions;
  if (step_ != AttemptStep::kWaitingForSlots) return decisions;
  participants_ = std::move(taskmanagers);
  take(Signal::kSlots, decisions);
  return decisions;
}

AttemptDecisions AttemptMachine::slots_refused(const std::string& cause, MonotonicTime now) {
  AttemptDecisions decisions;
  if (step_ == AttemptStep::kWaitingForSlots) fail({"scheduler", cause, false}, now, decisions);
  return decisions;
}

AttemptDecisions AttemptMachine::coordinator_validated(Attempt attempt, const std::string& uid,
                                                       std::vector<std::string> resources,
                                                       uint64_t generation_max) {
  AttemptDecisions decisions;
  if (!current(attempt) || unvalidated_.erase(uid) == 0) return decisions;
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
  if (step_ == AttemptStep::kClaiming) fail({"dispatcher", cause, true}, now, decisions);
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
  if (!current(attempt) || undeployed_.erase(task) == 0) return decisions;
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
  if (!current(attempt) || not_running_.erase(task) == 0) return decisions;
  if (not_running_.empty()) take(Signal::kAllRunning, decisions);
  return decisions;
}

AttemptDecisions AttemptMachine::task_drained(Attempt attempt, TaskIndex task) {
  AttemptDecisions decisions;
  if (!current(attempt)) return decisions;
  const bool input_ended = not_drained_.erase(task) > 0 && not_drained_.empty();
  if (not_running_.erase(task) > 0 && not_running_.empty()) {
    take(Signal::kAllRunning, decisions);
  } else if (input_ended && step_ == AttemptStep::kRunning) {
    decisions.push_back(TriggerFinalCheckpoint{});
  }
  return decisions;
}

AttemptDecisions AttemptMachine::failed(Attempt attempt, const AttemptFailure& failure,
                                        MonotonicTime now) {
  AttemptDecisions decisions;
  if (current(attempt)) fail(failure, now, decisions);
  return decisions;
}

void AttemptMachine::fail(const AttemptFailure& failure, MonotonicTime now,
                          AttemptDecisions& decisions) {
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
    decisions.push_back(ScheduleRestart{*restart_delay});
  }
  take(Signal::kFailure, decisions);
}

AttemptDecisions AttemptMachine::taskmanager_lost(const std::string& taskmanager,
                                                  const std::string& cause, MonotonicTime now) {
  AttemptDecisions decisions;
  if (participants_.erase(taskmanager) == 0) return decisions;
  if (active()) {
    fail({absl::StrCat("TaskManager ", taskmanager), cause, false}, now, decisions);
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
  participants_.erase(taskmanager);
  go_on(decisions);
  return decisions;
}

AttemptDecisions AttemptMachine::release_timed_out(Attempt attempt) {
  AttemptDecisions decisions;
  if (attempt != attempt_ || step_ != AttemptStep::kCanceling) return decisions;
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
  if (!participants_.empty()) return;
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
  if (!active() || settling()) return decisions;
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

std::string_view AttemptMachine::job_state() const {
  const JobIntent intent = intent_wanted_.value_or(intent_);
  const bool done = step_ == AttemptStep::kDone;
  switch (intent) {
    case JobIntent::kCancel:
      return done ? "CANCELED" : "CANCELLING";
    case JobIntent::kFail:
      return done ? "FAILED" : "FAILING";
    case JobIntent::kFinish:
      if (done) return "FINISHED";
      break;
    case JobIntent::kRun:
      break;
  }
  if (step_ == AttemptStep::kRunning || step_ == AttemptStep::kFinishing || settled_) {
    return "RUNNING";
  }
  const bool waits = step_ == AttemptStep::kCanceling || step_ == AttemptStep::kWaitingToRestart;
  return attempt_ == Attempt() && !waits ? "CREATED" : "RESTARTING";
}

std::string AttemptMachine::waiting_for() const {
  switch (step_) {
    case AttemptStep::kValidating:
      return absl::StrCat("validation of ", absl::StrJoin(unvalidated_, ", "));
    case AttemptStep::kRecovering:
      return unrecovered_.empty() ? absl::StrCat("deployment of ", undeployed_.size(), " tasks")
                                  : absl::StrCat("recovery of ", absl::StrJoin(unrecovered_, ", "));
    case AttemptStep::kStarting:
      return absl::StrCat("start of ", not_running_.size(), " tasks");
    case AttemptStep::kFinishing:
      return "the last commits";
    case AttemptStep::kCanceling:
      return absl::StrCat("the end of the attempt on ", absl::StrJoin(participants_, ", "));
    case AttemptStep::kRunning:
    case AttemptStep::kNew:
    case AttemptStep::kDone:
      return "";
    default:
      return std::string(to_string(step_));
  }
}

}  // namespace weir
