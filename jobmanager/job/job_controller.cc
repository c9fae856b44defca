#include "jobmanager/job/job_controller.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "jobmanager/checkpoint/adopt_savepoint.h"
#include "jobmanager/checkpoint/checkpoint_loader.h"
#include "jobmanager/checkpoint/checkpoint_publisher.h"

namespace weir {

namespace {

// For TaskManagers that neither end an attempt nor their connection.
constexpr std::chrono::seconds kReleaseTimeout{10};

pb::JobRecord::Intent to_proto(JobIntent intent) {
  switch (intent) {
    case JobIntent::kRun:
      return pb::JobRecord::RUN;
    case JobIntent::kCancel:
      return pb::JobRecord::CANCEL;
    case JobIntent::kFinish:
      return pb::JobRecord::FINISH;
    case JobIntent::kFail:
      return pb::JobRecord::FAIL;
  }
  return pb::JobRecord::RUN;
}

JobIntent from_proto(pb::JobRecord::Intent intent) {
  switch (intent) {
    case pb::JobRecord::CANCEL:
      return JobIntent::kCancel;
    case pb::JobRecord::FINISH:
      return JobIntent::kFinish;
    case pb::JobRecord::FAIL:
      return JobIntent::kFail;
    default:
      return JobIntent::kRun;
  }
}

AttemptMachine::History history_of_record(const pb::JobRecord& record, const JobOptions& options) {
  const bool ever_ran = record.generation() > 0;
  return {from_proto(record.intent()), ever_ran ? Attempt(record.attempt()).next() : Attempt(),
          ever_ran, options.region_failover};
}

// What the next attempt begins from: the recovery point, or what the job was submitted with.
std::optional<pb::CheckpointPointer> recovery_point(const pb::JobRecord& record) {
  if (record.checkpoints_size() > 0) return record.checkpoints(record.checkpoints_size() - 1);
  if (record.has_restored_from()) return record.restored_from();
  return std::nullopt;
}

template <typename... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};

}  // namespace

JobController::JobController(const JobEnvironment& environment, pb::JobRecord record, JobPlan plan,
                             JobOptions options, std::unique_ptr<RestartStrategy> strategy,
                             TransactionLedger ledger)
    : environment_(environment),
      job_id_(record.job_id()),
      options_(std::move(options)),
      strategy_(std::move(strategy)),
      record_(std::move(record)),
      ledger_(std::move(ledger)),
      machine_(std::move(plan), history_of_record(record_, options_), *strategy_),
      checkpoints_(options_.checkpoints, CheckpointId(record_.next_checkpoint_id()),
                   CheckpointId(record_.next_checkpoint_id())),
      state_files_(std::make_shared<StateFiles>(options_.checkpoint_folder, job_id_)) {
  attempt_.job_id = job_id_;
  attempt_.max_parallelism = record_.max_parallelism();
}

JobController::~JobController() = default;

void JobController::start() {
  execute(machine_.start());
}

JobRecordWriter::Done JobController::on_mailbox(JobRecordWriter::Done handle) {
  return [this, handle = std::move(handle)](JobRecordWriter::Result result) mutable {
    environment_.mailbox.post(
        [this, handle = std::move(handle), result = std::move(result)]() mutable {
          record_ = result.record;
          if (handle) handle(std::move(result));
        });
  };
}

void JobController::execute(const AttemptDecisions& decisions) {
  for (const AttemptDecision& decision : decisions) execute(decision);
  state_may_have_changed();
}

