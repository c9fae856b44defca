#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "common/ids.h"

namespace weir {

// Decides when a task with several input channels takes the snapshot of a checkpoint, and what of
// its inputs belongs to the checkpoint besides.
//
// Aligned, exactly-once: a channel whose barrier has come is blocked until the others' have, so at
// most one checkpoint aligns at a time. At-least-once: nothing is blocked and several may align at
// once. Barriers come in the order of their ids on each channel; one that skips a checkpoint aborts
// it.
//
// Unaligned: a barrier that came ahead of records, or a timeout, ends the alignment. The snapshot
// is taken without the barriers that are missing, and what is read of their channels until those
// come is recorded in the checkpoint. Channels that keep their order (Channel::kInOrder) are waited
// for all the same, while the others stay blocked.
//
// Pure: no thread, clock or I/O. Not thread-safe. (After Carbone et al., "Lightweight asynchronous
// snapshots for distributed dataflows", and the unaligned checkpoints of Flink's FLIP-76.)
class BarrierAligner {
 public:
  enum class Mode { kExactlyOnce, kAtLeastOnce };
  enum class Channel { kOvertakable, kInOrder };

  struct Decision {
    // The barrier counts: what it overtook belongs to the checkpoint.
    bool accepted = false;
    // These come to nothing: pass the abort on, forget what was recorded; first of all.
    std::vector<CheckpointId> aborted;
    std::optional<CheckpointId> taken;     // take the snapshot, then send the barrier on
    bool unaligned = false;                // `taken` is: its barrier goes ahead of what waits
    std::vector<int> unblocked;            // channels to read on from, after the snapshot
    std::optional<CheckpointId> recorded;  // an unaligned one's last barrier has come
  };

  BarrierAligner(int channels, Mode mode);
  BarrierAligner(std::vector<Channel> channels, Mode mode);

  // `ahead`: it overtook records, or is sent to do so after it came in its order. REQUIRES: it
  // comes ahead, or the channel isn't blocked and hasn't ended.
  Decision on_barrier(int channel, CheckpointId checkpoint, bool ahead = false);
  // The alignment has taken as long as it may.
  Decision on_timeout(CheckpointId checkpoint);
  // The checkpoint is given up, perhaps before any of its barriers came.
  Decision on_abort(CheckpointId checkpoint);
  // No barrier will come on this channel any more: nobody waits for it.
  Decision on_end_of_channel(int channel);

  bool blocked(int channel) const { return inputs_[channel].blocked; }
  // The unaligned checkpoint that what is read of the channel belongs to.
  std::optional<CheckpointId> records(int channel) const {
    if (!recording_ || !recording_->missing.contains(channel)) return std::nullopt;
    return recording_->checkpoint;
  }

 private:
  struct Input {
    Channel kind = Channel::kOvertakable;
    bool blocked = false;
    bool ended = false;
    std::optional<CheckpointId> last_barrier;
  };
  struct Recording {
    CheckpointId checkpoint;
    std::set<int> missing;  // channels whose barrier hasn't come
  };

  int channels() const { return static_cast<int>(inputs_.size()); }
  bool passed(const Input& input, CheckpointId checkpoint) const;
  bool settled(CheckpointId checkpoint) const;
  bool complete(CheckpointId checkpoint) const;
  bool begins(int channel, CheckpointId checkpoint, bool ahead, Decision& decision);
  void give_up(CheckpointId checkpoint, Decision& decision);
  void take_complete(Decision& decision);
  void record(CheckpointId checkpoint, const std::set<int>& arrived, Decision& decision);
  void on_recorded(int channel, Decision& decision);
  void unblock_all(Decision& decision);
  void forget_past_aborts();

  const Mode mode_;
  std::vector<Input> inputs_;
  std::map<CheckpointId, std::set<int>> aligning_;  // the channels whose barrier has come
  std::optional<CheckpointId> unaligned_;           // of aligning_: waits for kInOrder only
  std::optional<Recording> recording_;              // taken
  std::set<CheckpointId> aborted_;                  // whose barriers may still come
  std::optional<CheckpointId> last_taken_;
};

}  // namespace weir
