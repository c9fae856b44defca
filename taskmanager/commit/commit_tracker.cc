#include "taskmanager/commit/commit_tracker.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/check.h"

namespace weir {

absl::StatusOr<std::vector<Committable>> CommitTracker::on_barrier(
    CheckpointId checkpoint, std::vector<Committable> prepared) {
  WEIR_CHECK(!last_barrier_ || checkpoint > *last_barrier_)
      << "barrier " << checkpoint << " after " << *last_barrier_;
  last_barrier_ = checkpoint;
  for (Committable& committable : prepared) {
    const bool known = std::any_of(entries_.begin(), entries_.end(), [&](const Entry& entry) {
      return entry.committable.transaction == committable.transaction;
    });
    if (known) {
      return absl::InternalError(absl::StrCat("the sink's writer prepared the transaction ",
                                              committable.transaction, " twice; at checkpoint ",
                                              checkpoint.value()));
    }
    committable.checkpoint_id = checkpoint.value();
    entries_.push_back({std::move(committable), State::kPrepared, checkpoint});
  }
  std::vector<Committable> carried;
  for (Entry& entry : entries_) {
    if (entry.state == State::kSettled) continue;
    entry.last_carrier = checkpoint;
    carried.push_back(entry.committable);
  }
  return carried;
}

CommitTracker::Decision CommitTracker::on_notify(CheckpointId checkpoint) {
  Decision decision;
  // A checkpoint that this attempt took no part in says nothing about its committables.
  if (!last_barrier_ || checkpoint > *last_barrier_) return decision;
  if (complete_ && checkpoint <= *complete_) return decision;
  complete_ = checkpoint;
  for (Entry& entry : entries_) {
    if (entry.state == State::kPrepared &&
        CheckpointId(entry.committable.checkpoint_id) <= checkpoint) {
      entry.state = State::kCommitting;
      decision.to_commit.push_back(entry.committable);
    }
  }
  std::erase_if(entries_, [&](Entry& entry) {
    if (!may_release(entry)) return false;
    decision.to_release.push_back(std::move(entry.committable));
    return true;
  });
  return decision;
}

CommitTracker::Decision CommitTracker::on_commit_result(std::string_view transaction,
                                                        CommitStatus status) {
  Decision decision;
  const auto entry = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& candidate) {
    return candidate.committable.transaction == transaction;
  });
  if (entry == entries_.end() || entry->state != State::kCommitting) return decision;
  switch (status) {
    case CommitStatus::kRetry:
      break;
    case CommitStatus::kLost:  // as little can be asked of it as of a committed one
    case CommitStatus::kCommitted:
      entry->state = State::kSettled;
      if (may_release(*entry)) {
        decision.to_release.push_back(std::move(entry->committable));
        entries_.erase(entry);
      }
      break;
  }
  return decision;
}

size_t CommitTracker::unsettled() const {
  return entries_.size() - count(State::kSettled);
}

std::optional<CheckpointId> CommitTracker::oldest_committing() const {
  for (const Entry& entry : entries_) {
    if (entry.state == State::kCommitting) return CheckpointId(entry.committable.checkpoint_id);
  }
  return std::nullopt;
}

size_t CommitTracker::count(State state) const {
  return std::count_if(entries_.begin(), entries_.end(),
                       [&](const Entry& entry) { return entry.state == state; });
}

bool CommitTracker::may_release(const Entry& entry) const {
  return entry.state == State::kSettled && complete_ && *complete_ > entry.last_carrier;
}

}  // namespace weir
