// The part of the JobController that executes what the checkpoint coordinator decides.
#include <algorithm>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/fault_point.h"
#include "common/status.h"
#include "common/storage/checkpoint_storage.h"
#include "jobmanager/checkpoint/checkpoint_publisher.h"
#include "jobmanager/job/job_controller.h"

namespace weir {

namespace {

constexpr size_t kHistorySize = 10;

std::string savepoint_name(const std::string& job_id) {
  thread_local std::mt19937_64 random{std::random_device{}()};
  return absl::StrCat("savepoint-", job_id.substr(0, 6), "-",
                      absl::StrFormat("%012x", random() & 0xffffffffffff));
}

void warn(const std::string& job_id, const absl::Status& status) {
  if (status.ok()) return;
  WEIR_LOG_WARN(LogContext{}, "job {}: {}", job_id, std::string(status.message()));
}

template <typename... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};

}  // namespace

void JobController::start_checkpoints(bool only_regions) {
  counts_.set_restored(counts_.restored() + (attempt_.restored ? 1 : 0));
  final_checkpoint_.reset();
  if (!only_regions) unpublished_since_ms_.reset();
  std::vector<std::string> sources;
  for (const PlannedCoordinator& coordinator : plan().coordinators()) {
    if (coordinator.source) sources.push_back(coordinator.uid);
  }
  execute(checkpoints_.start(attempt_.attempt, plan().tasks(), std::move(sources),
                             attempt_.restored.has_value(), now()));
}

void JobController::execute(CheckpointDecisions decisions) {
  for (CheckpointDecision& decision : decisions) {
    std::visit(
        Overloaded{
            [&](const TriggerDecision& triggered) { trigger(triggered); },
            [&](PublishDecision& complete) { publish(std::move(complete)); },
            [&](const NotifyDecision& notify) {
              WEIR_FAULT_POINT("job.before_notify");
              pb::ToTaskManager message;
              pb::NotifyCheckpointComplete* complete = message.mutable_notify_checkpoint_complete();
              complete->set_job_id(job_id_);
              complete->set_checkpoint_id(notify.permit.checkpoint().value());
              bool notified_one = false;
              for (const std::string& taskmanager : machine_.participants()) {
                if (notified_one) WEIR_FAULT_POINT("job.notified_one");
                send_to_attempts(
                    {taskmanager}, message, [](pb::ToTaskManager& of_attempt, int32_t attempt) {
                      of_attempt.mutable_notify_checkpoint_complete()->set_attempt(attempt);
                    });
                notified_one = true;
              }
            },
            [&](const AbortDecision& aborted) { checkpoint_aborted(aborted); },
            [&](const CompletedDecision& completed) { checkpoint_completed(completed); },
            [&](const FailAttemptDecision& failed) {
              // After what is being carried out, which may be the restart of regions.
              environment_.mailbox.post([this, failed, attempt = attempt_.coordinators] {
                execute(machine_.coordinator_failed(
                    attempt, {"checkpoint coordinator", failed.cause, false}, now()));
              });
            },
            [&](const ReserveIdsDecision& reserve) { reserve_ids(reserve.end); },
        },
        decision);
  }
  schedule_checkpoint_timer();
  if (rescaled_) execute(machine_.rescaled(*std::exchange(rescaled_, std::nullopt)));
}

void JobController::schedule_checkpoint_timer() {
  environment_.mailbox.cancel_timer(checkpoint_timer_);
  checkpoint_timer_ = 0;
  const auto next = checkpoints_.next_wakeup();
  if (!next) return;
  const auto delay = std::max(MonotonicTime::duration::zero(), *next - now());
  checkpoint_timer_ =
      environment_.mailbox.post_after(delay, [this] { execute(checkpoints_.on_time(now())); });
}

