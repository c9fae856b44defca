#include "taskmanager/task/keyed_state_driver.h"

#include <utility>
#include <vector>

#include "common/fault_point.h"
#include "common/log.h"
#include "weir/error.h"

namespace weir {
namespace {

// Some hundred microseconds of work between two batches.
constexpr size_t kEntriesPerSlice = 1000;

void throw_if(const absl::Status& status) {
  if (status.ok()) return;
  // The job and what it restores don't fit: no restart helps.
  if (absl::IsFailedPrecondition(status)) throw FatalError(std::string(status.message()));
  throw Error(std::string(status.message()));
}

StateStorages::Place open_place(StateStorages& storages, const std::string& address,
                                int components) {
  auto place = storages.open(address, components);
  throw_if(place.status());
  return *std::move(place);
}

KeyedStateBase& create_state(Operator& op, StateBackend& backend, const TaskSpec& spec) {
  KeyedStateBase* const state =
      op.create_keyed_state(backend, spec.key_groups, spec.max_parallelism);
  if (state == nullptr) throw FatalError("a keyed operator has no keyed state");
  return *state;
}

}  // namespace

KeyedStateDriver::KeyedStateDriver(Operator& op, const TaskSpec& spec, std::string name,
                                   std::unique_ptr<KeyedStateBackend> backend, OnStored on_stored)
    : spec_(spec),
      name_(std::move(name)),
      on_stored_(std::move(on_stored)),
      backend_(std::move(backend)),
      state_(create_state(op, backend_->state_backend(), spec)) {}

void KeyedStateDriver::restore(const pb::OperatorState& restored) {
  WEIR_FAULT_POINT("task.restoring_state");
  // Files are called by whole addresses in checkpoints, within their storage here.
  std::vector<pb::KeyedStateHandle> handles(restored.keyed().begin(), restored.keyed().end());
  std::vector<RestoreSource> sources;
  RestoredFiles files;
  for (pb::KeyedStateHandle& handle : handles) {
    StateStorages::Place place;
    for (pb::KeyedStateHandle::File& file : *handle.mutable_files()) {
      const StateStorages::Place of_file = open_place(storages_, file.path(), 2);
      if (place.storage != nullptr && place.storage != of_file.storage) {
        throw Error("a checkpoint's state is in both " + place.root + " and " + of_file.root);
      }
      place = of_file;
      file.set_path(of_file.path);
    }
    if (place.storage == nullptr) continue;  // no entries
    sources.push_back({.handle = &handle,
                       .storage = place.storage,
                       .own = place.root == spec_.own_state_root,
                       .files = &files});
  }
  throw_if(backend_->restore(state_, sources, spec_.allow_non_restored_state));
  LogContext context;
  context.job = JobId::parse(spec_.attempt.job_id);
  context.attempt = Attempt(spec_.attempt.attempt);
  WEIR_LOG_INFO(context,
                "keyed state {} is restored: {} bytes from copies on this machine, {} bytes from "
                "the checkpoint's storage",
                name_, files.local_bytes.load(), files.stored_bytes.load());
}

void KeyedStateDriver::begin_snapshot(const CheckpointTrigger& trigger) {
  const StateStorages::Place place = open_place(storages_, trigger.folder, 1);
  // Savepoints have nothing to share; the shared folder of checkpoints is beside their own ones.
  const std::string prefix = place.root + "/";
  const std::string shared = trigger.shared_folder.starts_with(prefix)
                                 ? trigger.shared_folder.substr(prefix.size())
                                 : place.path;
  last_snapshot_ = trigger.checkpoint;
  backend_->begin_snapshot(state_,
                           {.storage = place.storage,
                            .folder = place.path,
                            .shared_folder = shared,
                            .name = name_,
                            .checkpoint_id = trigger.checkpoint.value(),
                            .canonical = trigger.savepoint || !spec_.incremental_checkpoints,
                            .savepoint = trigger.savepoint},
                           [on_stored = on_stored_, checkpoint = trigger.checkpoint,
                            storage = place.storage](absl::StatusOr<pb::KeyedStateHandle> handle) {
                             if (handle.ok()) {
                               for (pb::KeyedStateHandle::File& file : *handle->mutable_files()) {
                                 file.set_path(storage->url_of(file.path()));
                               }
                             }
                             on_stored(checkpoint, std::move(handle));
                           });
}

void KeyedStateDriver::continue_snapshot() {
  WEIR_FAULT_POINT("task.state_slice");
  state_.snapshot_some(kEntriesPerSlice);
}

void KeyedStateDriver::abandon_snapshot(CheckpointId checkpoint) {
  if (last_snapshot_ == checkpoint) backend_->abandon_snapshot(state_);
  backend_->checkpoint_aborted(checkpoint.value());
}

}  // namespace weir
