// How SimulatedJobManager carries out what the cores decide.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "jobmanager/checkpoint/adopt_savepoint.h"
#include "jobmanager/checkpoint/redistribute_state.h"
#include "tests/simulation/job_manager.h"

namespace weir::simulation {
namespace {

constexpr int64_t kReleaseTimeoutUs = 150 * kMillisecond;

pb::JobRecord::Intent proto_of(JobIntent intent) {
  switch (intent) {
    case JobIntent::kCancel:
      return pb::JobRecord::CANCEL;
    case JobIntent::kFinish:
      return pb::JobRecord::FINISH;
    case JobIntent::kFail:
      return pb::JobRecord::FAIL;
    case JobIntent::kRun:
      break;
  }
  return pb::JobRecord::RUN;
}

JobEnd end_of(JobIntent intent) {
  switch (intent) {
    case JobIntent::kCancel:
      return JobEnd::kCanceled;
    case JobIntent::kFail:
      return JobEnd::kFailed;
    default:
      return JobEnd::kFinished;
  }
}

}  // namespace

void SimulatedJobManager::apply(AttemptDecisions decisions) {
  for (const AttemptDecision& decision : decisions) {
    std::visit([this](const auto& what) { run(what); }, decision);
  }
}

void SimulatedJobManager::apply(CheckpointDecisions decisions) {
  for (const CheckpointDecision& decision : decisions) {
    std::visit([this](const auto& what) { run(what); }, decision);
  }
  schedule_wakeup();
}

void SimulatedJobManager::schedule_wakeup() {
  const auto next = checkpoints_->next_wakeup();
  if (!next) return;
  const int64_t next_us = std::max(
      world_.events.now_us() + 1,
      world_.events.now_us() +
          std::chrono::duration_cast<std::chrono::microseconds>(*next - world_.events.now())
              .count());
  if (wakeup_us_ >= world_.events.now_us() && wakeup_us_ <= next_us) return;
  wakeup_us_ = next_us;
  process_.at(next_us, [this, next_us] {
    if (wakeup_us_ == next_us) wakeup_us_ = -1;
    apply(checkpoints_->on_time(world_.events.now()));
  });
}

// --- the attempt ---

void SimulatedJobManager::run(const RequestSlots& decision) {
  slots_wanted_ = decision.count;
  process_.after(10, [this] { grant_slots(); });
}

void SimulatedJobManager::grant_slots() {
  if (slots_wanted_ < 0 || members_.empty()) return;
  const int slots = static_cast<int>(members_.size()) * world_.scenario.slots;
  if (slots < slots_wanted_) return;
  std::vector<SimulatedTaskManager*> free;
  for (int slot = 0; slot < world_.scenario.slots; ++slot) {
    for (const auto& [name, member] : members_) free.push_back(member.taskmanager);
  }
  task_hosts_.assign(free.begin(), free.begin() + slots_wanted_);
  coordinators_host_ = world_.random.pick(free);
  slots_wanted_ = -1;
  participants_ = task_hosts_;
  participants_.push_back(coordinators_host_);
  std::sort(participants_.begin(), participants_.end(),
            [](const auto* a, const auto* b) { return a->name() < b->name(); });
  participants_.erase(std::unique(participants_.begin(), participants_.end()), participants_.end());
  std::vector<std::string> names;
  for (const SimulatedTaskManager* host : task_hosts_) names.push_back(host->name());
  names.push_back(coordinators_host_->name());
  WEIR_TRACE(world_.events, process_.name(),
             absl::StrCat("attempt ", machine_->attempt().value(), " has its slots"));
  last_checkpoint_.reset();
  apply(machine_->slots_granted(names));
}

void SimulatedJobManager::run(const DeployCoordinatorsDecision& decision) {
  tell(coordinators_host_,
       [attempt = machine_->attempt(), uids = decision.uids](SimulatedTaskManager& taskmanager) {
         taskmanager.deploy_coordinators(attempt, uids);
       });
}

void SimulatedJobManager::run(const ClaimResources&) {
  process_.after(10, [this] { apply(machine_->resources_granted()); });
}

void SimulatedJobManager::run(const PersistAttempt& decision) {
  const Attempt attempt = decision.attempt;
  const auto change = [attempt,
                       above = std::max(decision.generation_above,
                                        ledger_->generation_max().value())](pb::JobRecord& record) {
    if (record.attempt() == attempt.value()) return;  // written already, though it said unknown
    record.set_attempt(attempt.value());
    record.set_generation(std::max(above, record.generation()) + 1);
  };
  const auto done = [this, attempt] {
    const pb::JobRecord& record = publisher_.record();
    restored_ = record.checkpoints().empty()
                    ? nullptr
                    : world_.durable.manifest(record.checkpoints().rbegin()->path());
    if (world_.broken(Mutation::kNewestManifest)) restored_ = world_.durable.newest_manifest();
    WEIR_TRACE(
        world_.events, process_.name(),
        absl::StrCat(
            "attempt ", attempt.value(), " of generation ", record.generation(), " restores ",
            restored_ ? absl::StrCat("checkpoint ", restored_->checkpoint_id()) : "nothing"));
    // The ledger that was found may be older than the checkpoint.
    if (restored_ != nullptr) ledger_->add_checkpoint(*restored_, world_.events.now_ms());
    apply(machine_->attempt_persisted(attempt));
  };
  if (world_.broken(Mutation::kOldAttemptPublishes)) {
    publisher_.change_record_at_once(change, done);
  } else {
    publisher_.change_record(change, done);
  }
}

std::vector<SplitPosition> SimulatedJobManager::restored_positions() const {
  const pb::JobRecord& record = publisher_.record();
  if (restored_ == nullptr) {
    if (record.initial_coordinators().empty()) return {};
    return decode_positions(record.initial_coordinators(0).state());
  }
  std::vector<SplitPosition> positions;
  for (const auto& coordinator : restored_->coordinators()) {
    positions = decode_positions(coordinator.state());
  }
  for (const auto& state : restored_->operators()) {
    for (const auto& split : state.splits()) {
      positions[std::stoul(split.id())].next = std::stoll(split.state());
    }
  }
  return positions;
}

SinkRecovery SimulatedJobManager::sink_recovery() const {
  SinkRecovery recovery;
  recovery.generation = publisher_.record().generation();
  if (restored_ == nullptr) return recovery;
  for (const auto& state : restored_->operators()) {
    if (!state.writer_state().empty()) recovery.writer_states.push_back(state.writer_state());
    for (const auto& proto : state.committables()) {
      Committable committable;
      committable.transaction = proto.transaction();
      committable.checkpoint_id = proto.checkpoint_id();
      committable.records = proto.records();
      committable.payload = proto.payload();
      for (const auto& range : proto.ranges()) {
        committable.ranges.push_back(
            {range.resource(), range.first(), range.last(), range.records()});
      }
      const auto entry = ledger_->find(kSinkUid, proto.transaction());
      const bool known = entry && entry->state() != pb::LedgerEntry::PREPARED;
      if (machine_->settling() && world_.broken(Mutation::kCancelWithoutCommit)) continue;
      recovery.committables.push_back({std::move(committable), known});
    }
  }
  return recovery;
}

void SimulatedJobManager::run(const RecoverCoordinatorsDecision& decision) {
  const Attempt attempt = machine_->attempt();
  for (const std::string& uid : decision.uids) {
    if (uid == kSourceUid) {
      tell(coordinators_host_,
           [attempt, positions = restored_positions()](SimulatedTaskManager& taskmanager) {
             taskmanager.recover_source(attempt, positions);
           });
      continue;
    }
    tell(coordinators_host_,
         [attempt, recovery = sink_recovery()](SimulatedTaskManager& taskmanager) {
           taskmanager.recover_sink(attempt, recovery);
         });
    if (world_.broken(Mutation::kRunBeforeRecovered)) {
      process_.after(10, [this, attempt] { recovered(attempt, kSinkUid); });
    }
  }
}

pb::OperatorState SimulatedJobManager::restored_state(int subtask) const {
  if (restored_ == nullptr || world_.broken(Mutation::kStateNotRestored)) return {};
  if (world_.broken(Mutation::kStateBySubtask)) {
    for (const auto& state : restored_->operators()) {
      if (state.uid() == kSinkUid && state.subtask() == subtask) return state;
    }
    return {};
  }
  const RestoringSubtask to{subtask, static_cast<int>(task_hosts_.size()),
                            KeyCounts::kMaxParallelism};
  return redistribute_state(*restored_, kSinkUid, to).value_or(pb::OperatorState());
}

void SimulatedJobManager::run(const DeployTasksDecision&) {
  for (size_t index = 0; index < task_hosts_.size(); ++index) {
    const int subtask = static_cast<int>(index);
    tell(task_hosts_[index],
         [attempt = machine_->attempt(), subtask,
          restored = restored_state(subtask)](SimulatedTaskManager& taskmanager) {
           taskmanager.deploy_task(attempt, subtask, restored);
         });
  }
}

void SimulatedJobManager::run(const PersistResolved& decision) {
  const auto done = [this, attempt = machine_->attempt(), uid = decision.uid] {
    apply(machine_->resolved_durable(attempt, uid));
  };
  if (world_.broken(Mutation::kResolvedNotDurable)) {
    observe_start(world_.checker, decision.state);
    process_.after(10, done);
    return;
  }
  publisher_.change_record(
      [decision](pb::JobRecord& record) {
        if (!record.initial_coordinators().empty()) return;
        auto* state = record.add_initial_coordinators();
        state->set_uid(decision.uid);
        state->set_state(decision.state);
      },
      done);
}

void SimulatedJobManager::run(const AcknowledgeResolved&) {
  tell(coordinators_host_, [attempt = machine_->attempt()](SimulatedTaskManager& taskmanager) {
    taskmanager.resolved_durable(attempt);
  });
}

void SimulatedJobManager::run(const StartTasksDecision&) {
  const Attempt attempt = machine_->attempt();
  std::vector<SimulatedTask*> peers;
  for (size_t subtask = 0; subtask < task_hosts_.size(); ++subtask) {
    peers.push_back(task_hosts_[subtask]->task(attempt, static_cast<int>(subtask)));
  }
  tell_attempt([attempt, generation = publisher_.record().generation(),
                peers](SimulatedTaskManager& taskmanager) {
    taskmanager.start_tasks(attempt, generation, peers);
  });
}

void SimulatedJobManager::run(const StartCoordinatorsDecision&) {
  tell(coordinators_host_, [attempt = machine_->attempt()](SimulatedTaskManager& taskmanager) {
    taskmanager.start_source(attempt);
  });
}

void SimulatedJobManager::run(const StartCheckpoints&) {
  WEIR_TRACE(world_.events, process_.name(),
             absl::StrCat("attempt ", machine_->attempt().value(), " runs"));
  apply(checkpoints_->start(machine_->attempt(), machine_->plan().tasks(), {kSourceUid},
                            restored_ != nullptr, world_.events.now()));
}

void SimulatedJobManager::run(const TriggerFinalCheckpoint&) {
  request_savepoint(CheckpointKind::kFinal);
}

void SimulatedJobManager::run(const StopCheckpoints& decision) {
  apply(checkpoints_->stop(decision.cause));
}

void SimulatedJobManager::run(const CancelAttemptDecision&) {
  slots_wanted_ = -1;
  const Attempt attempt = machine_->attempt();
  tell_attempt(
      [attempt](SimulatedTaskManager& taskmanager) { taskmanager.cancel_attempt(attempt); });
  process_.after(kReleaseTimeoutUs,
                 [this, attempt] { apply(machine_->release_timed_out(attempt)); });
}

// Never decided: the whole job restarts.
void SimulatedJobManager::run(const CancelTasksDecision&) {}

void SimulatedJobManager::run(const PersistIntent& decision) {
  const JobIntent intent = decision.intent;
  const auto done = [this, intent] {
    const bool finishing = publisher_.record().intent() == pb::JobRecord::FINISH;
    if (intent == JobIntent::kCancel && !finishing) world_.checker.cancel_promised();
    apply(machine_->intent_persisted(intent));
  };
  if (intent == JobIntent::kCancel && world_.broken(Mutation::kCancelNotDurable)) {
    process_.after(10, done);
    return;
  }
  publisher_.change_record(
      [this, intent](pb::JobRecord& record) {
        if (record.intent() != pb::JobRecord::RUN) return;
        record.set_intent(proto_of(intent));
        adopt_last_savepoint(record, [this](const std::string& path) -> std::optional<uint64_t> {
          const pb::CheckpointManifest* savepoint = world_.durable.manifest(path);
          if (savepoint == nullptr) return std::nullopt;
          return savepoint->generation();
        });
      },
      done);
}

void SimulatedJobManager::run(const ScheduleRestart& decision) {
  process_.after(decision.delay.count() * kMillisecond,
                 [this, attempt = machine_->attempt()] { apply(machine_->restart_due(attempt)); });
}

void SimulatedJobManager::run(const RecordFault& decision) {
  last_fault_ = absl::StrCat(decision.where, ": ", decision.cause);
  WEIR_TRACE(world_.events, process_.name(), absl::StrCat("fault: ", last_fault_));
}

void SimulatedJobManager::run(const ReleaseSlots&) {
  slots_wanted_ = -1;
}

void SimulatedJobManager::run(const Terminated& decision) {
  publisher_.change_record([state = std::string(machine_->job_state())](
                               pb::JobRecord& record) { record.set_state(state); },
                           [this, as = decision.as] {
                             end_ = end_of(as);
                             WEIR_TRACE(world_.events, process_.name(), "the job has ended");
                           });
}

// --- checkpoints ---

void SimulatedJobManager::run(const TriggerDecision& decision) {
  WEIR_TRACE(world_.events, process_.name(),
             absl::StrCat("triggers ", decision.checkpoint.value(), " of kind ",
                          static_cast<int>(decision.kind)));
  tell_attempt(
      [attempt = machine_->attempt(), checkpoint = decision.checkpoint,
       stop = decision.kind == CheckpointKind::kStopSavepoint](SimulatedTaskManager& taskmanager) {
        taskmanager.trigger(attempt, checkpoint, stop);
      });
}

void SimulatedJobManager::run(const PublishDecision& decision) {
  const Attempt attempt = machine_->attempt();
  if (world_.broken(Mutation::kNotifyBeforePointer) && is_recovery_point(decision.kind)) {
    tell_attempt([attempt, checkpoint = decision.checkpoint](SimulatedTaskManager& taskmanager) {
      taskmanager.notify_complete(attempt, checkpoint);
    });
  }
  const bool rescales = decision.kind == CheckpointKind::kRescale;
  publisher_.publish(
      decision, attempt, *ledger_, rescales ? &rescale_->graph : nullptr,
      [this, checkpoint = decision.checkpoint](PublicationOutcome outcome) {
        apply(checkpoints_->on_publication(checkpoint, std::move(outcome), world_.events.now()));
      });
}

void SimulatedJobManager::run(const NotifyDecision& decision) {
  tell_attempt([attempt = machine_->attempt(),
                checkpoint = decision.permit.checkpoint()](SimulatedTaskManager& taskmanager) {
    taskmanager.notify_complete(attempt, checkpoint);
  });
}

void SimulatedJobManager::run(const AbortDecision& decision) {
  WEIR_TRACE(world_.events, process_.name(),
             absl::StrCat("gives up ", decision.checkpoint.value(), ": ", decision.cause));
  if (decision.kind == CheckpointKind::kRescale) rescale_.reset();
  tell_attempt([attempt = machine_->attempt(),
                checkpoint = decision.checkpoint](SimulatedTaskManager& taskmanager) {
    taskmanager.notify_aborted(attempt, checkpoint);
  });
}

void SimulatedJobManager::run(const CompletedDecision& decision) {
  const Attempt attempt = machine_->attempt();
  if (decision.kind == CheckpointKind::kSavepoint) {
    tell_attempt(
        [this, attempt, savepoint = decision.checkpoint](SimulatedTaskManager& taskmanager) {
          taskmanager.notify_savepoint(attempt, savepoint);
          if (world_.broken(Mutation::kSavepointCommits)) {
            taskmanager.notify_complete(attempt, savepoint);
          }
        });
    return;
  }
  std::vector<CheckpointId> retained;
  for (const auto& pointer : publisher_.record().checkpoints()) {
    retained.emplace_back(pointer.checkpoint_id());
  }
  for (const auto& pointer : publisher_.record().savepoints()) {
    retained.emplace_back(pointer.checkpoint_id());
  }
  ledger_->retain(retained);
  if (decision.kind == CheckpointKind::kRescale) return rescaled();
  if (!is_last(decision.kind)) return;
  last_checkpoint_ = decision.checkpoint;
  apply(machine_->final_checkpoint_published(attempt));
  check_final_commits();
}

void SimulatedJobManager::run(const FailAttemptDecision& decision) {
  apply(machine_->failed(machine_->attempt(), {"checkpoints", decision.cause, false},
                         world_.events.now()));
}

void SimulatedJobManager::run(const ReserveIdsDecision& decision) {
  const int64_t end = decision.end.value();
  publisher_.change_record(
      [end](pb::JobRecord& record) {
        record.set_next_checkpoint_id(std::max(record.next_checkpoint_id(), end));
      },
      [this, end] {
        apply(checkpoints_->on_ids_reserved(CheckpointId(end), world_.events.now()));
      });
}

}  // namespace weir::simulation
