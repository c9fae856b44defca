#pragma once

#include "absl/status/status.h"
#include "proto/checkpoint.pb.h"
#include "taskmanager/state/entry_buffer.h"
#include "taskmanager/state/keyed_state_backend.h"

namespace weir {

// Writes the canonical files of one snapshot. One thread at a time.
class CanonicalWriter {
 public:
  // More entries than this go to another file; each file is in memory while it is written.
  static constexpr std::size_t kFileBytes = 16 << 20;

  // `description`: describe_state().
  CanonicalWriter(SnapshotTarget target, pb::KeyedStateHandle description);

  // One file, durably. No key may be in two.
  absl::Status write(EntryBuffer entries);
  // REQUIRES: every write was OK.
  const pb::KeyedStateHandle& handle() const { return handle_; }
  const SnapshotTarget& target() const { return target_; }

 private:
  const SnapshotTarget target_;
  pb::KeyedStateHandle handle_;
};

}  // namespace weir
