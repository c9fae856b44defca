// The part of the dispatcher that serves clients.
#include <atomic>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/mutex.h"
#include "common/status.h"
#include "jobmanager/checkpoint/checkpoint_loader.h"
#include "jobmanager/checkpoint/checkpoint_publisher.h"
#include "jobmanager/job/dispatcher.h"
#include "jobmanager/plan/max_parallelism.h"

namespace weir {

namespace {

absl::Status no_such_job(const std::string& job_id) {
  return absl::NotFoundError(absl::StrCat("no job ", job_id, ": `weir list -a` shows all"));
}

// Answers when the last of those that hold it has let go.
class DetailsOfAll {
 public:
  explicit DetailsOfAll(Reply<std::vector<pb::JobDetails>> reply) : reply_(std::move(reply)) {}
  ~DetailsOfAll() { reply_(std::move(all_)); }
  void add(pb::JobDetails details) {
    MutexLock lock(mutex_);
    all_.push_back(std::move(details));
  }

 private:
  Mutex mutex_;
  std::vector<pb::JobDetails> all_;
  Reply<std::vector<pb::JobDetails>> reply_;
};

}  // namespace

std::string Dispatcher::allocation_prefix(const std::string& job_id) {
  return absl::StrCat(job_id, "/");
}

std::string Dispatcher::allocation(const std::string& job_id, Attempt attempt) {
  return absl::StrCat(allocation_prefix(job_id), attempt.value());
}

struct Dispatcher::Submission {
  pb::SubmitJobRequest request;
  Reply<pb::SubmitJobResponse> reply;
  std::optional<JobPlan> plan;
  JobOptions options;
  VersionedJobRecord stored;
  std::optional<TransactionLedger> ledger;
};

void Dispatcher::put_library(std::string sha256, std::string data,
                             Reply<pb::LibraryUploaded> reply) {
  // Dropped replies are answered: see Reply.
  (void)io_->try_post([this, sha256 = std::move(sha256), data = std::move(data),
                       reply = std::move(reply)]() mutable {
    uploaded_[sha256] = clock_.now();
    const absl::Status stored = store_.put_library(sha256, data);
    if (!stored.ok()) return reply(stored);
    reply(pb::LibraryUploaded());
  });
}

void Dispatcher::submit(pb::SubmitJobRequest request, Reply<pb::SubmitJobResponse> reply) {
  auto submission = std::make_shared<Submission>();
  submission->request = std::move(request);
  submission->reply = std::move(reply);
  (void)accept([this, submission] {
    if (const absl::Status bad = check_submission(*submission); !bad.ok()) {
      return submission->reply(bad);
    }
    (void)io_->try_post([this, submission] {
      if (const absl::Status failed = prepare_submission(*submission); !failed.ok()) {
        return submission->reply(failed);
      }
      mailbox_->post([this, submission] {
        pb::SubmitJobResponse response;
        response.set_job_id(submission->stored.record.job_id());
        add_job(std::move(submission->stored), std::move(*submission->plan),
                std::move(submission->options), std::move(*submission->ledger));
        submission->reply(response);
      });
    });
  });
}

absl::Status Dispatcher::check_submission(Submission& submission) {
  const pb::SubmitJobRequest& request = submission.request;
  for (const auto& [id, taskmanager] : taskmanagers_) {
    const std::string& stamp = taskmanager.registration.abi_stamp();
    if (!request.abi_stamp().empty() && stamp != request.abi_stamp()) {
      return absl::FailedPreconditionError(
          absl::StrCat("the job library was built with [", request.abi_stamp(), "], TaskManager ",
                       id, " with [", stamp, "]: build the job against this cluster's version"));
    }
  }
  WEIR_ASSIGN_OR_RETURN(submission.plan, JobPlan::make(request.graph()));
  WEIR_ASSIGN_OR_RETURN(submission.options,
                        make_job_options(config_, request.graph(), checkpoint_folder_));
  pb::JobRecord& record = submission.stored.record;
  record.set_format_version(1);
  record.set_job_id(to_string(JobId::random(random_)));
  *record.mutable_graph() = request.graph();
  record.set_state("CREATED");
  record.set_start_time_ms(to_unix_ms(clock_.wall_now()));
  record.set_next_checkpoint_id(1);
  return absl::OkStatus();
}

absl::Status Dispatcher::prepare_submission(Submission& submission) {
  pb::JobRecord& record = submission.stored.record;
  if (!record.graph().library_sha256().empty()) {
    WEIR_RETURN_IF_ERROR(store_.library_path(record.graph().library_sha256()).status());
  }
  submission.ledger.emplace(record.job_id());
  const int32_t wanted = submission.options.max_parallelism;
  if (const std::string& path = submission.request.savepoint_path(); !path.empty()) {
    WEIR_ASSIGN_OR_RETURN(const LoadedCheckpoint loaded, load_checkpoint(path));
    WEIR_RETURN_IF_ERROR(check_restorable(loaded.manifest, record.graph()));
    WEIR_ASSIGN_OR_RETURN(const int32_t kept,
                          fix_max_parallelism(record.graph(), wanted, &loaded.manifest));
    record.set_max_parallelism(kept);
    WEIR_ASSIGN_OR_RETURN(
        submission.ledger,
        load_ledger_of(loaded, submission.options.checkpoint_folder, record.job_id()));
    WEIR_RETURN_IF_ERROR(write_ledger(submission.ledger->to_proto(store_.leader_epoch()),
                                      submission.options.checkpoint_folder));
    pb::CheckpointPointer* restored = record.mutable_restored_from();
    restored->set_checkpoint_id(loaded.manifest.checkpoint_id());
    restored->set_path(loaded.folder);
    restored->set_savepoint(loaded.manifest.savepoint());
    record.set_next_checkpoint_id(loaded.manifest.checkpoint_id() + 1);
  } else {
    WEIR_ASSIGN_OR_RETURN(const int32_t chosen,
                          fix_max_parallelism(record.graph(), wanted, nullptr));
    record.set_max_parallelism(chosen);
  }
  WEIR_ASSIGN_OR_RETURN(submission.stored.version, store_.write(record, 0));
  return absl::OkStatus();
}

template <typename Response, typename Function>
void Dispatcher::with_job(const std::string& job_id, Reply<Response> reply, Function with) {
  (void)accept([this, job_id, reply = std::move(reply), with = std::move(with)]() mutable {
    if (jobs_.contains(job_id)) {
      return (void)accept_for(
          job_id, [reply = std::move(reply), with = std::move(with)](
                      JobController& controller) mutable { with(controller, std::move(reply)); });
    }
    const auto ended = ended_.find(job_id);
    reply(ended == ended_.end() ? no_such_job(job_id)
                                : absl::FailedPreconditionError(absl::StrCat(
                                      "job ", job_id, " is ", ended->second.status().state())));
  });
}

void Dispatcher::cancel(const std::string& job_id, Reply<pb::CancelJobResponse> reply) {
  with_job(job_id, std::move(reply),
           [](JobController& controller, auto answer) { controller.cancel(std::move(answer)); });
}

void Dispatcher::stop(const pb::StopJobRequest& request, Reply<pb::SavepointResponse> reply) {
  with_job(request.job_id(), std::move(reply),
           [folder = request.directory()](JobController& controller, auto answer) {
             controller.stop(folder, std::move(answer));
           });
}

void Dispatcher::trigger_savepoint(const pb::TriggerSavepointRequest& request,
                                   Reply<pb::SavepointResponse> reply) {
  with_job(request.job_id(), std::move(reply),
           [folder = request.directory()](JobController& controller, auto answer) {
             controller.trigger_savepoint(folder, std::move(answer));
           });
}

void Dispatcher::trigger_checkpoint(const std::string& job_id,
                                    Reply<pb::TriggerCheckpointResponse> reply) {
  with_job(job_id, std::move(reply), [](JobController& controller, auto answer) {
    controller.trigger_checkpoint(std::move(answer));
  });
}

void Dispatcher::rescale(const pb::RescaleJobRequest& request,
                         Reply<pb::RescaleJobResponse> reply) {
  (void)accept([this, request, reply = std::move(reply)]() mutable {
    const int32_t slots = slots_.slots_within_reach(allocation_prefix(request.job_id()));
    with_job(request.job_id(), std::move(reply),
             [request, slots](JobController& controller, auto answer) {
               controller.rescale(request, slots, std::move(answer));
             });
  });
}

void Dispatcher::record_transaction(const pb::RecordTransactionRequest& request,
                                    Reply<pb::RecordTransactionResponse> reply) {
  (void)accept([this, request, reply = std::move(reply)]() mutable {
    if (!ended_.contains(request.job_id())) {
      return with_job(request.job_id(), std::move(reply),
                      [request](JobController& controller, auto answer) {
                        controller.record_transaction(request, std::move(answer));
                      });
    }
    (void)io_->try_post([this, request, reply = std::move(reply)]() mutable {
      const absl::Status recorded = record_of_ended(request);
      if (!recorded.ok()) return reply(recorded);
      reply(pb::RecordTransactionResponse());
    });
  });
}

// A failed job's output is put right before another job begins from its checkpoint.
absl::Status Dispatcher::record_of_ended(const pb::RecordTransactionRequest& request) {
  WEIR_ASSIGN_OR_RETURN(const VersionedJobRecord stored, store_.read(request.job_id()));
  WEIR_ASSIGN_OR_RETURN(const JobOptions job_options,
                        make_job_options(config_, stored.record.graph(), checkpoint_folder_));
  WEIR_ASSIGN_OR_RETURN(TransactionLedger ledger,
                        load_ledger(job_options.checkpoint_folder, request.job_id()));
  WEIR_RETURN_IF_ERROR(ledger.record_by_hand(request.sink_uid(), request.transaction(),
                                             request.state(), request.message(),
                                             to_unix_ms(clock_.wall_now())));
  return write_ledgers(ledger.to_proto(store_.leader_epoch()), job_options.checkpoint_folder,
                       stored.record);
}

void Dispatcher::describe(const std::string& job_id, Reply<pb::JobDetails> reply) {
  (void)accept([this, job_id, reply = std::move(reply)]() mutable {
    if (const auto ended = ended_.find(job_id); ended != ended_.end()) {
      return reply(ended->second);
    }
    if (!jobs_.contains(job_id)) return reply(no_such_job(job_id));
    (void)accept_for(job_id, [reply = std::move(reply)](JobController& controller) mutable {
      reply(controller.details());
    });
  });
}

void Dispatcher::describe_all(Reply<std::vector<pb::JobDetails>> reply) {
  (void)accept([this, all = std::make_shared<DetailsOfAll>(std::move(reply))]() mutable {
    for (const auto& [id, details] : ended_) all->add(details);
    for (const auto& [id, job] : jobs_) {
      (void)accept_for(id, [all](JobController& controller) { all->add(controller.details()); });
    }
  });
}

void Dispatcher::watch(const std::string& job_id, std::function<bool(const pb::JobStatus&)> watcher,
                       Reply<bool> end) {
  (void)accept([this, job_id, watcher = std::move(watcher), end = std::move(end)]() mutable {
    if (const auto ended = ended_.find(job_id); ended != ended_.end()) {
      watcher(ended->second.status());
      return end(true);
    }
    if (!jobs_.contains(job_id)) return end(no_such_job(job_id));
    auto shared_end = std::make_shared<Reply<bool>>(std::move(end));
    (void)accept_for(job_id, [watcher = std::move(watcher), shared_end](JobController& controller) {
      controller.watch([watcher, shared_end](const pb::JobStatus& status) {
        const bool goes_on = watcher(status);
        if (status.end_time_ms() > 0) (*shared_end)(true);
        return goes_on;
      });
    });
  });
}

void Dispatcher::list_taskmanagers(Reply<std::vector<TaskManagerInfo>> reply) {
  (void)accept([this, reply = std::move(reply)]() mutable {
    std::vector<TaskManagerInfo> all;
    for (const auto& [id, taskmanager] : taskmanagers_) {
      all.push_back({id, taskmanager.registration.host(), taskmanager.registration.pid(),
                     taskmanager.registration.slots(), slots_.slots_free(id),
                     taskmanager.last_heartbeat_ms, taskmanager.memory_bytes});
    }
    reply(std::move(all));
  });
}

void Dispatcher::transactions(const std::string& job_id,
                              Reply<pb::ListTransactionsResponse> reply) {
  (void)accept([this, job_id, reply = std::move(reply)]() mutable {
    if (jobs_.contains(job_id)) {
      return (void)accept_for(job_id,
                              [reply = std::move(reply)](JobController& controller) mutable {
                                pb::ListTransactionsResponse response;
                                *response.mutable_ledger() = controller.ledger();
                                reply(response);
                              });
    }
    if (!ended_.contains(job_id)) return reply(no_such_job(job_id));
    (void)io_->try_post([this, job_id, reply = std::move(reply)]() mutable {
      const auto read = [&]() -> absl::StatusOr<pb::ListTransactionsResponse> {
        WEIR_ASSIGN_OR_RETURN(const VersionedJobRecord stored, store_.read(job_id));
        WEIR_ASSIGN_OR_RETURN(const JobOptions job_options,
                              make_job_options(config_, stored.record.graph(), checkpoint_folder_));
        WEIR_ASSIGN_OR_RETURN(const TransactionLedger ledger,
                              load_ledger(job_options.checkpoint_folder, job_id));
        pb::ListTransactionsResponse response;
        *response.mutable_ledger() = ledger.to_proto();
        return response;
      };
      reply(read());
    });
  });
}

}  // namespace weir
