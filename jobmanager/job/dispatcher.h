#pragma once

#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/clock.h"
#include "common/config.h"
#include "common/mailbox.h"
#include "jobmanager/job/job_controller.h"
#include "jobmanager/job/job_services.h"
#include "jobmanager/job/reply.h"
#include "jobmanager/job/taskmanager_connections.h"
#include "jobmanager/metadata/metadata_store.h"
#include "jobmanager/rest/cluster_view.h"
#include "jobmanager/schedule/liveness.h"
#include "jobmanager/schedule/slot_pool.h"

namespace weir {

// Knows the TaskManagers and the jobs: gives slots and exclusive resources to jobs, and messages to
// whom they concern. Its methods are thread-safe and only enqueue: all its state belongs to its
// mailbox. Every job has two mailboxes more, for its controller and its writer.
class Dispatcher final : public JobServices, public ClusterView {
 public:
  // Makes a running mailbox; tests make some that they run themselves.
  using MailboxFactory = std::function<std::shared_ptr<Mailbox>(const std::string& name)>;

  // Store and clock outlive it. Jobs that name no folder keep their checkpoints in
  // `checkpoint_folder`.
  Dispatcher(Config config, MetadataStore& store, const Clock& clock, MailboxFactory make_mailbox,
             std::string checkpoint_folder);
  ~Dispatcher() override;

  // Takes up every job that hasn't ended. Called once, before anything else; blocks on I/O.
  absl::Status start();
  // Ends all threads; jobs stay as they are, for the next JobManager. Replies that are waited for
  // get Unavailable.
  void shutdown();

  // --- TaskManagers. `session`: one per stream ---
  absl::Status register_taskmanager(uint64_t session, pb::RegisterTaskManager registration,
                                    TaskManagerConnections::Connection connection);
  // Unless OK, the connection is to be dropped: too much waits already.
  absl::Status on_taskmanager_message(uint64_t session, pb::FromTaskManager message);
  void on_taskmanager_closed(uint64_t session, const std::string& cause);

  // --- clients ---
  void put_library(std::string sha256, std::string data, Reply<pb::LibraryUploaded> reply);
  void submit(pb::SubmitJobRequest request, Reply<pb::SubmitJobResponse> reply);
  void cancel(const std::string& job_id, Reply<pb::CancelJobResponse> reply) override;
  void stop(const pb::StopJobRequest& request, Reply<pb::SavepointResponse> reply) override;
  void trigger_savepoint(const pb::TriggerSavepointRequest& request,
                         Reply<pb::SavepointResponse> reply) override;
  void trigger_checkpoint(const std::string& job_id,
                          Reply<pb::TriggerCheckpointResponse> reply) override;
  void rescale(const pb::RescaleJobRequest& request, Reply<pb::RescaleJobResponse> reply) override;
  void describe(const std::string& job_id, Reply<pb::JobDetails> reply) override;
  void describe_all(Reply<std::vector<pb::JobDetails>> reply) override;
  // Every status from now on, on any thread, until the watcher returns false; `end` when there will
  // be none any more.
  void watch(const std::string& job_id, std::function<bool(const pb::JobStatus&)> watcher,
             Reply<bool> end);
  void list_taskmanagers(Reply<std::vector<TaskManagerInfo>> reply) override;
  void transactions(const std::string& job_id, Reply<pb::ListTransactionsResponse> reply) override;
  void record_transaction(const pb::RecordTransactionRequest& request,
                          Reply<pb::RecordTransactionResponse> reply);

  // --- JobServices ---
  void request_slots(const std::string& job_id, Attempt attempt, int32_t count,
                     std::chrono::milliseconds timeout) override;
  void release_slots(const std::string& job_id, Attempt attempt,
                     const std::string& taskmanager) override;
  void release_all_slots(const std::string& job_id, Attempt attempt) override;
  void return_slots(const std::string& job_id, Attempt attempt) override;
  void claim_resources(const std::string& job_id, std::vector<std::string> resources) override;
  void job_terminated(const std::string& job_id, pb::JobDetails details) override;

