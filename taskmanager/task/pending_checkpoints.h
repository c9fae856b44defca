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

  // `parts`: operators whose keyed state is still to come, and the records in flight if there may
  // be any. What is complete is returned.
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
    return part_stored(found, now);
  }

  // The records in flight, if there were any, are stored; they stand at the operator `uid`.
  Acknowledgement on_in_flight_stored(CheckpointId checkpoint, const std::string& uid,
                                      pb::InFlightHandle handle, MonotonicTime now) {
    const auto found = pending_.find(checkpoint);
    if (found == pending_.end()) return std::nullopt;
    pb::AcknowledgeCheckpoint& acknowledge = found->second.acknowledge;
    for (const pb::InFlightHandle::Stream& stream : handle.streams()) {
      acknowledge.set_persisted_bytes(acknowledge.persisted_bytes() + stream.bytes());
    }
    if (handle.streams_size() > 0) {
      *state_of(uid, acknowledge).mutable_in_flight() = std::move(handle);
    }
    return part_stored(found, now);
  }

  // Null if it isn't pending.
  pb::AcknowledgeCheckpoint* find(CheckpointId checkpoint) {
    const auto found = pending_.find(checkpoint);
    return found == pending_.end() ? nullptr : &found->second.acknowledge;
  }

  // False if it isn't pending.
  bool drop(CheckpointId checkpoint) { return pending_.erase(checkpoint) > 0; }

 private:
  struct Pending {
    pb::AcknowledgeCheckpoint acknowledge;
    int parts = 0;
    MonotonicTime begin;
  };

  using Pendings = std::map<CheckpointId, Pending>;

  Acknowledgement part_stored(Pendings::iterator found, MonotonicTime now) {
    Pending& pending = found->second;
    if (--pending.parts > 0) return std::nullopt;
    pending.acknowledge.set_async_duration_us(
        std::chrono::duration_cast<std::chrono::microseconds>(now - pending.begin).count());
    Acknowledgement complete = std::move(pending.acknowledge);
    pending_.erase(found);
    return complete;
  }
  static pb::OperatorState& state_of(const std::string& uid,
                                     pb::AcknowledgeCheckpoint& acknowledge) {
    for (pb::OperatorState& state : *acknowledge.mutable_operators()) {
      if (state.uid() == uid) return state;
    }
    pb::OperatorState& state = *acknowledge.add_operators();
    state.set_uid(uid);
    state.set_subtask(acknowledge.task().subtask());
    return state;
  }

  Pendings pending_;
};

}  // namespace weir
