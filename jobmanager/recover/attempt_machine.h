#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/clock.h"
#include "common/ids.h"
#include "jobmanager/plan/job_plan.h"
#include "jobmanager/recover/restart_strategy.h"

namespace weir {

// Where the job is. README.md has the diagram.
enum class AttemptStep {
  kNew,
  kWaitingForSlots,
  kValidating,  // coordinators open and validate
  kClaiming,    // exclusive resources
  kPersisting,  // attempt and generation become durable, publications in flight are settled
  kRecovering,  // coordinators recover, tasks are deployed
  kStarting,    // tasks open
  kRunning,
  kFinishing,  // the last checkpoint is published, its commits are awaited
  kCanceling,  // everything of the attempt is told to end
  kWaitingToRestart,
  kDone,
};
std::string_view to_string(AttemptStep step);

// What the job is to become; all but kRun are durable before anything is done about them, and from
// then on an attempt only settles: coordinators recover, no task runs.
enum class JobIntent { kRun, kCancel, kFinish, kFail };

// --- decisions ---

struct RequestSlots {
  int32_t count;  // 0: any TaskManager will do, for coordinators only
};
struct DeployCoordinatorsDecision {
  std::vector<std::string> uids;
};
struct ClaimResources {
  std::vector<std::string> resources;
};
// Write attempt and generation into the job's record, behind every publication before it; answer
// with attempt_persisted().
struct PersistAttempt {
  Attempt attempt;
  uint64_t generation_above;  // of coordinators: the generation must be larger
};
struct RecoverCoordinatorsDecision {
  std::vector<std::string> uids;
};
struct DeployTasksDecision {
  std::vector<TaskIndex> tasks;
};
struct PersistResolved {  // then resolved_durable()
  std::string uid;
  std::string state;
};
struct AcknowledgeResolved {
  std::string uid;
};
struct StartTasksDecision {};
struct StartCoordinatorsDecision {};
struct StartCheckpoints {
  bool only_regions = false;  // restarted; the others' transactions are open still
};
struct TriggerFinalCheckpoint {};
struct StopCheckpoints {
  std::string cause;
  bool goes_on = false;  // some tasks do: they are to hear what completes still
};
struct CancelAttemptDecision {};  // to every TaskManager that was given a part
// Only these, each on the TaskManager that has it.
struct CancelTasksDecision {
  std::vector<TaskIndex> tasks;
};
struct PersistIntent {  // then intent_persisted()
  JobIntent intent;
};
struct ScheduleRestart {  // then restart_due()
  std::chrono::milliseconds delay;
};
struct RecordFault {
  std::string where;
  std::string cause;
  bool restarts = false;  // the job goes on with another attempt
};
struct ReleaseSlots {};
struct Terminated {
  JobIntent as;  // kCancel, kFinish or kFail
};

using AttemptDecision =
    std::variant<RequestSlots, DeployCoordinatorsDecision, ClaimResources, PersistAttempt,
                 RecoverCoordinatorsDecision, DeployTasksDecision, PersistResolved,
                 AcknowledgeResolved, StartTasksDecision, StartCoordinatorsDecision,
                 StartCheckpoints, TriggerFinalCheckpoint, StopCheckpoints, CancelAttemptDecision,
                 CancelTasksDecision, PersistIntent, ScheduleRestart, RecordFault, ReleaseSlots,
                 Terminated>;
using AttemptDecisions = std::vector<AttemptDecision>;

struct AttemptFailure {
  std::string where;
  std::string cause;
  bool fatal = false;  // no restart
};

// Takes a job through its attempts to its end. Pure: events in, decisions out. It lives as long as
// the job's controller; the strategy outlives it.
//
// After the failure of tasks only their regions restart, if they aren't all, the job wants it so,
// and every coordinator can: an attempt that goes the same way, but for a part of the tasks. The
// others, and the coordinators, keep the attempts that they began in. What fails meanwhile makes
// the part larger, and it begins again; what can't be restarted in part ends the whole attempt.
//
// Events of tasks and coordinators name their attempt; those of another one change nothing.
class AttemptMachine {
 public:
  struct History {
    JobIntent intent = JobIntent::kRun;
    Attempt next_attempt;
    bool ever_ran = false;         // a generation was given out: something may be left to settle
    bool region_failover = false;  // restart no more than what failed
  };