  MetadataStore& store() { return store_; }

 private:
  struct TaskManager {
    uint64_t session = 0;
    pb::RegisterTaskManager registration;
    TaskManagerConnections::Connection connection;
    int64_t last_heartbeat_ms = 0;
    uint64_t memory_bytes = 0;
  };
  struct Job {
    ~Job();
    std::string name;
    std::shared_ptr<Mailbox> mailbox;
    std::shared_ptr<Mailbox> writer_mailbox;
    std::unique_ptr<JobRecordWriter> writer;
    std::unique_ptr<JobController> controller;
    std::vector<std::string> taskmanagers;  // of its last slots, which may have its state still
  };
  struct Submission;

  absl::Status take_up(const VersionedJobRecord& stored);
  void add_job(VersionedJobRecord stored, JobPlan plan, JobOptions options,
               TransactionLedger ledger);
  absl::Status check_submission(Submission& submission);
  // On the I/O thread.
  absl::Status prepare_submission(Submission& submission);
  absl::Status record_of_ended(const pb::RecordTransactionRequest& request);

  void lose_taskmanager(std::string id, const std::string& cause);
  void send_heartbeats();
  void check_liveness();
  void advance_slots();
  absl::Status claim(const std::string& job_id, const std::vector<std::string>& resources);
  // Ended jobs beyond jobstore.max-capacity, oldest first.
  void forget_old_jobs();
  void clean_up_libraries();
  // The next two on the I/O thread.
  absl::Status forget(const std::string& job_id);
  absl::Status remove_unneeded_libraries();
  // Of the names of its slots' allocations, one per attempt.
  static std::string allocation_prefix(const std::string& job_id);
  static std::string allocation(const std::string& job_id, Attempt attempt);
  // Of this attempt and those before it.
  std::vector<std::string> allocations_up_to(const std::string& job_id, Attempt attempt) const;
  const TaskManager* find_session(uint64_t session) const;

  // Runs `with(controller)` in the job's mailbox; NotFound or FailedPrecondition to the reply if
  // there is no such job, or it has ended.
  template <typename Response, typename Function>
  void with_job(const std::string& job_id, Reply<Response> reply, Function with);
  void post_to(const std::string& job_id, absl::AnyInvocable<void(JobController&)> task);
  // What comes from outside the process: dropped, with a log line, if too much waits already. OK if
  // there is no such job.
  absl::Status accept(absl::AnyInvocable<void()> task);
  absl::Status accept_for(const std::string& job_id, absl::AnyInvocable<void(JobController&)> task);

  const Config config_;
  MetadataStore& store_;
  const Clock& clock_;
  const MailboxFactory make_mailbox_;
  const std::string checkpoint_folder_;
  TaskManagerConnections connections_;

  // Only in the mailbox:
  std::map<std::string, TaskManager> taskmanagers_;
  std::map<uint64_t, std::string> taskmanager_of_session_;
  std::map<std::string, std::unique_ptr<Job>> jobs_;
  std::map<std::string, pb::JobDetails> ended_;
  std::map<std::string, std::string> resource_holders_;  // resource → job id
  SlotPool slots_;
  Liveness liveness_;
  int64_t heartbeat_sequence_ = 0;
  Mailbox::TimerId slot_timer_ = 0;
  Mailbox::TimerId liveness_timer_ = 0;
  std::mt19937_64 random_{std::random_device{}()};

  // Only on the I/O thread: libraries whose jobs may not have been submitted yet.
  std::map<std::string, MonotonicTime> uploaded_;

  std::shared_ptr<Mailbox> io_;  // libraries, savepoints and records of submissions
  std::shared_ptr<Mailbox> mailbox_;
};

}  // namespace weir
