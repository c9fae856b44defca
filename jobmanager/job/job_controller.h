#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/ids.h"
#include "common/log.h"
#include "common/mailbox.h"
#include "jobmanager/checkpoint/checkpoint_coordinator.h"
#include "jobmanager/checkpoint/checkpoint_publisher.h"
#include "jobmanager/checkpoint/state_files.h"
#include "jobmanager/checkpoint/transaction_age.h"
#include "jobmanager/checkpoint/transaction_ledger.h"
#include "jobmanager/job/job_messages.h"
#include "jobmanager/job/job_options.h"
#include "jobmanager/job/job_services.h"
#include "jobmanager/job/reply.h"
#include "jobmanager/job/taskmanager_gateway.h"
#include "jobmanager/metadata/job_record_writer.h"
#include "jobmanager/plan/job_plan.h"
#include "jobmanager/recover/attempt_machine.h"
#include "proto/client.pb.h"
#include "proto/control.pb.h"
#include "proto/job_record.pb.h"

namespace weir {

// Everything a controller works with. All of it outlives the controller.
struct JobEnvironment {
  Mailbox& mailbox;         // the job's own: every call of the controller is made on it
  JobRecordWriter& writer;  // its results are posted into the mailbox
  TaskManagerGateway& gateway;
  JobServices& services;
  const Clock& clock;
  LeaderEpoch leader_epoch;
};

// Runs one job from its record to its end: executes what the attempt machine and the checkpoint
// coordinator decide. All calls are made on the job's mailbox thread.
class JobController {
 public:
  JobController(const JobEnvironment& environment, pb::JobRecord record, JobPlan plan,
                JobOptions options, std::unique_ptr<RestartStrategy> strategy,
                TransactionLedger ledger);
  JobController(const JobController&) = delete;
  JobController& operator=(const JobController&) = delete;
  ~JobController();

  void start();

  // Of the dispatcher.
  void slots_granted(Attempt attempt, std::vector<GrantedSlot> slots);
  void slots_refused(Attempt attempt, const std::string& cause);
  void resources_granted();
  void resources_refused(const std::string& cause);
  void taskmanager_lost(const std::string& taskmanager, const std::string& cause);
  // Everything else that a TaskManager says about this job.
  void on_message(const std::string& taskmanager, const pb::FromTaskManager& message);
  void on_metrics(const pb::TaskMetrics& metrics);
  void on_metrics(const pb::CoordinatorMetrics& metrics);

  // Of clients.
  void cancel(Reply<pb::CancelJobResponse> reply);
  void trigger_savepoint(const std::string& folder, Reply<pb::SavepointResponse> reply);
  void trigger_checkpoint(Reply<pb::TriggerCheckpointResponse> reply);
  // Answers when the job has finished.
  void stop(const std::string& folder, Reply<pb::SavepointResponse> reply);
  // `slots`: how many the job can have, its own among them.
  void rescale(const pb::RescaleJobRequest& request, int32_t slots,
               Reply<pb::RescaleJobResponse> reply);
  pb::JobDetails details() const;
  pb::JobStatus status() const;
  // Called with every change of the status, now and later, until it returns false; with the
  // terminal one last.
  void watch(std::function<bool(const pb::JobStatus&)> watcher);
  pb::TransactionLedger ledger() const { return ledger_.to_proto(); }
  void record_transaction(const pb::RecordTransactionRequest& request,
                          Reply<pb::RecordTransactionResponse> reply);

 private:
  // One taken or under way, for clients; newest last, bounded.
  struct CheckpointHistoryEntry {
    pb::CheckpointStatus status;
    MonotonicTime triggered;
  };

  // Under way: becomes durable together with its checkpoint.
  struct Rescale {
    CheckpointId checkpoint;
    pb::JobGraph graph;
    JobPlan plan;
    Reply<pb::RescaleJobResponse> reply;
  };

  // Where a checkpoint's own files go.
  struct CheckpointPlace {
    std::string root;
    std::string folder;   // in the root
    std::string address;  // of the folder
  };

  // --- the attempt: job_controller.cc ---
  void execute(const AttemptDecisions& decisions);
  void execute(const AttemptDecision& decision);
  void begin_attempt(int32_t slots);
  void deploy_coordinators(const std::vector<std::string>& uids);
  void begin_attempt_durably(const PersistAttempt& decision);
  void persist_resolved(const PersistResolved& resolved);
  void deploy_tasks(const std::vector<TaskIndex>& tasks);
  void recover_coordinators(const std::vector<std::string>& uids);
  void start_tasks();
  void cancel_attempt();
  void limit_release();
  void persist_intent(JobIntent intent);
  pb::Fault make_fault(const std::string& where, const std::string& cause) const;
  void record_fault(const RecordFault& fault);
  void terminate(JobIntent as);
  void terminated(JobIntent as);  // durably
  void fail_attempt(const std::string& where, const std::string& cause, bool fatal);
  void send(const std::string& taskmanager, pb::ToTaskManager message);
  void send_to_all(const pb::ToTaskManager& message);
  // Takes over the record as it is after a write, then goes on with `handle`, in the job's mailbox.
  JobRecordWriter::Done on_mailbox(JobRecordWriter::Done handle);