  AttemptMachine(JobPlan plan, History history, RestartStrategy& strategy);

  // Begins: with the first attempt, or after a restart of the JobManager with the next one.
  AttemptDecisions start();

  // One per slot that was asked for: slot i runs the subtasks i, the first one the coordinators. If
  // only regions restart, in the place of those that are gone, in their order.
  AttemptDecisions slots_granted(const std::vector<std::string>& taskmanagers);
  AttemptDecisions slots_refused(const std::string& cause, MonotonicTime now);
  AttemptDecisions coordinator_validated(Attempt attempt, const std::string& uid,
                                         std::vector<std::string> exclusive_resources,
                                         uint64_t generation_max, bool restarts_subtasks = false);
  AttemptDecisions resources_granted();
  AttemptDecisions resources_refused(const std::string& cause, MonotonicTime now);
  AttemptDecisions attempt_persisted(Attempt attempt);
  AttemptDecisions coordinator_resolved(Attempt attempt, const std::string& uid, std::string state);
  AttemptDecisions resolved_durable(Attempt attempt, const std::string& uid);
  // `attempt`: for whose tasks it has recovered.
  AttemptDecisions coordinator_recovered(Attempt attempt, const std::string& uid);
  AttemptDecisions task_deployed(Attempt attempt, TaskIndex task);
  AttemptDecisions task_running(Attempt attempt, TaskIndex task);
  // Counts as running too. When all tasks with a source are drained, the input has ended.
  AttemptDecisions task_drained(Attempt attempt, TaskIndex task);
  AttemptDecisions task_failed(Attempt attempt, TaskIndex task, const AttemptFailure& failure,
                               MonotonicTime now);
  AttemptDecisions coordinator_failed(Attempt attempt, const AttemptFailure& failure,
                                      MonotonicTime now);
  // Of the checkpoints, the record's store: of the attempt as a whole.
  AttemptDecisions failed(Attempt attempt, const AttemptFailure& failure, MonotonicTime now);
  AttemptDecisions taskmanager_lost(const std::string& taskmanager, const std::string& cause,
                                    MonotonicTime now);
  // REQUIRES: settling(). What else is open is settled all the same; then the job has failed.
  AttemptDecisions lost_while_settling(const std::string& where, const std::string& cause);
  AttemptDecisions attempt_released(Attempt attempt, const std::string& taskmanager);
  // After CancelTasksDecision.
  AttemptDecisions tasks_released(Attempt attempt, const std::string& taskmanager);
  // Whoever hasn't released by now is given up; its slots stay with it.
  AttemptDecisions release_timed_out(Attempt attempt);
  AttemptDecisions restart_due(Attempt attempt);

  // It is durable that the job goes on by another plan: this attempt ends, the next one has it.
  AttemptDecisions rescaled(JobPlan plan);

  AttemptDecisions cancel_requested();
  AttemptDecisions intent_persisted(JobIntent intent);
  // The last checkpoint is the recovery point, and with it kFinish is the durable intent.
  AttemptDecisions final_checkpoint_published(Attempt attempt);
  AttemptDecisions final_commits_known(Attempt attempt);

