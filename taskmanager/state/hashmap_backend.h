#pragma once

#include <memory>
#include <span>

#include "common/mailbox.h"
#include "taskmanager/state/keyed_state_backend.h"
#include "weir/state/backend.h"

namespace weir {

// All state in memory; each snapshot is of everything, in canonical files. While the slices come,
// what is handed out is sorted and written by a thread of the backend's own; the slices wait for it
// when they are two files ahead.
class HashMapBackend final : public KeyedStateBackend {
 public:
  HashMapBackend();
  ~HashMapBackend() override;

  StateBackend& state_backend() override { return none_; }
  absl::Status restore(KeyedStateBase& state, std::span<const RestoreSource> sources,
                       bool allow_non_restored_state) override;
  void begin_snapshot(KeyedStateBase& state, SnapshotTarget target, SnapshotDone done) override;
  void abandon_snapshot(KeyedStateBase& state) override;
  void checkpoint_completed(std::int64_t) override {}

 private:
  class Snapshot;

  NoBackend none_;
  std::shared_ptr<Snapshot> snapshot_;  // the last one
  Mailbox writer_;
};

}  // namespace weir
