#include "jobmanager/checkpoint/checkpoint_coordinator.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace weir {

namespace {

// Ids are reserved in blocks, so that not every checkpoint costs a write. A restart of the
// JobManager skips what is left of one.
constexpr int64_t kIdsPerBlock = 32;
constexpr int64_t kReserveWhenLeft = 16;

// Behind the barrier of a stop: only a new attempt of all starts them again.
FailAttemptDecision sources_have_stopped(const std::string& cause) {
  return FailAttemptDecision{cause};
}

void append(CheckpointDecisions& decisions, CheckpointDecisions more) {
  std::move(more.begin(), more.end(), std::back_inserter(decisions));
}

}  // namespace

CheckpointCoordinator::CheckpointCoordinator(CheckpointOptions options, CheckpointId next,
                                             CheckpointId reserved_end)
    : options_(options), next_id_(next), reserved_end_(reserved_end) {}

CheckpointDecisions CheckpointCoordinator::start(Attempt attempt, std::vector<TaskIndex> tasks,
                                                 std::vector<std::string> coordinators,
                                                 bool trigger_now, MonotonicTime now) {
  running_ = true;
  some_go_on_ = false;
  ending_ = false;
  reserving_ = false;
  attempt_ = attempt;
  tasks_ = std::move(tasks);
  coordinators_ = std::move(coordinators);
  consecutive_failures_ = 0;
  next_periodic_.reset();
  if (options_.interval) next_periodic_ = trigger_now ? now : now + *options_.interval;
  return on_time(now);
}

CheckpointDecisions CheckpointCoordinator::stop(const std::string& cause, bool some_go_on) {
  CheckpointDecisions decisions;
  running_ = false;
  some_go_on_ = some_go_on;
  next_periodic_.reset();
  bool sources_stopped = false;
  for (auto& [id, pending] : pending_) {
    sources_stopped |= pending.kind == CheckpointKind::kStopSavepoint;
    decisions.push_back(AbortDecision{id, pending.kind, cause, std::move(pending.operators)});
  }
  for (auto& [id, ready] : ready_) {
    sources_stopped |= ready.kind == CheckpointKind::kStopSavepoint;
    decisions.push_back(AbortDecision{id, ready.kind, cause, std::move(ready.operators)});
  }
  for (const Waiting& waiting : waiting_) {
    decisions.push_back(AbortDecision{waiting.checkpoint, waiting.kind, cause});
  }
  pending_.clear();
  ready_.clear();
  waiting_.clear();
  if (some_go_on && sources_stopped) decisions.push_back(sources_have_stopped(cause));
  return decisions;
}

CheckpointDecisions CheckpointCoordinator::on_time(MonotonicTime now) {
  CheckpointDecisions decisions;
  if (!running_) return decisions;
  std::vector<std::pair<CheckpointId, CheckpointKind>> expired;
  for (const auto& [id, pending] : pending_) {
    if (now >= pending.deadline) expired.emplace_back(id, pending.kind);
  }
  for (const auto& [id, kind] : expired) {
    const auto it = pending_.find(id);
    if (it == pending_.end()) continue;
    const std::string cause = absl::StrCat(
        "expired after ", options_.timeout.count(), " ms (execution.checkpointing.timeout), ",
        it->second.tasks_missing.size(), " tasks and ", it->second.coordinators_missing.size(),
        " coordinators hadn't acknowledged");
    fail(id, kind, cause, decisions);
  }
  if (next_periodic_ && now >= *next_periodic_ && !ending_ && waiting_.empty() &&
      room_for(CheckpointKind::kCheckpoint)) {
    waiting_.push_back({next_id_, CheckpointKind::kCheckpoint, ""});
    ++next_id_;
    schedule_next(now);
  }
  trigger_waiting(now, decisions);
  reserve_ids(decisions);
  return decisions;
}

std::optional<MonotonicTime> CheckpointCoordinator::next_wakeup() const {
  if (!running_) return std::nullopt;
  std::optional<MonotonicTime> next;
  if (next_periodic_ && !ending_ && waiting_.empty() && room_for(CheckpointKind::kCheckpoint)) {
    next = next_periodic_;
  }
  for (const auto& [id, pending] : pending_) {
    if (!next || pending.deadline < *next) next = pending.deadline;
  }
  return next;
}

absl::StatusOr<CheckpointId> CheckpointCoordinator::request(CheckpointKind kind,
                                                            std::string directory,
                                                            MonotonicTime now,
                                                            CheckpointDecisions& decisions) {
  if (!running_) return absl::FailedPreconditionError("the job isn't running");
  if (ending_) return absl::FailedPreconditionError("the job is taking its last checkpoint");
  const CheckpointId id = next_id_;
  ++next_id_;
  ending_ = is_last(kind);
  waiting_.push_back({id, kind, std::move(directory)});
  trigger_waiting(now, decisions);
  reserve_ids(decisions);
  return id;
}

