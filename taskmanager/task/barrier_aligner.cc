#include "taskmanager/task/barrier_aligner.h"

#include <algorithm>

#include "common/check.h"

namespace weir {

BarrierAligner::BarrierAligner(int channels, Mode mode)
    : BarrierAligner(std::vector<Channel>(channels, Channel::kOvertakable), mode) {}

BarrierAligner::BarrierAligner(std::vector<Channel> channels, Mode mode) : mode_(mode) {
  WEIR_CHECK(!channels.empty());
  for (const Channel kind : channels) inputs_.emplace_back().kind = kind;
}

BarrierAligner::Decision BarrierAligner::on_barrier(int channel, CheckpointId checkpoint,
                                                    bool ahead) {
  Input& input = inputs_[channel];
  WEIR_CHECK(ahead || !(input.blocked || input.ended))
      << "barrier " << checkpoint << " on channel " << channel << " that is blocked or has ended";
  if (input.ended) return {};
  // It came in its order before, or a newer one overtook it.
  if (passed(input, checkpoint)) return ahead ? on_timeout(checkpoint) : Decision();
  Decision decision;
  if (recording_ && recording_->checkpoint == checkpoint) {
    input.last_barrier = checkpoint;
    decision.accepted = true;
    on_recorded(channel, decision);
  } else if (begins(channel, checkpoint, ahead, decision)) {
    decision.accepted = true;
    aligning_[checkpoint].insert(channel);
    if (mode_ == Mode::kExactlyOnce) input.blocked = true;
    if (ahead) unaligned_ = checkpoint;
    take_complete(decision);
  }
  // It waits now, or was being read all along.
  if (input.blocked || !ahead) std::erase(decision.unblocked, channel);
  forget_past_aborts();
  return decision;
}

BarrierAligner::Decision BarrierAligner::on_timeout(CheckpointId checkpoint) {
  Decision decision;
  if (mode_ != Mode::kExactlyOnce || !aligning_.contains(checkpoint)) return decision;
  unaligned_ = checkpoint;
  take_complete(decision);
  return decision;
}

BarrierAligner::Decision BarrierAligner::on_abort(CheckpointId checkpoint) {
  Decision decision;
  const bool recording = recording_ && recording_->checkpoint == checkpoint;
  if (last_taken_ && checkpoint <= *last_taken_ && !recording) return decision;
  if (!aborted_.contains(checkpoint)) give_up(checkpoint, decision);
  forget_past_aborts();
  return decision;
}

BarrierAligner::Decision BarrierAligner::on_end_of_channel(int channel) {
  Decision decision;
  inputs_[channel].ended = true;
  inputs_[channel].blocked = false;
  on_recorded(channel, decision);
  take_complete(decision);
  forget_past_aborts();
  return decision;
}

bool BarrierAligner::passed(const Input& input, CheckpointId checkpoint) const {
  return input.last_barrier && *input.last_barrier >= checkpoint;
}

bool BarrierAligner::settled(CheckpointId checkpoint) const {
  return aborted_.contains(checkpoint) || (last_taken_ && checkpoint <= *last_taken_);
}

// Whether nothing speaks against aligning for it; gives up those before it that it rules out.
bool BarrierAligner::begins(int channel, CheckpointId checkpoint, bool ahead, Decision& decision) {
  std::vector<CheckpointId> ruled_out;
  if (recording_ && recording_->checkpoint < checkpoint) {
    ruled_out.push_back(recording_->checkpoint);
  }
  for (const auto& [older, arrived] : aligning_) {
    if (older < checkpoint && (ahead || !arrived.contains(channel))) ruled_out.push_back(older);
  }
  for (const CheckpointId older : ruled_out) give_up(older, decision);
  const bool skipped_elsewhere =
      !aligning_.contains(checkpoint) &&
      std::any_of(inputs_.begin(), inputs_.end(),
                  [&](const Input& other) { return !other.ended && passed(other, checkpoint); });
  inputs_[channel].last_barrier = checkpoint;
  if (settled(checkpoint)) return false;
  if (skipped_elsewhere) give_up(checkpoint, decision);
  return !skipped_elsewhere;
}

bool BarrierAligner::complete(CheckpointId checkpoint) const {
  const std::set<int>& arrived = aligning_.at(checkpoint);
  for (int channel = 0; channel < channels(); ++channel) {
    const Input& input = inputs_[channel];
    const bool needed = input.kind == Channel::kInOrder || unaligned_ != checkpoint;
    if (needed && !input.ended && !arrived.contains(channel)) return false;
  }
  return true;
}

void BarrierAligner::give_up(CheckpointId checkpoint, Decision& decision) {
  aborted_.insert(checkpoint);
  decision.aborted.push_back(checkpoint);
  if (recording_ && recording_->checkpoint == checkpoint) recording_.reset();
  if (unaligned_ == checkpoint) unaligned_.reset();
  if (aligning_.erase(checkpoint) > 0) unblock_all(decision);
}

void BarrierAligner::take_complete(Decision& decision) {
  const auto newest = std::find_if(aligning_.rbegin(), aligning_.rend(),
                                   [&](const auto& entry) { return complete(entry.first); });
  if (newest == aligning_.rend()) return;
  const auto [checkpoint, arrived] = *newest;
  last_taken_ = decision.taken = checkpoint;
  aligning_.erase(checkpoint);
  if (unaligned_ == checkpoint) record(checkpoint, arrived, decision);
  unblock_all(decision);
  while (!aligning_.empty() && aligning_.begin()->first < checkpoint) {
    give_up(aligning_.begin()->first, decision);  // the newer one covers it
  }
}

void BarrierAligner::record(CheckpointId checkpoint, const std::set<int>& arrived,
                            Decision& decision) {
  unaligned_.reset();
  decision.unaligned = true;
  recording_ = Recording{checkpoint, {}};
  for (int channel = 0; channel < channels(); ++channel) {
    if (!inputs_[channel].ended && !arrived.contains(channel)) recording_->missing.insert(channel);
  }
  on_recorded(-1, decision);
}

void BarrierAligner::on_recorded(int channel, Decision& decision) {
  if (!recording_) return;
  recording_->missing.erase(channel);
  if (!recording_->missing.empty()) return;
  decision.recorded = recording_->checkpoint;
  recording_.reset();
}

void BarrierAligner::unblock_all(Decision& decision) {
  for (int channel = 0; channel < channels(); ++channel) {
    if (!inputs_[channel].blocked) continue;
    inputs_[channel].blocked = false;
    decision.unblocked.push_back(channel);
  }
}

void BarrierAligner::forget_past_aborts() {
  std::erase_if(aborted_, [&](CheckpointId checkpoint) {
    return std::all_of(inputs_.begin(), inputs_.end(), [&](const Input& input) {
      return input.ended || passed(input, checkpoint);
    });
  });
}

}  // namespace weir