void JobController::execute(const AttemptDecision& decision) {
  std::visit(
      Overloaded{
          [&](const RequestSlots& request) { begin_attempt(request.count); },
          [&](const DeployCoordinatorsDecision& deploy) { deploy_coordinators(deploy.uids); },
          [&](const ClaimResources& claim) {
            resources_ = claim.resources;
            environment_.services.claim_resources(job_id_, claim.resources);
          },
          [&](const PersistAttempt& persist) { begin_attempt_durably(persist); },
          [&](const RecoverCoordinatorsDecision& recover) { recover_coordinators(recover.uids); },
          [&](const DeployTasksDecision& deploy) { deploy_tasks(deploy.tasks); },
          [&](const PersistResolved& resolved) { persist_resolved(resolved); },
          [&](const AcknowledgeResolved& resolved) {
            pb::ToTaskManager message;
            *message.mutable_resolved_state_durable()->mutable_coordinator() =
                coordinator_id(attempt_, resolved.uid);
            send(attempt_.slots.front().taskmanager, std::move(message));
          },
          [&](const StartTasksDecision&) { start_tasks(); },
          [&](const StartCoordinatorsDecision&) {
            pb::ToTaskManager message;
            pb::StartCoordinators* start = message.mutable_start_coordinators();
            start->set_job_id(job_id_);
            start->set_attempt(attempt_.coordinators.value());
            send(attempt_.slots.front().taskmanager, std::move(message));
          },
          [&](const StartCheckpoints& start) { start_checkpoints(start.only_regions); },
          [&](const TriggerFinalCheckpoint&) {
            CheckpointDecisions decisions;
            // Refused only while a stop takes the last checkpoint already.
            (void)checkpoints_.request(CheckpointKind::kFinal, "", now(), decisions);
            execute(std::move(decisions));
          },
          [&](const StopCheckpoints& stop) {
            execute(checkpoints_.stop(stop.cause, stop.goes_on));
          },
          [&](const CancelAttemptDecision&) { cancel_attempt(); },
          [&](const CancelTasksDecision& cancel) { cancel_tasks(cancel.tasks); },
          [&](const PersistIntent& persist) { persist_intent(persist.intent); },
          [&](const ScheduleRestart& restart) {
            environment_.mailbox.cancel_timer(restart_timer_);
            restart_timer_ = environment_.mailbox.post_after(
                restart.delay,
                [this, attempt = machine_.attempt()] { execute(machine_.restart_due(attempt)); });
          },
          [&](const RecordFault& fault) { record_fault(fault); },
          [&](const ReleaseSlots&) {
            environment_.services.release_all_slots(job_id_, attempt_.attempt);
          },
          [&](const Terminated& end) { terminate(end.as); },
      },
      decision);
}

void JobController::begin_attempt(int32_t slots) {
  environment_.mailbox.cancel_timer(restart_timer_);
  environment_.mailbox.cancel_timer(release_timer_);
  attempt_.attempt = machine_.attempt();
  if (machine_.only_regions()) return begin_regions(slots);
  attempt_.coordinators = attempt_.attempt;
  attempt_.restored.reset();
  attempt_.slots.clear();
  task_states_.clear();
  metrics_.clear();
  coordinator_metrics_.clear();
  attempt_start_ms_ = wall_ms();
  environment_.services.request_slots(job_id_, attempt_.attempt, slots,
                                      options_.slot_request_timeout);
}

void JobController::deploy_coordinators(const std::vector<std::string>& uids) {
  pb::ToTaskManager message;
  pb::DeployCoordinators* coordinators = message.mutable_deploy_coordinators();
  coordinators->set_job_id(job_id_);
  coordinators->set_attempt(attempt_.attempt.value());
  *coordinators->mutable_graph() = record_.graph();
  coordinators->mutable_uids()->Assign(uids.begin(), uids.end());
  send(attempt_.slots.front().taskmanager, std::move(message));
}

