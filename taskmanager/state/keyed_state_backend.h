#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/storage/checkpoint_storage.h"
#include "proto/checkpoint.pb.h"
#include "weir/state/backend.h"
#include "weir/state/keyed_state.h"

namespace weir {

// Where a snapshot goes.
struct SnapshotTarget {
  storage::CheckpointStorage* storage = nullptr;  // outlives the backend
  std::string folder = {};         // of what is this checkpoint's alone: "<job>/chk-7"
  std::string shared_folder = {};  // of what later checkpoints may name too: "<job>/shared"
  std::string name = {};  // of the operator's subtask, unique in both folders and every attempt
  std::int64_t checkpoint_id = 0;
  // In the format that every backend reads: savepoints, and what isn't to be incremental.
  bool canonical = false;
  bool savepoint = false;  // nobody restarts from it
};

// Called once on a thread of the backend's own, unless the snapshot is abandoned or the backend
// destroyed before. An error leaves files in `folder`, for whoever deletes it.
using SnapshotDone = absl::AnyInvocable<void(absl::StatusOr<pb::KeyedStateHandle>)>;

// Whence the files of a restore came.
struct RestoredFiles {
  std::atomic<std::uint64_t> local{0}, local_bytes{0};    // copies on this machine
  std::atomic<std::uint64_t> stored{0}, stored_bytes{0};  // from the checkpoint's storage
};

// What a task gets back: one of the handles whose key groups overlap its own.
struct RestoreSource {
  const pb::KeyedStateHandle* handle = nullptr;
  storage::CheckpointStorage* storage = nullptr;  // outlives the backend
  // Of this job's own checkpoints: the next one may name its shared files again.
  bool own = false;
  RestoredFiles* files = nullptr;  // counted there, if not null
};

// Where the keyed state of one operator in one subtask lives.
//
//   KeyedState<K> state(backend.state_backend(), range, max_parallelism);   // the operator's
//   … the operator opens and declares its states …
//   backend.restore(state, sources, false);
//   … records …
//   backend.begin_snapshot(state, target, done);      // at the barrier: constant time
//   while (!state.snapshot_some(1000)) { … records … }  // then the backend goes on by itself
//
// Thread rule: the task's thread. Destroyed after the KeyedState that uses it.
class KeyedStateBackend {
 public:
  virtual ~KeyedStateBackend() = default;

  virtual StateBackend& state_backend() = 0;

  // Takes the state's key groups out of the sources. A state that the job no longer declares is
  // refused, unless `allow_non_restored_state`. FailedPrecondition, naming the state, for other
  // types; DataLoss, naming the file, for what isn't as it was written.
  virtual absl::Status restore(KeyedStateBase& state, std::span<const RestoreSource> sources,
                               bool allow_non_restored_state) = 0;

  // An open snapshot is finished first.
  virtual void begin_snapshot(KeyedStateBase& state, SnapshotTarget target, SnapshotDone done) = 0;
  // Forgets the snapshot, if it is open still; done isn't called.
  virtual void abandon_snapshot(KeyedStateBase& state) = 0;

  // Of checkpoints, not savepoints. Only files of completed checkpoints are named again.
  virtual void checkpoint_completed(std::int64_t checkpoint_id) = 0;
  virtual void checkpoint_aborted(std::int64_t checkpoint_id) = 0;
};

}  // namespace weir