void JobController::trigger(const TriggerDecision& decision) {
  CheckpointHistoryEntry entry;
  entry.triggered = now();
  entry.status.set_checkpoint_id(decision.checkpoint.value());
  entry.status.set_state("IN_PROGRESS");
  entry.status.set_savepoint(is_savepoint(decision.kind));
  entry.status.set_recovery_point(is_recovery_point(decision.kind));
  entry.status.set_last(is_last(decision.kind));
  entry.status.set_trigger_time_ms(wall_ms());
  entry.status.set_subtasks_total(static_cast<int32_t>(plan().tasks().size()));
  history_.push_back(entry);
  if (history_.size() > kHistorySize) history_.pop_front();
  counts_.set_total(counts_.total() + 1);
  counts_.set_in_progress(counts_.in_progress() + 1);
  if (!unpublished_since_ms_) unpublished_since_ms_ = wall_ms();

  pb::ToTaskManager message;
  pb::TriggerCheckpoint* trigger = message.mutable_trigger_checkpoint();
  trigger->set_job_id(job_id_);
  trigger->set_checkpoint_id(decision.checkpoint.value());
  trigger->set_savepoint(is_savepoint(decision.kind));
  trigger->set_stop_sources(decision.kind == CheckpointKind::kStopSavepoint);
  trigger->set_trigger_time_ms(entry.status.trigger_time_ms());
  const CheckpointPlace& place = places_[decision.checkpoint] = place_for(decision);
  trigger->set_folder(place.address);
  trigger->set_shared_folder(state_files_->shared_folder());
  // Records in flight can't be left behind by a job's last checkpoint, nor be told to savepoints.
  if (options_.checkpoints.unaligned && decision.kind == CheckpointKind::kCheckpoint) {
    trigger->set_aligned_timeout_ms(options_.aligned_checkpoint_timeout.count());
  }
  send_to_attempts(taskmanagers_with_sources(), std::move(message),
                   [](pb::ToTaskManager& of_attempt, int32_t attempt) {
                     of_attempt.mutable_trigger_checkpoint()->set_attempt(attempt);
                   });
}

// Barriers come to all other tasks with their records.
std::set<std::string> JobController::taskmanagers_with_sources() const {
  std::set<std::string> taskmanagers = {attempt_.slots.front().taskmanager};  // coordinators
  for (TaskIndex task : plan().source_tasks()) {
    taskmanagers.insert(attempt_.slots[task.subtask].taskmanager);
  }
  return taskmanagers;
}

CheckpointToPublish JobController::describe(PublishDecision decision) {
  CheckpointToPublish checkpoint;
  pb::CheckpointManifest& manifest = checkpoint.manifest;
  manifest.set_format_version(1);
  manifest.set_job_id(job_id_);
  manifest.set_job_name(record_.graph().name());
  manifest.set_checkpoint_id(decision.checkpoint.value());
  manifest.set_attempt(attempt_.attempt.value());
  manifest.set_generation(attempt_.generation.value());
  manifest.set_savepoint(is_savepoint(decision.kind));
  if (const auto* entry = history_of(decision.checkpoint)) {
    manifest.set_trigger_time_ms(entry->status.trigger_time_ms());
  }
  for (const pb::JobGraph::Node& node : record_.graph().nodes()) {
    (*manifest.mutable_parallelism())[node.uid()] = node.parallelism();
  }
  for (pb::OperatorState& state : decision.operators) {
    if (state.keyed_size() > 0 || state.has_in_flight()) {
      manifest.set_max_parallelism(record_.max_parallelism());
    }
    *manifest.add_operators() = std::move(state);
  }
  for (pb::CoordinatorState& state : decision.coordinators) {
    *manifest.add_coordinators() = std::move(state);
  }
  checkpoint.prepared_ms = unpublished_since_ms_.value_or(wall_ms());
  if (decision.kind == CheckpointKind::kRescale) checkpoint.rescaled = rescale_->graph;
  TransactionLedger ledger = ledger_;
  ledger.add_checkpoint(manifest, checkpoint.prepared_ms);
  checkpoint.ledger = ledger.to_proto(environment_.leader_epoch);
  checkpoint.kind = decision.kind;
  checkpoint.checkpoint_folder = options_.checkpoint_folder;
  CheckpointPlace place = std::move(places_.extract(decision.checkpoint).mapped());
  checkpoint.root = std::move(place.root);
  checkpoint.folder = std::move(place.folder);
  checkpoint.retained = options_.retained_checkpoints;
  checkpoint.now_ms = wall_ms();
  return checkpoint;
}