// Behind every publication before it in the writer's order, so that those are settled; and with it
// the checkpoint is read that the record then names.
void JobController::begin_attempt_durably(const PersistAttempt& decision) {
  struct Loaded {
    std::optional<pb::CheckpointManifest> manifest;
    absl::Status status;
  };
  auto loaded = std::make_shared<Loaded>();
  environment_.writer.update(
      [loaded, decision, files = state_files_, resources = resources_,
       ledger_max = ledger_.generation_max(),
       some_go_on = machine_.only_regions()](pb::JobRecord& record) {
        uint64_t above = std::max({decision.generation_above, record.generation(),
                                   static_cast<uint64_t>(ledger_max.value())});
        if (const auto pointer = recovery_point(record)) {
          auto checkpoint = load_checkpoint(pointer->path());
          if (!checkpoint.ok()) return loaded->status = checkpoint.status();
          loaded->manifest = std::move(checkpoint->manifest);
          above = std::max(above, loaded->manifest->generation());
        }
        if (!some_go_on) files->take_stock(record);  // else files may be in the making
        record.set_attempt(decision.attempt.value());
        record.set_generation(above + 1);
        record.mutable_exclusive_resources()->Assign(resources.begin(), resources.end());
        return absl::OkStatus();
      },
      on_mailbox([this, loaded, attempt = decision.attempt](JobRecordWriter::Result result) {
        if (attempt != machine_.attempt() || machine_.step() != AttemptStep::kPersisting) return;
        if (!result.status.ok()) {
          // A checkpoint that can't be read now can't be read later; the store may be full.
          return fail_attempt(loaded->status.ok() ? "metadata store" : "restore",
                              std::string(result.status.message()), !loaded->status.ok());
        }
        environment_.writer.run([job_id = job_id_, files = state_files_] {
          if (const absl::Status deleted = files->delete_leftovers(); !deleted.ok()) {
            WEIR_LOG_WARN(LogContext{}, "job {}: {}", job_id, std::string(deleted.message()));
          }
        });
        attempt_.restored = std::move(loaded->manifest);
        attempt_.generation = Generation(record_.generation());
        if (!machine_.only_regions()) attempt_.first_generation = attempt_.generation;
        // The ledger that was found may be older than the checkpoint.
        if (attempt_.restored) ledger_.add_checkpoint(*attempt_.restored, wall_ms());
        if (attempt_.restored && !machine_.settling() &&
            options_.on_lost_transaction != OnLostTransaction::kAccept) {
          const absl::Status lost = check_nothing_lost(*attempt_.restored, ledger_);
          if (!lost.ok()) return fail_attempt("restore", std::string(lost.message()), true);
        }
        WEIR_LOG_INFO(log_context(), "attempt {} has generation {}, restores {}", attempt,
                      attempt_.generation,
                      attempt_.restored
                          ? absl::StrCat("checkpoint ", attempt_.restored->checkpoint_id())
                          : "nothing");
        execute(machine_.attempt_persisted(attempt));
      }));
}

void JobController::persist_resolved(const PersistResolved& resolved) {
  environment_.writer.update(
      [resolved](pb::JobRecord& record) {
        pb::CoordinatorState* state = record.add_initial_coordinators();
        state->set_uid(resolved.uid);
        state->set_state(resolved.state);
        return absl::OkStatus();
      },
      on_mailbox(
          [this, attempt = attempt_.attempt, uid = resolved.uid](JobRecordWriter::Result result) {
            if (result.status.ok()) {
              execute(machine_.resolved_durable(attempt, uid));
            } else if (attempt == attempt_.attempt) {
              fail_attempt("metadata store", std::string(result.status.message()), false);
            }
          }));
}

void JobController::recover_coordinators(const std::vector<std::string>& uids) {
  for (const PlannedCoordinator& coordinator : plan().coordinators()) {
    if (std::find(uids.begin(), uids.end(), coordinator.uid) == uids.end()) continue;
    pb::ToTaskManager message;
    *message.mutable_recover_coordinator() =
        machine_.only_regions()
            ? recover_subtasks(attempt_, coordinator, ledger_, restarted_subtasks(coordinator))
            : recover_coordinator(attempt_, coordinator, record_, ledger_);
    send(attempt_.slots.front().taskmanager, std::move(message));
  }
}

