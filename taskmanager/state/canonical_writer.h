#pragma once

#include <memory>

#include "absl/status/status.h"
#include "proto/checkpoint.pb.h"
#include "taskmanager/state/entry_buffer.h"
#include "taskmanager/state/keyed_state_backend.h"
#include "taskmanager/state/local_copies.h"

namespace weir {

// Writes the canonical files of one snapshot. One thread at a time.
class CanonicalWriter {
 public:
  // More entries than this go to another file; each file is in memory while it is written.
  static constexpr std::size_t kFileBytes = 16 << 20;

  // `description`: describe_state(). `copies` may be null.
  CanonicalWriter(SnapshotTarget target, pb::KeyedStateHandle description,
                  std::shared_ptr<LocalCopies> copies);

  // One file, durably. No key may be in two.
  absl::Status write(EntryBuffer entries);
  // REQUIRES: every write was OK.
  const pb::KeyedStateHandle& handle() const { return handle_; }
  const SnapshotTarget& target() const { return target_; }

 private:
  const SnapshotTarget target_;
  const std::shared_ptr<LocalCopies> copies_;
  pb::KeyedStateHandle handle_;
};

}  // namespace weir
