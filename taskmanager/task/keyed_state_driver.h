#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "taskmanager/state/keyed_state_backend.h"
#include "taskmanager/task/checkpoint_trigger.h"
#include "taskmanager/task/state_storages.h"
#include "taskmanager/task/task_spec.h"
#include "weir/operator.h"

namespace weir {

// Drives the keyed state of one operator: its backend, its restore, its snapshots in slices.
//
// Confined to its task's thread. Outlives the operator, whose state refers to the backend. Methods
// throw Error.
class KeyedStateDriver {
 public:
  // Called on any thread, at most once for each snapshot.
  using OnStored = std::function<void(CheckpointId, absl::StatusOr<pb::KeyedStateHandle> handle)>;

  // Gives the operator its state. `name` tells this operator's subtask from all others of the job.
  KeyedStateDriver(Operator& op, const TaskSpec& spec, std::string name,
                   std::unique_ptr<KeyedStateBackend> backend, OnStored on_stored);

  // After the operator has declared its states.
  void restore(const pb::OperatorState& restored);
  // At the barrier. An open snapshot is finished first.
  void begin_snapshot(const CheckpointTrigger& trigger);
  bool snapshot_open() const { return state_.snapshot_open(); }
  // Not while what was handed out isn't stored fast enough.
  bool snapshot_ready() const { return state_.snapshot_ready(); }
  // The next slice of it.
  void continue_snapshot();
  // Forgets the checkpoint's snapshot, if it is open.
  void abandon_snapshot(CheckpointId checkpoint);
  void on_checkpoint_complete(CheckpointId checkpoint) {
    backend_->checkpoint_completed(checkpoint.value());
  }

 private:
  const TaskSpec& spec_;
  const std::string name_;
  const OnStored on_stored_;
  StateStorages storages_;
  const std::unique_ptr<KeyedStateBackend> backend_;
  KeyedStateBase& state_;
  std::optional<CheckpointId> last_snapshot_;
};

}  // namespace weir
