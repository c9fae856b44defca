#include "taskmanager/task/gate_input.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <variant>

#include "taskmanager/task/element_reader.h"

namespace weir {
namespace {

int count_channels(const std::vector<GateInput::Gate>& gates) {
  int channels = 0;
  for (const GateInput::Gate& gate : gates) channels += gate.gate->channels();
  return channels;
}

std::vector<BarrierAligner::Channel> kinds_of_channels(const std::vector<GateInput::Gate>& gates) {
  std::vector<BarrierAligner::Channel> kinds;
  for (const GateInput::Gate& gate : gates) {
    kinds.insert(kinds.end(), gate.gate->channels(), gate.channels);
  }
  return kinds;
}

// A chain that writes 1000 records a second is back soon enough for a barrier that came ahead.
constexpr size_t kRecordsPerPart = 64;

}  // namespace

GateInput::GateInput(std::vector<Gate> gates, OutputBase& head, BarrierAligner::Mode mode,
                     InFlightRecorder* recorder, RestoredRecords restored, Callbacks callbacks)
    : gates_(std::move(gates)),
      head_(head),
      callbacks_(std::move(callbacks)),
      aligner_(kinds_of_channels(gates_), mode),
      valve_(count_channels(gates_)),
      recorder_(recorder),
      restored_(std::move(restored)),
      records_per_poll_(recorder == nullptr ? std::numeric_limits<size_t>::max()
                                            : kRecordsPerPart) {
  for (Gate& gate : gates_) {
    first_channel_.push_back(static_cast<int>(channels_.size()));
    for (int i = 0; i < gate.gate->channels(); ++i) channels_.push_back({&gate, i, {}});
  }
}

void GateInput::open(uint64_t) {
  for (Gate& gate : gates_) gate.gate->start();
}

PollStatus GateInput::poll(std::chrono::milliseconds wait) {
  bool polled = poll_once();
  if (!polled && wait.count() > 0) {
    wait_for_wake_up(wait);
    polled = poll_once();
  }
  if (valve_.ended() && !std::exchange(end_told_, true)) return PollStatus::kEndOfInput;
  return polled ? PollStatus::kMoreAvailable : PollStatus::kIdle;
}

bool GateInput::poll_once() {
  if (!restored_.done()) {
    counts_.records += restored_.feed(kRecordsPerPart);
    return true;
  }
  if (!rest_.empty()) {
    feed_rest(records_per_poll_);
    return true;
  }
  return poll_gates();
}

void GateInput::poll_events() {
  if (recorder_ == nullptr) return;
  for (size_t gate = 0; gate < gates_.size(); ++gate) {
    while (std::optional<InputGate::Item> item = gates_[gate].gate->poll_priority()) {
      on_item(first_channel_[gate] + item->channel, *std::move(item));
    }
  }
  if (aligning_.empty()) return;
  const MonotonicTime now = SystemClock::instance().now();
  std::vector<CheckpointId> timed_out;
  for (auto& [checkpoint, aligning] : aligning_) {
    if (aligning.timeout > now) continue;
    aligning.timeout = MonotonicTime::max();
    timed_out.push_back(checkpoint);
  }
  for (const CheckpointId checkpoint : timed_out) execute(aligner_.on_timeout(checkpoint), "");
}

MonotonicTime GateInput::next_timeout() const {
  MonotonicTime next = MonotonicTime::max();
  for (const auto& [checkpoint, aligning] : aligning_) next = std::min(next, aligning.timeout);
  return next;
}

bool GateInput::poll_gates() {
  for (size_t i = 0; i < gates_.size(); ++i) {
    const size_t gate = next_gate_;
    next_gate_ = (next_gate_ + 1) % gates_.size();
    std::optional<InputGate::Item> item = gates_[gate].gate->poll();
    if (!item) continue;
    on_item(first_channel_[gate] + item->channel, *std::move(item));
    return true;
  }
  return false;
}

void GateInput::wait_for_wake_up(std::chrono::milliseconds wait) {
  const MonotonicTime deadline = SystemClock::instance().now() + wait;
  MutexLock lock(mutex_);
  while (!woken_ && changed_.wait_until(mutex_, deadline)) {
  }
  woken_ = false;
}

void GateInput::wake_up() {
  {
    MutexLock lock(mutex_);
    if (std::exchange(woken_, true)) return;
  }
  changed_.notify_all();  // without the lock, which the thread that wakes needs
}

void GateInput::on_buffer(int channel) {
  if (const auto checkpoint = aligner_.records(channel)) {
    record(channel, aligning_.at(*checkpoint).trigger, batch_);
  }
  rest_ = channels_[channel].assembler.add(batch_);
  rest_channel_ = channel;
  counts_.bytes += batch_.size();
  feed_rest(records_per_poll_);
}

void GateInput::feed_rest(size_t records_max) {
  RecordReceiver& receiver = *channels_[rest_channel_].gate->receiver;
  size_t fed = 0;
  for (; !rest_.empty() && fed < records_max; ++fed) {
    Element element = take_element(rest_);
    if (const auto record = record_of(element)) {
      records_.push_back(*record);
      continue;
    }
    deliver(receiver);
    switch (element.kind) {
      case ElementKind::kWatermark:
        pass_on(valve_.on_watermark(rest_channel_, Codec<Timestamp>::decode(element.payload)));
        break;
      case ElementKind::kStatus:
        pass_on(valve_.on_idle(rest_channel_, Codec<bool>::decode(element.payload)));
        break;
      default:
        throw Error(
            "received an element of unknown kind: the other TaskManager is of another version");
    }
  }
  deliver(receiver);
}

void GateInput::deliver(RecordReceiver& receiver) {
  if (records_.empty()) return;
  counts_.records += records_.size();
  receiver.receive(records_);
  records_.clear();
}

void GateInput::pass_on(const WatermarkValve::Decision& decision) {
  if (decision.idle == false) head_.idle(false);
  if (decision.watermark) head_.watermark(*decision.watermark);
  if (decision.idle == true) head_.idle(true);
}

void GateInput::on_item(int channel, InputGate::Item item) {
  if (Buffer* buffer = std::get_if<Buffer>(&item.content)) {
    batch_ = std::move(*buffer);
    on_buffer(channel);
    return;
  }
  const Event& event = std::get<Event>(item.content);
  switch (event.kind) {
    case Event::Kind::kBarrier:
      on_barrier(channel, item, event);
      break;
    case Event::Kind::kAbortCheckpoint:
      on_checkpoint_aborted(event.checkpoint);
      break;
    case Event::Kind::kEndOfPartition:
      pass_on(valve_.on_watermark(channel, kMaxWatermark));
      execute(aligner_.on_end_of_channel(channel), "a newer checkpoint is complete");
      break;
  }
}

void GateInput::on_barrier(int channel, const InputGate::Item& item, const Event& barrier) {
  const CheckpointTrigger trigger = trigger_of(barrier);
  const bool recorded_before = aligner_.records(channel) == barrier.checkpoint;
  const BarrierAligner::Decision decision =
      aligner_.on_barrier(channel, barrier.checkpoint, item.priority);
  if (decision.accepted) {
    aligning_.try_emplace(
        barrier.checkpoint,
        Aligning{trigger, SystemClock::instance().now(),
                 recorder_ == nullptr ? MonotonicTime::max() : send_ahead_time_of(trigger),
                 start_delay_of(trigger), counts_.bytes});
  }
  if (aligner_.blocked(channel)) {
    channels_[channel].gate->gate->block(channels_[channel].index);
    // Before the snapshot, or after it and recorded: it can't wait in between.
    if (rest_channel_ == channel) feed_rest(std::numeric_limits<size_t>::max());
  }
  if (decision.accepted && item.priority) {
    if (!recorded_before) record_partial_buffer(channel, trigger);
    for (const Buffer& buffer : item.overtaken) record(channel, trigger, buffer);
  }
  execute(decision, "the barrier of a newer checkpoint came before the last of its own");
}

void GateInput::record_partial_buffer(int channel, const CheckpointTrigger& trigger) {
  if (rest_channel_ == channel) record(channel, trigger, std::string(rest_));
  record(channel, trigger, std::string(channels_[channel].assembler.incomplete()));
}

void GateInput::record(int channel, const CheckpointTrigger& trigger,
                       InFlightRecorder::Bytes bytes) {
  const Channel& recorded = channels_[channel];
  recorder_->record(trigger, recorded.gate->streams[recorded.index], std::move(bytes));
}

void GateInput::on_checkpoint_aborted(CheckpointId checkpoint) {
  execute(aligner_.on_abort(checkpoint), "");
}

void GateInput::execute(const BarrierAligner::Decision& decision, const std::string& why_given_up) {
  for (const CheckpointId checkpoint : decision.aborted) {
    aligning_.erase(checkpoint);
    callbacks_.give_up_checkpoint(checkpoint, why_given_up);
  }
  if (decision.taken) take(*decision.taken, decision.unaligned);
  for (const int channel : decision.unblocked) {
    channels_[channel].gate->gate->unblock(channels_[channel].index);
  }
  if (decision.recorded) {
    const Alignment alignment = alignment_of(aligning_.at(*decision.recorded));
    aligning_.erase(*decision.recorded);
    callbacks_.all_recorded(*decision.recorded, alignment);
  }
}

void GateInput::take(CheckpointId checkpoint, bool unaligned) {
  aligning_.erase(aligning_.begin(), aligning_.find(checkpoint));
  Aligning& aligning = aligning_.at(checkpoint);
  const CheckpointTrigger trigger = aligning.trigger;
  const Alignment alignment = alignment_of(aligning);
  aligning.timeout = MonotonicTime::max();
  if (!unaligned) aligning_.erase(checkpoint);
  for (int channel = 0; channel < static_cast<int>(channels_.size()); ++channel) {
    if (aligner_.records(channel) != checkpoint) continue;
    record_partial_buffer(channel, trigger);
    channels_[channel].gate->gate->pull_ahead(channels_[channel].index, checkpoint);
  }
  callbacks_.take_checkpoint(trigger, alignment, unaligned);
}

Alignment GateInput::alignment_of(const Aligning& aligning) const {
  return {.start_delay = aligning.start_delay,
          .duration = std::chrono::duration_cast<std::chrono::microseconds>(
              SystemClock::instance().now() - aligning.begin),
          .processed_bytes = counts_.bytes - aligning.bytes_before};
}

}  // namespace weir
