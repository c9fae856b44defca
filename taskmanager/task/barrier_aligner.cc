#include "taskmanager/task/barrier_aligner.h"

#include <algorithm>

#include "common/check.h"

namespace weir {

BarrierAligner::BarrierAligner(int channels, Mode mode) : mode_(mode), channels_(channels) {
  WEIR_CHECK(channels > 0);
}

BarrierAligner::Decision BarrierAligner::on_barrier(int channel, CheckpointId checkpoint) {
  Channel& input = channels_[channel];
  WEIR_CHECK(!input.blocked && !input.ended)
      << "barrier " << checkpoint << " on channel " << channel << " that is blocked or has ended";
  WEIR_CHECK(!input.last_barrier || checkpoint > *input.last_barrier)
      << "barrier " << checkpoint << " after " << *input.last_barrier << " on channel " << channel;
  Decision decision;
  std::vector<CheckpointId> skipped;
  for (const auto& [older, arrived] : aligning_) {
    if (older < checkpoint && !arrived.contains(channel)) skipped.push_back(older);
  }
  for (CheckpointId older : skipped) give_up(older, decision);
  const bool skipped_elsewhere =
      !aligning_.contains(checkpoint) &&
      std::any_of(channels_.begin(), channels_.end(),
                  [&](const Channel& other) { return !other.ended && passed(other, checkpoint); });
  input.last_barrier = checkpoint;
  const bool settled = aborted_.contains(checkpoint) || (last_taken_ && checkpoint <= *last_taken_);
  if (!settled && skipped_elsewhere) {
    give_up(checkpoint, decision);
  } else if (!settled) {
    aligning_[checkpoint].insert(channel);
    if (mode_ == Mode::kExactlyOnce) input.blocked = true;
    take_complete(decision);
  }
  std::erase(decision.unblocked, channel);  // it was being read: nothing to resume
  forget_past_aborts();
  return decision;
}

BarrierAligner::Decision BarrierAligner::on_abort(CheckpointId checkpoint) {
  Decision decision;
  if (last_taken_ && checkpoint <= *last_taken_) return decision;
  if (!aborted_.contains(checkpoint)) give_up(checkpoint, decision);
  forget_past_aborts();
  return decision;
}

BarrierAligner::Decision BarrierAligner::on_end_of_channel(int channel) {
  Decision decision;
  channels_[channel].ended = true;
  channels_[channel].blocked = false;
  take_complete(decision);
  forget_past_aborts();
  return decision;
}

bool BarrierAligner::passed(const Channel& channel, CheckpointId checkpoint) const {
  return channel.last_barrier && *channel.last_barrier >= checkpoint;
}

bool BarrierAligner::complete(CheckpointId checkpoint) const {
  const std::set<int>& arrived = aligning_.at(checkpoint);
  for (int channel = 0; channel < static_cast<int>(channels_.size()); ++channel) {
    if (!channels_[channel].ended && !arrived.contains(channel)) return false;
  }
  return true;
}

void BarrierAligner::give_up(CheckpointId checkpoint, Decision& decision) {
  aborted_.insert(checkpoint);
  decision.aborted.push_back(checkpoint);
  if (aligning_.erase(checkpoint) > 0) unblock_all(decision);
}

void BarrierAligner::take_complete(Decision& decision) {
  const auto newest = std::find_if(aligning_.rbegin(), aligning_.rend(),
                                   [&](const auto& entry) { return complete(entry.first); });
  if (newest == aligning_.rend()) return;
  last_taken_ = decision.taken = newest->first;
  aligning_.erase(newest->first);
  unblock_all(decision);
  while (!aligning_.empty() && aligning_.begin()->first < *last_taken_) {
    give_up(aligning_.begin()->first, decision);  // the newer one covers it
  }
}

void BarrierAligner::unblock_all(Decision& decision) {
  for (int channel = 0; channel < static_cast<int>(channels_.size()); ++channel) {
    if (!channels_[channel].blocked) continue;
    channels_[channel].blocked = false;
    decision.unblocked.push_back(channel);
  }
}

void BarrierAligner::forget_past_aborts() {
  std::erase_if(aborted_, [&](CheckpointId checkpoint) {
    return std::all_of(channels_.begin(), channels_.end(), [&](const Channel& channel) {
      return channel.ended || passed(channel, checkpoint);
    });
  });
}

}  // namespace weir
