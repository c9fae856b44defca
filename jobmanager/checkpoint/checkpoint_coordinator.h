#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/ids.h"
#include "jobmanager/checkpoint/commit_permit.h"
#include "jobmanager/plan/job_plan.h"
#include "proto/checkpoint.pb.h"

namespace weir {

struct CheckpointOptions {
  std::optional<std::chrono::milliseconds> interval{};  // none: only on demand
  std::chrono::milliseconds timeout{std::chrono::minutes(10)};
  std::chrono::milliseconds min_pause{0};
  int32_t max_concurrent = 1;
  // Barriers may overtake others: nothing is triggered while anything hasn't been acknowledged.
  bool unaligned = false;
  int32_t tolerable_failures = 0;  // consecutive
};

enum class CheckpointKind {
  kCheckpoint,
  kSavepoint,      // published for its owner only: commits nothing, is no recovery point
  kStopSavepoint,  // sources stop behind the barrier; a recovery point
  kRescale,        // the job goes on from it at another parallelism; a recovery point
  kFinal,          // of a job whose input has ended; a recovery point
};

constexpr bool is_savepoint(CheckpointKind kind) {
  return kind == CheckpointKind::kSavepoint || kind == CheckpointKind::kStopSavepoint;
}
constexpr bool is_recovery_point(CheckpointKind kind) {
  return kind != CheckpointKind::kSavepoint;
}
// The job ends with it.
constexpr bool is_last(CheckpointKind kind) {
  return kind == CheckpointKind::kStopSavepoint || kind == CheckpointKind::kFinal;
}

// --- decisions ---

// Send TriggerCheckpoint to everything that runs a part of the attempt.
struct TriggerDecision {
  CheckpointId checkpoint;
  CheckpointKind kind;
  std::string directory;  // of a savepoint; "": the configured one
};
// All have acknowledged: write it down and answer with on_publication().
struct PublishDecision {
  CheckpointId checkpoint;
  CheckpointKind kind;
  std::string directory;  // of a savepoint; "": the configured one
  std::vector<pb::OperatorState> operators;
  std::vector<pb::CoordinatorState> coordinators;
};
// Send NotifyCheckpointComplete.
struct NotifyDecision {
  CommitPermit permit;
};
// Send NotifyCheckpointAborted.
struct AbortDecision {
  CheckpointId checkpoint;
  CheckpointKind kind;
  std::string cause;
  std::vector<pb::OperatorState> operators{};  // what was acknowledged, and is to be deleted
};
// A checkpoint of any kind came to its good end.
struct CompletedDecision {
  CheckpointId checkpoint;
  CheckpointKind kind;
};
// The attempt can't go on: too many failures, or one that can't be tolerated.
struct FailAttemptDecision {
  std::string cause;
};
// Raise next_checkpoint_id in the job's record to `end`, then call on_ids_reserved(end).
struct ReserveIdsDecision {
  CheckpointId end;
};

using CheckpointDecision =
    std::variant<TriggerDecision, PublishDecision, NotifyDecision, AbortDecision, CompletedDecision,
                 FailAttemptDecision, ReserveIdsDecision>;
using CheckpointDecisions = std::vector<CheckpointDecision>;

// What became of a PublishDecision.
struct SavepointWritten {};  // plain savepoints
struct PublicationFailed {
  std::string cause;
};
struct PublicationUnknown {};  // being read back; a second outcome follows
using PublicationOutcome =
    std::variant<CommitPermit, SavepointWritten, PublicationFailed, PublicationUnknown>;

// Decides when checkpoints are taken and what becomes of them. Pure: events in, decisions out, the
// time is passed in. One lives as long as its job's controller; start() and stop() frame attempts.
//
// Invariants: an id is used once, ever. At most one recovery point is being published at a time, in
// the order of ids. A checkpoint of which anything failed is never published.
class CheckpointCoordinator {
 public:
  // Ids are taken from `next` on; those below `reserved_end` are durably reserved already.
  CheckpointCoordinator(CheckpointOptions options, CheckpointId next, CheckpointId reserved_end);

