#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/ids.h"
#include "weir/sink.h"

namespace weir {

// Decides what becomes of the committables of one sink subtask in one attempt:
//
//   prepared ──notified──▶ committing ──committed or lost──▶ settled ──later checkpoint──▶ released
//
// - Every snapshot carries every committable that isn't settled (known to be committed, or lost),
//   whatever became of the checkpoint that prepared it: declining or aborting one changes nothing.
// - A notification n commits everything prepared by barriers ≤ n; a late, repeated or foreign one
//   commits nothing.
// - A committable is released, so that its transactional id may be used again, when it is settled
//   and a checkpoint later than the last that carried it is complete. Savepoints carry as
//   checkpoints do; a plain one is never notified, so it frees nothing.
// - The sink is behind while kCommittingMax commits are under way: it should take no more records.
//   Only those count, because nothing but the external system holds them up. What waits for a
//   checkpoint mustn't stop records, which the checkpoint's barrier may stand behind.
//
// Pure: no thread, clock or I/O. Not thread-safe.
class CommitTracker {
 public:
  struct Decision {
    std::vector<Committable> to_commit;   // oldest first; once each
    std::vector<Committable> to_release;  // oldest first; once each
  };

  // The barrier of a checkpoint or savepoint prepared these; returns all that its snapshot carries,
  // oldest first. Fails when the sink names a transaction twice.
  // REQUIRES: barriers come with growing ids.
  absl::StatusOr<std::vector<Committable>> on_barrier(CheckpointId checkpoint,
                                                      std::vector<Committable> prepared);

  // The checkpoint is complete and the job's recovery point.
  Decision on_notify(CheckpointId checkpoint);

  // What the committer said about a committable of to_commit. After kRetry whoever commits tries
  // again: nothing changes here. A transaction that isn't being committed is ignored.
  Decision on_commit_result(std::string_view transaction, CommitStatus status);

  // How many aren't settled.
  size_t unsettled() const;

  static constexpr size_t kCommittingMax = 4;
  size_t committing() const { return count(State::kCommitting); }
  bool is_behind() const { return committing() >= kCommittingMax; }
  std::optional<CheckpointId> oldest_committing() const;

 private:
  enum class State { kPrepared, kCommitting, kSettled };

  struct Entry {
    Committable committable;
    State state = State::kPrepared;
    CheckpointId last_carrier;
  };

  size_t count(State state) const;
  bool may_release(const Entry& entry) const;

  std::vector<Entry> entries_;  // in the order of their barriers
  std::optional<CheckpointId> last_barrier_;
  std::optional<CheckpointId> complete_;  // the largest notified
};

}  // namespace weir