CheckpointDecisions CheckpointCoordinator::on_ids_reserved(CheckpointId end, MonotonicTime now) {
  reserving_ = false;
  reserved_end_ = std::max(reserved_end_, end);
  return on_time(now);
}

CheckpointDecisions CheckpointCoordinator::on_task_acknowledged(
    Attempt attempt, TaskIndex task, CheckpointId checkpoint, std::vector<pb::OperatorState> states,
    MonotonicTime) {
  CheckpointDecisions decisions;
  const auto it = pending_.find(checkpoint);
  if (!running_ || attempt != attempt_ || it == pending_.end()) return decisions;
  if (it->second.tasks_missing.erase(task) == 0) return decisions;
  std::move(states.begin(), states.end(), std::back_inserter(it->second.operators));
  publish_if_complete(checkpoint, decisions);
  return decisions;
}

CheckpointDecisions CheckpointCoordinator::on_coordinator_acknowledged(Attempt attempt,
                                                                       const std::string& uid,
                                                                       CheckpointId checkpoint,
                                                                       std::string state,
                                                                       MonotonicTime) {
  CheckpointDecisions decisions;
  const auto it = pending_.find(checkpoint);
  if (!running_ || attempt != attempt_ || it == pending_.end()) return decisions;
  if (it->second.coordinators_missing.erase(uid) == 0) return decisions;
  pb::CoordinatorState& coordinator = it->second.coordinators.emplace_back();
  coordinator.set_uid(uid);
  coordinator.set_state(std::move(state));
  publish_if_complete(checkpoint, decisions);
  return decisions;
}

CheckpointDecisions CheckpointCoordinator::on_declined(Attempt attempt, TaskIndex,
                                                       CheckpointId checkpoint,
                                                       const std::string& cause,
                                                       MonotonicTime now) {
  CheckpointDecisions decisions;
  const auto it = pending_.find(checkpoint);
  if (!running_ || attempt != attempt_ || it == pending_.end()) return decisions;
  fail(checkpoint, it->second.kind, cause, decisions);
  append(decisions, on_time(now));
  return decisions;
}

CheckpointDecisions CheckpointCoordinator::on_publication(CheckpointId checkpoint,
                                                          PublicationOutcome outcome,
                                                          MonotonicTime now) {
  CheckpointDecisions decisions;
  const auto it = publishing_.find(checkpoint);
  if (it == publishing_.end() || std::holds_alternative<PublicationUnknown>(outcome)) {
    return decisions;
  }
  const Publishing publication = it->second;
  publishing_.erase(it);
  const bool current = running_ && publication.attempt == attempt_;
  const bool somebody_listens = current || (some_go_on_ && publication.attempt == attempt_);

  if (const auto* failed = std::get_if<PublicationFailed>(&outcome)) {
    if (current) {
      fail(checkpoint, publication.kind, failed->cause, decisions);
    } else {
      decisions.push_back(AbortDecision{checkpoint, publication.kind, failed->cause});
      const bool stopped = publication.kind == CheckpointKind::kStopSavepoint;
      if (stopped && somebody_listens) decisions.push_back(sources_have_stopped(failed->cause));
    }
  } else if (const auto* permit = std::get_if<CommitPermit>(&outcome)) {
    consecutive_failures_ = 0;
    if (somebody_listens) decisions.push_back(NotifyDecision{*permit});
    decisions.push_back(CompletedDecision{checkpoint, publication.kind});
    drop_subsumed(checkpoint, decisions);
  } else {
    decisions.push_back(CompletedDecision{checkpoint, publication.kind});
  }
  if (!current) return decisions;
  // With the rescale's record the attempt is over: what it has taken since is of another graph.
  const bool published = std::holds_alternative<CommitPermit>(outcome);
  if (published && publication.kind == CheckpointKind::kRescale) return decisions;
  if (next_periodic_) next_periodic_ = std::max(*next_periodic_, now + options_.min_pause);
  publish_next(decisions);
  append(decisions, on_time(now));
  return decisions;
}

void CheckpointCoordinator::drop_subsumed(CheckpointId by, CheckpointDecisions& decisions) {
  const std::string cause = absl::StrCat("checkpoint ", by.value(), " completed before it");
  const auto drop_from = [&](auto& checkpoints) {
    std::erase_if(checkpoints, [&](auto& item) {
      const CheckpointKind kind = item.second.kind;
      if (item.first >= by || kind == CheckpointKind::kSavepoint || is_last(kind)) return false;
      decisions.push_back(
          AbortDecision{item.first, item.second.kind, cause, std::move(item.second.operators)});
      return true;
    });
  };
  drop_from(pending_);
  drop_from(ready_);
}