  // The attempt runs. With `trigger_now`, after a restore, the first checkpoint is due at once.
  CheckpointDecisions start(Attempt attempt, std::vector<TaskIndex> tasks,
                            std::vector<std::string> coordinators, bool trigger_now,
                            MonotonicTime now);
  // The attempt is over: pending checkpoints are dropped. Publications in flight still report; with
  // `some_go_on` what they complete is notified, to the tasks that are left.
  CheckpointDecisions stop(const std::string& cause, bool some_go_on = false);

  // What is due by now: triggers and timeouts. Call again at next_wakeup().
  CheckpointDecisions on_time(MonotonicTime now);
  std::optional<MonotonicTime> next_wakeup() const;

  // On demand: ignores interval and pause; a checkpoint (not a savepoint or a last one) waits while
  // max_concurrent are under way. FailedPrecondition: nothing runs, or the job is ending.
  absl::StatusOr<CheckpointId> request(CheckpointKind kind, std::string directory,
                                       MonotonicTime now, CheckpointDecisions& decisions);

  CheckpointDecisions on_ids_reserved(CheckpointId end, MonotonicTime now);
  CheckpointDecisions on_task_acknowledged(Attempt attempt, TaskIndex task, CheckpointId checkpoint,
                                           std::vector<pb::OperatorState> states,
                                           MonotonicTime now);
  CheckpointDecisions on_coordinator_acknowledged(Attempt attempt, const std::string& uid,
                                                  CheckpointId checkpoint, std::string state,
                                                  MonotonicTime now);
  CheckpointDecisions on_declined(Attempt attempt, TaskIndex task, CheckpointId checkpoint,
                                  const std::string& cause, MonotonicTime now);
  CheckpointDecisions on_publication(CheckpointId checkpoint, PublicationOutcome outcome,
                                     MonotonicTime now);

  // That haven't acknowledged yet; none if it isn't under way.
  std::vector<TaskIndex> tasks_missing(CheckpointId checkpoint) const;
  bool publishing() const { return !publishing_.empty(); }
  size_t in_progress() const { return pending_.size() + publishing_.size(); }

 private:
  struct Pending {
    CheckpointKind kind = CheckpointKind::kCheckpoint;
    std::string directory;
    MonotonicTime deadline;
    std::set<TaskIndex> tasks_missing;
    std::set<std::string> coordinators_missing;
    std::vector<pb::OperatorState> operators;
    std::vector<pb::CoordinatorState> coordinators;
  };
  struct Publishing {
    Attempt attempt;
    CheckpointKind kind = CheckpointKind::kCheckpoint;
  };
  struct Waiting {  // has its id, but there is no room, or the id isn't reserved durably yet
    CheckpointId checkpoint;
    CheckpointKind kind = CheckpointKind::kCheckpoint;
    std::string directory;
  };

  bool room_for(CheckpointKind kind) const;
  void schedule_next(MonotonicTime now);
  void trigger_waiting(MonotonicTime now, CheckpointDecisions& decisions);
  void reserve_ids(CheckpointDecisions& decisions);
  void publish_if_complete(CheckpointId checkpoint, CheckpointDecisions& decisions);
  // Recovery points one after the other, by id.
  void publish_next(CheckpointDecisions& decisions);
  void drop_subsumed(CheckpointId by, CheckpointDecisions& decisions);
  void fail(CheckpointId checkpoint, CheckpointKind kind, const std::string& cause,
            CheckpointDecisions& decisions);

  const CheckpointOptions options_;
  CheckpointId next_id_;
  CheckpointId reserved_end_;
  bool reserving_ = false;

  bool running_ = false;
  bool some_go_on_ = false;  // while it isn't running_
  bool ending_ = false;      // the last checkpoint was asked for
  Attempt attempt_;
  std::vector<TaskIndex> tasks_;
  std::vector<std::string> coordinators_;
  std::optional<MonotonicTime> next_periodic_;
  int32_t consecutive_failures_ = 0;
  std::vector<Waiting> waiting_;  // by id
  std::map<CheckpointId, Pending> pending_;
  std::map<CheckpointId, PublishDecision> ready_;  // acknowledged, wait for the publication before
  std::map<CheckpointId, Publishing> publishing_;
};

}  // namespace weir