void JobController::deploy_tasks(const std::vector<TaskIndex>& tasks) {
  for (TaskIndex task : tasks) {
    pb::ToTaskManager message;
    *message.mutable_deploy_task() = deploy_task(attempt_, plan(), record_.graph(), task);
    send(attempt_.slots[task.subtask].taskmanager, std::move(message));
  }
}

void JobController::start_tasks() {
  std::optional<CheckpointId> restored;
  if (attempt_.restored) restored = CheckpointId(attempt_.restored->checkpoint_id());
  ledger_.on_recovered(restored, wall_ms(), [this](const pb::LedgerEntry& entry) {
    return machine_.restarts({plan().vertex_of(entry.sink_uid()), entry.subtask()});
  });
  pb::ToTaskManager message;
  pb::StartTasks* start = message.mutable_start_tasks();
  start->set_job_id(job_id_);
  start->set_attempt(attempt_.attempt.value());
  start->set_generation(attempt_.generation.value());
  send_to_all(message);
}

void JobController::cancel_attempt() {
  pb::ToTaskManager message;
  message.mutable_cancel_attempt()->set_job_id(job_id_);
  message.mutable_cancel_attempt()->set_attempt(machine_.attempt().value());
  send_to_all(message);
  limit_release();
}

void JobController::limit_release() {
  environment_.mailbox.cancel_timer(release_timer_);
  release_timer_ =
      environment_.mailbox.post_after(kReleaseTimeout, [this, attempt = machine_.attempt()] {
        if (attempt != machine_.attempt() || machine_.step() != AttemptStep::kCanceling) return;
        WEIR_LOG_WARN(log_context(), "attempt {} hasn't ended within {} s: {}", attempt,
                      kReleaseTimeout.count(), machine_.waiting_for());
        execute(machine_.release_timed_out(attempt));
      });
}

void JobController::persist_intent(JobIntent intent) {
  environment_.writer.update(
      [intent](pb::JobRecord& record) {
        // The first wins: a stop whose checkpoint is published isn't undone by a cancel.
        if (record.intent() != pb::JobRecord::RUN) return absl::OkStatus();
        record.set_intent(to_proto(intent));
        adopt_last_savepoint(record, [](const std::string& path) -> std::optional<uint64_t> {
          const auto savepoint = load_checkpoint(path);
          if (!savepoint.ok()) return std::nullopt;
          return savepoint->manifest.generation();
        });
        return absl::OkStatus();
      },
      on_mailbox([this, intent](JobRecordWriter::Result result) {
        if (!result.status.ok()) {
          WEIR_LOG_ERROR(log_context(), "can't make the job's end durable, trying again: {}",
                         std::string(result.status.message()));
          environment_.mailbox.post_after(std::chrono::seconds(1),
                                          [this, intent] { persist_intent(intent); });
          return;
        }
        for (auto& reply : std::exchange(cancel_replies_, {})) reply(pb::CancelJobResponse());
        execute(machine_.intent_persisted(from_proto(record_.intent())));
      }));
}

pb::Fault JobController::make_fault(const std::string& where, const std::string& cause) const {
  pb::Fault fault;
  fault.set_attempt(attempt_.attempt.value());
  fault.set_time_ms(wall_ms());
  fault.set_where(where);
  fault.set_cause(cause);
  return fault;
}

void JobController::record_fault(const RecordFault& fault) {
  const pb::Fault entry = make_fault(fault.where, fault.cause);
  WEIR_LOG_WARN(log_context(), "attempt {} failed: {}: {}", attempt_.attempt, fault.where,
                fault.cause);
  // Seen at once, durable when the writer comes to it.
  const auto apply = [entry, restarts = fault.restarts](pb::JobRecord& record) {
    if (!record.has_first_fault()) *record.mutable_first_fault() = entry;
    *record.mutable_last_fault() = entry;
    if (restarts) record.set_restarts(record.restarts() + 1);
    return absl::OkStatus();
  };
  (void)apply(record_);
  environment_.writer.update(apply, on_mailbox(nullptr));
}