std::vector<TaskIndex> CheckpointCoordinator::tasks_missing(CheckpointId checkpoint) const {
  const auto it = pending_.find(checkpoint);
  if (it == pending_.end()) return {};
  return {it->second.tasks_missing.begin(), it->second.tasks_missing.end()};
}

bool CheckpointCoordinator::room_for(CheckpointKind kind) const {
  if (options_.unaligned && !pending_.empty()) return false;
  if (kind != CheckpointKind::kCheckpoint) return true;
  const auto is_checkpoint = [](const auto& item) {
    return item.second.kind == CheckpointKind::kCheckpoint;
  };
  const auto count = std::count_if(pending_.begin(), pending_.end(), is_checkpoint) +
                     std::count_if(ready_.begin(), ready_.end(), is_checkpoint) +
                     std::count_if(publishing_.begin(), publishing_.end(), is_checkpoint);
  return count < options_.max_concurrent;
}

void CheckpointCoordinator::schedule_next(MonotonicTime now) {
  // From the time it was due, so that the rate is kept; from now, if that is long ago.
  next_periodic_ = *next_periodic_ + *options_.interval;
  if (*next_periodic_ <= now) next_periodic_ = now + *options_.interval;
}

void CheckpointCoordinator::trigger_waiting(MonotonicTime now, CheckpointDecisions& decisions) {
  while (!waiting_.empty() && waiting_.front().checkpoint < reserved_end_ &&
         room_for(waiting_.front().kind)) {
    const Waiting request = std::move(waiting_.front());
    waiting_.erase(waiting_.begin());
    Pending& pending = pending_[request.checkpoint];
    pending.kind = request.kind;
    pending.directory = request.directory;
    pending.deadline = now + options_.timeout;
    pending.tasks_missing = {tasks_.begin(), tasks_.end()};
    pending.coordinators_missing = {coordinators_.begin(), coordinators_.end()};
    decisions.push_back(TriggerDecision{request.checkpoint, request.kind, request.directory});
  }
}

void CheckpointCoordinator::reserve_ids(CheckpointDecisions& decisions) {
  if (reserving_ || reserved_end_.value() - next_id_.value() >= kReserveWhenLeft) return;
  reserving_ = true;
  decisions.push_back(ReserveIdsDecision{CheckpointId(next_id_.value() + kIdsPerBlock)});
}

void CheckpointCoordinator::publish_if_complete(CheckpointId checkpoint,
                                                CheckpointDecisions& decisions) {
  const auto it = pending_.find(checkpoint);
  Pending& pending = it->second;
  if (!pending.tasks_missing.empty() || !pending.coordinators_missing.empty()) return;
  ready_.emplace(checkpoint,
                 PublishDecision{checkpoint, pending.kind, std::move(pending.directory),
                                 std::move(pending.operators), std::move(pending.coordinators)});
  pending_.erase(it);
  publish_next(decisions);
}

void CheckpointCoordinator::publish_next(CheckpointDecisions& decisions) {
  for (auto it = ready_.begin(); it != ready_.end();) {
    const bool busy = std::any_of(publishing_.begin(), publishing_.end(), [](const auto& item) {
      return is_recovery_point(item.second.kind);
    });
    if (is_recovery_point(it->second.kind) && busy) {
      ++it;
      continue;
    }
    publishing_[it->first] = Publishing{attempt_, it->second.kind};
    decisions.push_back(std::move(it->second));
    it = ready_.erase(it);
  }
}

void CheckpointCoordinator::fail(CheckpointId checkpoint, CheckpointKind kind,
                                 const std::string& cause, CheckpointDecisions& decisions) {
  AbortDecision aborted{checkpoint, kind, cause};
  if (auto pending = pending_.extract(checkpoint)) {
    aborted.operators = std::move(pending.mapped().operators);
  }
  decisions.push_back(std::move(aborted));
  // Nothing but what was asked for depends on these.
  if (kind == CheckpointKind::kSavepoint || kind == CheckpointKind::kRescale) return;
  const std::string named = absl::StrCat("checkpoint ", checkpoint.value(), ": ", cause);
  if (kind == CheckpointKind::kStopSavepoint) {
    decisions.push_back(sources_have_stopped(named));
    return;
  }
  ++consecutive_failures_;
  if (consecutive_failures_ > options_.tolerable_failures) {
    decisions.push_back(FailAttemptDecision{absl::StrCat(
        named, " (failure ", consecutive_failures_, " in a row, ", options_.tolerable_failures,
        " tolerated: execution.checkpointing.tolerable-failed-checkpoints)")});
  } else if (kind == CheckpointKind::kFinal) {
    waiting_.push_back({next_id_, kind, ""});
    ++next_id_;
  }
}

}  // namespace weir
