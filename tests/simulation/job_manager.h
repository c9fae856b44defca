#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "jobmanager/checkpoint/checkpoint_coordinator.h"
#include "jobmanager/checkpoint/transaction_ledger.h"
#include "jobmanager/plan/job_plan.h"
#include "jobmanager/recover/attempt_machine.h"
#include "jobmanager/recover/restart_strategy.h"
#include "tests/simulation/publisher.h"
#include "tests/simulation/task_manager.h"
#include "tests/simulation/world.h"

namespace weir::simulation {

// The state of the source's coordinator: "next:stop" by split.
std::string encode_positions(const std::vector<SplitPosition>& positions);
std::vector<SplitPosition> decode_positions(const std::string& text);
void observe_start(Checker& checker, const std::string& state);

// A JobManager process with one job: the real AttemptMachine, CheckpointCoordinator,
// TransactionLedger, CommitPermit and RestartStrategy; this class carries their decisions out. It
// knows of earlier JobManagers only what they wrote down.
class SimulatedJobManager {
 public:
  // `parallelism` 0: what the job was rescaled to at last.
  SimulatedJobManager(World& world, std::string name, int parallelism);

  Process& process() { return process_; }
  // What users were told at last; kRunning as long as it isn't durable.
  JobEnd end() const { return end_; }
  const std::string& last_fault() const { return last_fault_; }
  bool running() const { return machine_ && machine_->step() == AttemptStep::kRunning; }

  // --- from users ---
  void cancel();
  void request_savepoint(CheckpointKind kind);
  void rescale(int parallelism);

  // --- from TaskManagers ---
  void registered(SimulatedTaskManager& taskmanager, Connection& stream);
  void heartbeat(SimulatedTaskManager& taskmanager);
  void validated(Attempt attempt, const std::string& uid, uint64_t generation_max);
  void resolved(Attempt attempt, const std::vector<SplitPosition>& positions);
  void recovered(Attempt attempt, const std::string& uid);
  void splits_assigned(Attempt attempt, const std::vector<SplitPosition>& positions);
  void deployed(Attempt attempt, int subtask);
  void running(Attempt attempt, int subtask);
  void drained(Attempt attempt, int subtask);
  void failed(Attempt attempt, int subtask, const std::string& cause);
  void released(Attempt attempt, SimulatedTaskManager& taskmanager);
  void acknowledged(Attempt attempt, int subtask, CheckpointId checkpoint,
                    std::vector<pb::OperatorState> states);
  void source_acknowledged(Attempt attempt, CheckpointId checkpoint,
                           const std::vector<SplitPosition>& positions);
  void declined(Attempt attempt, int subtask, CheckpointId checkpoint);
  void commit_reported(Attempt attempt, const Committable& committable, const CommitResult& result);

 private:
  struct Member {
    SimulatedTaskManager* taskmanager = nullptr;
    Connection* stream = nullptr;
    int64_t last_heard_us = 0;
  };

  struct Rescale {
    CheckpointId checkpoint;
    pb::JobGraph graph;
  };

  void start_job();
  void rescaled();
  void watch_members();
  void member_lost(const std::string& name, const std::string& cause);
  void fenced();

  // Decisions of the cores; apply() runs them in their order.
  void apply(AttemptDecisions decisions);
  void apply(CheckpointDecisions decisions);
  void run(const RequestSlots& decision);
  void run(const DeployCoordinatorsDecision& decision);
  void run(const ClaimResources& decision);
  void run(const PersistAttempt& decision);
  void run(const RecoverCoordinatorsDecision& decision);
  void run(const DeployTasksDecision& decision);
  void run(const PersistResolved& decision);
  void run(const AcknowledgeResolved& decision);
  void run(const StartTasksDecision& decision);
  void run(const StartCoordinatorsDecision& decision);
  void run(const StartCheckpoints& decision);
  void run(const TriggerFinalCheckpoint& decision);
  void run(const StopCheckpoints& decision);
  void run(const CancelAttemptDecision& decision);
  void run(const CancelTasksDecision& decision);
  void run(const PersistIntent& decision);
  void run(const ScheduleRestart& decision);
  void run(const RecordFault& decision);
  void run(const ReleaseSlots& decision);
  void run(const Terminated& decision);
  void run(const TriggerDecision& decision);
  void run(const PublishDecision& decision);
  void run(const NotifyDecision& decision);
  void run(const AbortDecision& decision);
  void run(const CompletedDecision& decision);
  void run(const FailAttemptDecision& decision);
  void run(const ReserveIdsDecision& decision);

  void grant_slots();
  void check_final_commits();
  void schedule_wakeup();
  SinkRecovery sink_recovery() const;
  pb::OperatorState restored_state(int subtask) const;
  std::vector<SplitPosition> restored_positions() const;
  void tell(SimulatedTaskManager* taskmanager, std::function<void(SimulatedTaskManager&)> message);
  void tell_attempt(std::function<void(SimulatedTaskManager&)> message);

  World& world_;
  Process process_;
  const int parallelism_wanted_;
  Publisher publisher_;
  std::unique_ptr<RestartStrategy> strategy_;
  std::unique_ptr<AttemptMachine> machine_;
  std::unique_ptr<CheckpointCoordinator> checkpoints_;
  std::unique_ptr<TransactionLedger> ledger_;
  std::map<std::string, Member> members_;

  int slots_wanted_ = -1;  // -1: none
  SimulatedTaskManager* coordinators_host_ = nullptr;
  std::vector<SimulatedTaskManager*> task_hosts_;  // by subtask
  std::vector<SimulatedTaskManager*> participants_;
  const pb::CheckpointManifest* restored_ = nullptr;
  std::optional<Rescale> rescale_;
  std::optional<CheckpointId> last_checkpoint_;  // the job's last, when it is published
  int64_t wakeup_us_ = -1;
  int beats_without_lease_ = 0;
  JobEnd end_ = JobEnd::kRunning;
  std::string last_fault_;
};

}  // namespace weir::simulation
