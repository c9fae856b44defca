#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "common/ids.h"

namespace weir {

// Decides when a task with several input channels takes the snapshot of a checkpoint: when its
// barrier has come on every channel that hasn't ended.
//
// Exactly-once: a channel whose barrier has come is blocked until the others' have, so at most one
// checkpoint aligns at a time. At-least-once: nothing is blocked and several may align at once.
// Barriers come in the order of their ids on each channel; one that skips a checkpoint aborts it.
//
// Pure: no thread, clock or I/O. Not thread-safe. (After Carbone et al., "Lightweight asynchronous
// snapshots for distributed dataflows".)
class BarrierAligner {
 public:
  enum class Mode { kExactlyOnce, kAtLeastOnce };

  struct Decision {
    std::vector<CheckpointId> aborted;  // these won't be taken: pass the abort on; first of all
    std::optional<CheckpointId> taken;  // take the snapshot, then send the barrier on
    std::vector<int> unblocked;         // channels to read on from, after the snapshot
  };

  BarrierAligner(int channels, Mode mode);

  // REQUIRES: the channel isn't blocked and hasn't ended.
  Decision on_barrier(int channel, CheckpointId checkpoint);
  // The checkpoint is given up, perhaps before any of its barriers came.
  Decision on_abort(CheckpointId checkpoint);
  // No barrier will come on this channel any more: nobody waits for it.
  Decision on_end_of_channel(int channel);

  bool blocked(int channel) const { return channels_[channel].blocked; }

 private:
  struct Channel {
    bool blocked = false;
    bool ended = false;
    std::optional<CheckpointId> last_barrier;
  };

  bool passed(const Channel& channel, CheckpointId checkpoint) const;
  bool complete(CheckpointId checkpoint) const;
  void give_up(CheckpointId checkpoint, Decision& decision);
  void take_complete(Decision& decision);
  void unblock_all(Decision& decision);
  void forget_past_aborts();

  const Mode mode_;
  std::vector<Channel> channels_;
  std::map<CheckpointId, std::set<int>> aligning_;  // the channels whose barrier has come
  std::set<CheckpointId> aborted_;                  // whose barriers may still come
  std::optional<CheckpointId> last_taken_;
};

}  // namespace weir