void JobController::terminate(JobIntent as) {
  const std::string state(machine_.job_state());
  write_ledgers_in_turn();
  environment_.writer.update(
      [state, end_ms = wall_ms()](pb::JobRecord& record) {
        record.set_state(state);
        record.set_end_time_ms(end_ms);
        return absl::OkStatus();
      },
      on_mailbox([this, as](JobRecordWriter::Result result) {
        if (!result.status.ok()) {
          WEIR_LOG_ERROR(log_context(), "can't make the job's end durable, trying again: {}",
                         std::string(result.status.message()));
          environment_.mailbox.post_after(std::chrono::seconds(1), [this, as] { terminate(as); });
          return;
        }
        terminated(as);
      }));
}

void JobController::terminated(JobIntent as) {
  terminated_ = true;
  environment_.writer.run([record = record_, folder = options_.checkpoint_folder,
                           keep = keeps_checkpoints(record_, options_)] {
    if (const absl::Status deleted = clean_up(record, folder, keep); !deleted.ok()) {
      WEIR_LOG_WARN(LogContext{}, "job {}: {}", record.job_id(), std::string(deleted.message()));
    }
  });
  WEIR_LOG_INFO(log_context(), "the job is {}", record_.state());
  if (stop_reply_ && as == JobIntent::kFinish) {
    pb::SavepointResponse response;
    response.set_path(stop_path_);
    stop_reply_(response);
  } else if (stop_reply_) {
    stop_reply_(absl::AbortedError(
        absl::StrCat("the job is ", record_.state(), ": ", record_.last_fault().cause())));
  }
  state_may_have_changed();
  environment_.services.job_terminated(job_id_, details());
}

void JobController::fail_attempt(const std::string& where, const std::string& cause, bool fatal) {
  execute(machine_.failed(machine_.attempt(), {where, cause, fatal}, now()));
}

void JobController::slots_granted(Attempt attempt, std::vector<GrantedSlot> slots) {
  if (attempt != machine_.attempt() || machine_.step() != AttemptStep::kWaitingForSlots) {
    environment_.services.return_slots(job_id_, attempt);
    return;
  }
  std::vector<std::string> taskmanagers;
  for (const GrantedSlot& slot : slots) taskmanagers.push_back(slot.taskmanager);
  if (machine_.only_regions()) {
    replace_slots(std::move(slots));
  } else {
    attempt_.slots = std::move(slots);
  }
  execute(machine_.slots_granted(taskmanagers));
}

void JobController::slots_refused(Attempt attempt, const std::string& cause) {
  if (attempt == machine_.attempt()) execute(machine_.slots_refused(cause, now()));
}

void JobController::resources_granted() {
  execute(machine_.resources_granted());
}

void JobController::resources_refused(const std::string& cause) {
  execute(machine_.resources_refused(cause, now()));
}

void JobController::taskmanager_lost(const std::string& taskmanager, const std::string& cause) {
  execute(machine_.taskmanager_lost(taskmanager, cause, now()));
}

void JobController::send(const std::string& taskmanager, pb::ToTaskManager message) {
  message.set_leader_epoch(environment_.leader_epoch.value());
  environment_.gateway.send(taskmanager, std::move(message));
}

void JobController::send_to_all(const pb::ToTaskManager& message) {
  for (const std::string& taskmanager : machine_.participants()) send(taskmanager, message);
}

void JobController::cancel(Reply<pb::CancelJobResponse> reply) {
  if (terminated_) {
    return reply(absl::FailedPreconditionError(
        absl::StrCat("job ", job_id_, " is ", record_.state(), " already")));
  }
  const AttemptDecisions decisions = machine_.cancel_requested();
  if (decisions.empty()) return reply(pb::CancelJobResponse());  // it is ending already
  cancel_replies_.push_back(std::move(reply));
  execute(decisions);
}

LogContext JobController::log_context() const {
  LogContext context;
  context.job = JobId::parse(job_id_);
  context.attempt = machine_.attempt();
  return context;
}

}  // namespace weir