  // --- an attempt of some regions: job_regions.cc ---
  void begin_regions(int32_t slots);
  void replace_slots(std::vector<GrantedSlot> slots);
  std::vector<int32_t> restarted_subtasks(const PlannedCoordinator& coordinator) const;
  void cancel_tasks(const std::vector<TaskIndex>& tasks);
  // One message per attempt that runs, which `set_attempt` puts in.
  void send_to_attempts(const std::set<std::string>& taskmanagers, pb::ToTaskManager message,
                        const std::function<void(pb::ToTaskManager&, int32_t)>& set_attempt);

  // --- what TaskManagers say: job_events.cc ---
  void on_task_state(const std::string& taskmanager, const pb::TaskStateChanged& change);
  bool is_current(const pb::TaskId& task) const;
  void route(const pb::SourceEvent& event);

  // --- checkpoints: job_checkpoints.cc ---
  void start_checkpoints(bool only_regions);
  void execute(CheckpointDecisions decisions);
  void trigger(const TriggerDecision& decision);
  std::set<std::string> taskmanagers_with_sources() const;
  CheckpointToPublish describe(PublishDecision decision);
  void publish(PublishDecision decision);
  void published(const CheckpointToPublish& checkpoint, JobRecordWriter::Result result);
  void checkpoint_completed(const CompletedDecision& decision);
  void checkpoint_aborted(const AbortDecision& decision);
  void reserve_ids(CheckpointId end);
  void schedule_checkpoint_timer();
  std::vector<CheckpointId> retained() const;
  CheckpointHistoryEntry* history_of(CheckpointId checkpoint);
  CheckpointPlace place_for(const TriggerDecision& decision) const;
  void discard(const AbortDecision& decision);

  // --- another parallelism: job_rescale.cc ---
  void rescale_completed();
  void rescale_failed(const std::string& cause);

  // --- transactions: job_transactions.cc ---
  void on_commit(const pb::CommitReported& report);
  void on_lost(const pb::CommitReported& report);
  void accept_loss(const std::string& loss);
  void rewind_before(int64_t checkpoint, const std::string& loss);
  void flush_ledger_soon();
  void write_ledgers_in_turn();  // by the writer
  void check_transaction_age();
  std::optional<OldestPrepared> oldest_prepared() const;
  void check_final_commits();

  // --- what clients see: job_details.cc ---
  void state_may_have_changed();
  void show_subtask(TaskIndex task, bool finished, pb::VertexDetails& vertex) const;

  const JobPlan& plan() const { return machine_.plan(); }
  MonotonicTime now() const { return environment_.clock.now(); }
  int64_t wall_ms() const { return to_unix_ms(environment_.clock.wall_now()); }
  LogContext log_context() const;

  const JobEnvironment environment_;
  const std::string job_id_;
  const JobOptions options_;
  const std::unique_ptr<RestartStrategy> strategy_;

  pb::JobRecord record_;  // as last written
  TransactionLedger ledger_;
  TransactionAge transaction_age_;
  AttemptMachine machine_;
  CheckpointCoordinator checkpoints_;

  // The attempt.
  AttemptDescription attempt_;
  std::vector<std::string> resources_;
  std::map<TaskIndex, pb::TaskStateChanged::State> task_states_;
  struct TaskFigures {
    pb::TaskMetrics totals;
    std::optional<pb::TaskRates> rates;
  };
  std::map<TaskIndex, TaskFigures> metrics_;
  std::map<std::string, pb::CoordinatorMetrics> coordinator_metrics_;  // by uid
  int64_t attempt_start_ms_ = 0;
  Mailbox::TimerId restart_timer_ = 0;
  Mailbox::TimerId release_timer_ = 0;

  // Checkpoints.
  Mailbox::TimerId checkpoint_timer_ = 0;
  Mailbox::TimerId ledger_timer_ = 0;
  Mailbox::TimerId age_timer_ = 0;
  // Since then barriers have prepared transactions that no recovery point carries yet.
  std::optional<int64_t> unpublished_since_ms_;
  std::string age_warning_;
  std::map<CheckpointId, CheckpointPlace> places_;  // of those that aren't being published yet
  // Used on the writer's thread only.
  const std::shared_ptr<StateFiles> state_files_;
  std::deque<CheckpointHistoryEntry> history_;
  pb::CheckpointCounts counts_;
  std::optional<CheckpointId> final_checkpoint_;
  std::map<CheckpointId, Reply<pb::SavepointResponse>> savepoint_replies_;
  std::map<CheckpointId, Reply<pb::TriggerCheckpointResponse>> checkpoint_replies_;
  std::optional<Rescale> rescale_;
  std::optional<JobPlan> rescaled_;  // durable; the machine hears of it after what came with it
  Reply<pb::SavepointResponse> stop_reply_;
  std::string stop_path_;
  std::vector<Reply<pb::CancelJobResponse>> cancel_replies_;

  // What clients see.
  bool terminated_ = false;  // durably
  std::string shown_state_;
  std::string shown_detail_;
  std::map<std::string, int64_t> state_times_ms_;
  std::vector<std::function<bool(const pb::JobStatus&)>> watchers_;
};

// The details of a job that has ended, as far as its record knows them.
pb::JobDetails details_of(const pb::JobRecord& record, const JobPlan& plan);

}  // namespace weir