void JobController::publish(PublishDecision decision) {
  const std::string address = places_[decision.checkpoint].address;
  auto checkpoint = std::make_shared<const CheckpointToPublish>(describe(std::move(decision)));
  // Both run on the writer's thread, one after the other.
  auto before = std::make_shared<pb::JobRecord>();
  auto prepare = [checkpoint, before, files = state_files_](pb::JobRecord& record) {
    *before = record;
    WEIR_RETURN_IF_ERROR(files->check(checkpoint->manifest));
    return write_checkpoint(*checkpoint, record);
  };
  auto done = [this, checkpoint, before, address,
               files = state_files_](JobRecordWriter::Result result) {
    WEIR_FAULT_POINT("job.pointer_written");
    environment_.mailbox.post([this, checkpoint, result]() mutable {
      record_ = result.record;
      published(*checkpoint, std::move(result));
    });
    if (!result.status.ok()) {
      return warn(checkpoint->manifest.job_id(), files->discard(address, checkpoint->manifest));
    }
    if (is_recovery_point(checkpoint->kind)) files->retain(address, checkpoint->manifest);
    warn(checkpoint->manifest.job_id(), files->delete_subsumed(*before, result.record));
  };
  if (is_recovery_point(checkpoint->kind)) {
    environment_.writer.publish(std::move(prepare), std::move(done));
  } else {
    environment_.writer.update(std::move(prepare), std::move(done));
  }
}

void JobController::published(const CheckpointToPublish& checkpoint,
                              JobRecordWriter::Result result) {
  const CheckpointId id(checkpoint.manifest.checkpoint_id());
  if (!result.status.ok()) {
    return execute(checkpoints_.on_publication(
        id, PublicationFailed{std::string(result.status.message())}, now()));
  }
  ledger_.add_checkpoint(checkpoint.manifest, checkpoint.prepared_ms);
  ledger_.retain(retained());
  if (is_recovery_point(checkpoint.kind)) unpublished_since_ms_.reset();
  const auto& pointers =
      is_savepoint(checkpoint.kind) ? record_.savepoints() : record_.checkpoints();
  if (auto* entry = history_of(id); entry && !pointers.empty()) {
    entry->status.set_path(pointers[pointers.size() - 1].path());
    entry->status.set_size_bytes(pointers[pointers.size() - 1].size_bytes());
  }
  PublicationOutcome outcome = SavepointWritten{};
  if (result.permit) outcome = *result.permit;
  execute(checkpoints_.on_publication(id, std::move(outcome), now()));
}

void JobController::checkpoint_completed(const CompletedDecision& decision) {
  std::string path;
  counts_.set_in_progress(counts_.in_progress() - 1);
  counts_.set_completed(counts_.completed() + 1);
  if (auto* entry = history_of(decision.checkpoint)) {
    entry->status.set_state("COMPLETED");
    entry->status.set_end_to_end_duration_ms(
        std::chrono::duration_cast<std::chrono::milliseconds>(now() - entry->triggered).count());
    path = entry->status.path();
    LogContext context = log_context();
    context.checkpoint = decision.checkpoint;
    WEIR_LOG_INFO(context, "{} {} completed in {} ms, {} bytes",
                  is_savepoint(decision.kind) ? "savepoint" : "checkpoint", decision.checkpoint,
                  entry->status.end_to_end_duration_ms(), entry->status.size_bytes());
  }
  if (auto reply = savepoint_replies_.extract(decision.checkpoint)) {
    if (decision.kind == CheckpointKind::kStopSavepoint) {
      stop_path_ = path;  // answered when the job has finished
      stop_reply_ = std::move(reply.mapped());
    } else {
      pb::SavepointResponse response;
      response.set_path(path);
      reply.mapped()(response);
    }
  }
  if (auto reply = checkpoint_replies_.extract(decision.checkpoint)) {
    pb::TriggerCheckpointResponse response;
    response.set_checkpoint_id(decision.checkpoint.value());
    reply.mapped()(response);
  }
  if (decision.kind == CheckpointKind::kRescale) rescale_completed();
  if (is_last(decision.kind)) {
    final_checkpoint_ = decision.checkpoint;
    execute(machine_.final_checkpoint_published(attempt_.attempt));
    check_final_commits();
  }
}

void JobController::checkpoint_aborted(const AbortDecision& decision) {
  LogContext context = log_context();
  context.checkpoint = decision.checkpoint;
  if (auto* entry = history_of(decision.checkpoint)) {
    counts_.set_in_progress(counts_.in_progress() - 1);
    counts_.set_failed(counts_.failed() + 1);
    entry->status.set_state("FAILED");
    entry->status.set_failure(decision.cause);
    entry->status.set_end_to_end_duration_ms(
        std::chrono::duration_cast<std::chrono::milliseconds>(now() - entry->triggered).count());
    WEIR_LOG_WARN(context, "checkpoint {} failed: {}", decision.checkpoint, decision.cause);
  }
  if (auto reply = savepoint_replies_.extract(decision.checkpoint)) {
    reply.mapped()(absl::AbortedError(absl::StrCat("the savepoint failed: ", decision.cause)));
  }
  if (auto reply = checkpoint_replies_.extract(decision.checkpoint)) {
    reply.mapped()(absl::AbortedError(absl::StrCat("the checkpoint failed: ", decision.cause)));
  }
  if (decision.kind == CheckpointKind::kRescale) rescale_failed(decision.cause);
  discard(decision);
  pb::ToTaskManager message;
  pb::NotifyCheckpointAborted* aborted = message.mutable_notify_checkpoint_aborted();
  aborted->set_job_id(job_id_);
  aborted->set_checkpoint_id(decision.checkpoint.value());
  send_to_attempts(machine_.participants(), std::move(message),
                   [](pb::ToTaskManager& of_attempt, int32_t attempt) {
                     of_attempt.mutable_notify_checkpoint_aborted()->set_attempt(attempt);
                   });
}