  // Of the attempt.
  const JobPlan& plan() const { return plan_; }
  AttemptStep step() const { return step_; }
  JobIntent intent() const { return intent_; }
  // The newest; that of all tasks and coordinators, unless regions have restarted since.
  Attempt attempt() const { return attempt_; }
  Attempt attempt_of(TaskIndex task) const;
  Attempt coordinators_attempt() const { return coordinators_attempt_; }
  // Of whatever runs.
  std::set<Attempt> live_attempts() const;
  // The attempt is of some regions only.
  bool only_regions() const { return only_regions_; }
  // Those that the attempt restarts; all, unless only_regions().
  bool restarts(TaskIndex task) const { return !only_regions_ || restarted_.contains(task); }
  // Empty where a slot is gone.
  const std::vector<std::string>& slots() const { return slots_; }
  bool settling() const { return intent_ != JobIntent::kRun; }
  // Flink's job status.
  std::string_view job_state() const;
  // What it waits for; "" while it runs.
  std::string waiting_for() const;
  const std::set<std::string>& participants() const { return participants_; }

 private:
  enum class Signal {
    kStart,
    kSlots,
    kSlotsAgain,  // only regions restart
    kAllValidated,
    kResources,
    kPersisted,
    kAllRecovered,
    kSettled,
    kAllRunning,
    kLastPublished,
    kLastCommitted,
    kFailure,
    kEndWanted,
    kRescaled,
    kReleased,
    kRestart,
    kNothingLeft,
  };
  struct Transition {
    AttemptStep from;
    Signal signal;
    AttemptStep to;
  };
  static const Transition kTransitions[];

  // Takes the transition and enters the step; nothing, if the table has none.
  void take(Signal signal, AttemptDecisions& decisions);
  void enter(AttemptStep step, AttemptDecisions& decisions);
  void begin_attempt(AttemptDecisions& decisions);
  void check_recovered(AttemptDecisions& decisions);
  // `tasks`: whose regions are enough to restart; none: everything is.
  void fail(const AttemptFailure& failure, const std::set<TaskIndex>& tasks, MonotonicTime now,
            AttemptDecisions& decisions);
  std::set<TaskIndex> with_regions(const std::set<TaskIndex>& tasks) const;
  bool can_restart_only(const std::set<TaskIndex>& tasks) const;
  void cancel_tasks(AttemptDecisions& decisions);
  void begin_regions(AttemptDecisions& decisions);
  std::set<TaskIndex> tasks_on(const std::string& taskmanager) const;
  void want(JobIntent intent, AttemptDecisions& decisions);
  // Leaves kCanceling and kWaitingToRestart when what they wait for is there.
  void go_on(AttemptDecisions& decisions);
  bool active() const;
  bool live() const { return active() || only_regions_; }  // tasks may run
  bool current(Attempt attempt) const { return attempt == attempt_ && active(); }
  bool nothing_to_settle() const;
  std::vector<std::string> coordinators_to_run() const;

  JobPlan plan_;
  std::optional<JobPlan> next_plan_;
  RestartStrategy& strategy_;
  AttemptStep step_ = AttemptStep::kNew;
  JobIntent intent_;
  std::optional<JobIntent> intent_wanted_;  // being made durable
  Attempt attempt_;
  bool ever_ran_;
  bool settled_ = false;      // nothing is left to be committed or fenced
  bool restart_due_ = false;  // the strategy's delay is over
  int32_t settle_failures_ = 0;

  const bool region_failover_;
  bool coordinators_restart_subtasks_ = true;
  Attempt coordinators_attempt_;
  std::vector<std::string> slots_;
  std::map<TaskIndex, Attempt> attempts_;  // of tasks, where it isn't the coordinators'
  bool only_regions_ = false;
  std::set<TaskIndex> restarted_;     // if only_regions_
  std::set<TaskIndex> deployed_;      // may run somewhere
  std::set<std::string> unreleased_;  // TaskManagers that are to end some of the tasks

  std::set<std::string> participants_;  // TaskManagers that may run something of the attempt
  std::set<std::string> unvalidated_;
  std::set<std::string> unrecovered_;
  std::set<TaskIndex> undeployed_;
  std::set<TaskIndex> not_running_;
  std::set<TaskIndex> not_drained_;  // of those with a source
  std::vector<std::string> resources_;
  uint64_t generation_max_ = 0;
};

}  // namespace weir
