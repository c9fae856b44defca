#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>

#include "common/clock.h"
#include "common/ids.h"
#include "proto/control.pb.h"

namespace weir {

// Acknowledgements that wait until the asynchronous parts of their snapshots are stored.
//
// Pure: no thread, clock or I/O. Not thread-safe.
class PendingCheckpoints {
 public:
  using Acknowledgement = std::optional<pb::AcknowledgeCheckpoint>;

  // `parts`: operators whose keyed state is still to come. What is complete is returned.
  Acknowledgement add(pb::AcknowledgeCheckpoint acknowledge, int parts, MonotonicTime now) {
    if (parts == 0) return acknowledge;
    const CheckpointId checkpoint(acknowledge.checkpoint_id());
    pending_[checkpoint] = {std::move(acknowledge), parts, now};
    return std::nullopt;
  }

  // The keyed state of the operator `uid` is stored. Nothing happens for a checkpoint that isn't
  // pending any more.
  Acknowledgement on_stored(CheckpointId checkpoint, const std::string& uid,
                            pb::KeyedStateHandle handle, MonotonicTime now) {
    const auto found = pending_.find(checkpoint);
    if (found == pending_.end()) return std::nullopt;
    Pending& pending = found->second;
    for (pb::OperatorState& state : *pending.acknowledge.mutable_operators()) {
      if (state.uid() == uid) *state.add_keyed() = std::move(handle);
    }
    if (--pending.parts > 0) return std::nullopt;
    pending.acknowledge.set_async_duration_us(
        std::chrono::duration_cast<std::chrono::microseconds>(now - pending.begin).count());
    Acknowledgement complete = std::move(pending.acknowledge);
    pending_.erase(found);
    return complete;
  }

  // False if it isn't pending.
  bool drop(CheckpointId checkpoint) { return pending_.erase(checkpoint) > 0; }

 private:
  struct Pending {
    pb::AcknowledgeCheckpoint acknowledge;
    int parts = 0;
    MonotonicTime begin;
  };

  std::map<CheckpointId, Pending> pending_;
};

}  // namespace weir