void JobController::reserve_ids(CheckpointId end) {
  environment_.writer.update(
      [end](pb::JobRecord& record) {
        record.set_next_checkpoint_id(std::max(record.next_checkpoint_id(), end.value()));
        return absl::OkStatus();
      },
      on_mailbox([this, end, attempt = attempt_.attempt](JobRecordWriter::Result result) {
        if (result.status.ok()) {
          execute(checkpoints_.on_ids_reserved(end, now()));
        } else if (attempt == machine_.attempt()) {
          fail_attempt("metadata store", std::string(result.status.message()), false);
        }
      }));
}

void JobController::trigger_savepoint(const std::string& folder,
                                      Reply<pb::SavepointResponse> reply) {
  CheckpointDecisions decisions;
  const auto id = checkpoints_.request(CheckpointKind::kSavepoint, folder, now(), decisions);
  if (!id.ok()) return reply(id.status());
  savepoint_replies_[*id] = std::move(reply);
  execute(std::move(decisions));
}

void JobController::trigger_checkpoint(Reply<pb::TriggerCheckpointResponse> reply) {
  CheckpointDecisions decisions;
  const auto id = checkpoints_.request(CheckpointKind::kCheckpoint, "", now(), decisions);
  if (!id.ok()) return reply(id.status());
  checkpoint_replies_[*id] = std::move(reply);
  execute(std::move(decisions));
}

void JobController::stop(const std::string& folder, Reply<pb::SavepointResponse> reply) {
  CheckpointDecisions decisions;
  const auto id = checkpoints_.request(CheckpointKind::kStopSavepoint, folder, now(), decisions);
  if (!id.ok()) return reply(id.status());
  savepoint_replies_[*id] = std::move(reply);
  execute(std::move(decisions));
}

std::vector<CheckpointId> JobController::retained() const {
  std::vector<CheckpointId> ids;
  for (const auto& pointer : record_.checkpoints()) ids.emplace_back(pointer.checkpoint_id());
  for (const auto& pointer : record_.savepoints()) ids.emplace_back(pointer.checkpoint_id());
  if (record_.has_restored_from()) ids.emplace_back(record_.restored_from().checkpoint_id());
  return ids;
}

JobController::CheckpointHistoryEntry* JobController::history_of(CheckpointId checkpoint) {
  for (CheckpointHistoryEntry& entry : history_) {
    if (entry.status.checkpoint_id() == checkpoint.value()) return &entry;
  }
  return nullptr;
}

JobController::CheckpointPlace JobController::place_for(const TriggerDecision& decision) const {
  CheckpointPlace place;
  if (is_savepoint(decision.kind)) {
    place.root = decision.directory.empty() ? options_.savepoint_folder : decision.directory;
    place.folder = savepoint_name(job_id_);
  } else {
    place.root = options_.checkpoint_folder;
    place.folder = absl::StrCat(job_id_, "/chk-", decision.checkpoint.value());
  }
  // One that can't be opened is refused when the checkpoint is published.
  const auto storage = storage::open_checkpoint_storage(place.root);
  if (storage.ok()) place.address = (*storage)->url_of(place.folder);
  return place;
}

void JobController::discard(const AbortDecision& decision) {
  const auto place = places_.extract(decision.checkpoint);
  if (place.empty() || place.mapped().address.empty()) return;
  auto manifest = std::make_shared<pb::CheckpointManifest>();
  manifest->set_checkpoint_id(decision.checkpoint.value());
  manifest->mutable_operators()->Assign(decision.operators.begin(), decision.operators.end());
  environment_.writer.run(
      [job_id = job_id_, address = place.mapped().address, manifest, files = state_files_] {
        warn(job_id, files->discard(address, *manifest));
      });
}

}  // namespace weir
