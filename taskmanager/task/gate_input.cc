#include "taskmanager/task/gate_input.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <variant>

#include "taskmanager/network/take_element.h"
#include "weir/codec.h"
#include "weir/error.h"

namespace weir {
namespace {

int count_channels(const std::vector<GateInput::Gate>& gates) {
  int channels = 0;
  for (const GateInput::Gate& gate : gates) channels += gate.gate->channels();
  return channels;
}

}  // namespace

GateInput::GateInput(std::vector<Gate> gates, OutputBase& head, BarrierAligner::Mode mode,
                     Callbacks callbacks)
    : gates_(std::move(gates)),
      head_(head),
      callbacks_(std::move(callbacks)),
      aligner_(count_channels(gates_), mode),
      valve_(count_channels(gates_)) {
  for (Gate& gate : gates_) {
    first_channel_.push_back(static_cast<int>(channels_.size()));
    for (int i = 0; i < gate.gate->channels(); ++i) channels_.push_back({&gate, i, {}});
  }
}

void GateInput::open(uint64_t) {
  for (Gate& gate : gates_) gate.gate->start();
}

PollStatus GateInput::poll(std::chrono::milliseconds wait) {
  bool polled = poll_gates();
  if (!polled && wait.count() > 0) {
    wait_for_wake_up(wait);
    polled = poll_gates();
  }
  if (valve_.ended() && !std::exchange(end_told_, true)) return PollStatus::kEndOfInput;
  return polled ? PollStatus::kMoreAvailable : PollStatus::kIdle;
}

bool GateInput::poll_gates() {
  for (size_t i = 0; i < gates_.size(); ++i) {
    const size_t gate = next_gate_;
    next_gate_ = (next_gate_ + 1) % gates_.size();
    std::optional<InputGate::Item> item = gates_[gate].gate->poll();
    if (!item) continue;
    const int channel = first_channel_[gate] + item->channel;
    if (const Event* event = std::get_if<Event>(&item->content)) {
      on_event(channel, *event);
    } else {
      batch_ = std::move(std::get<Buffer>(item->content));
      on_buffer(channel);
    }
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
  MutexLock lock(mutex_);
  woken_ = true;
  changed_.notify_all();
}

void GateInput::on_buffer(int channel) {
  RecordReceiver& receiver = *channels_[channel].gate->receiver;
  std::string_view elements = channels_[channel].assembler.add(batch_);
  counts_.bytes += batch_.size();
  while (!elements.empty()) {
    auto [kind, payload] = take_element(elements);
    switch (kind) {
      case ElementKind::kRecord:
        records_.push_back({kNoTimestamp, payload});
        break;
      case ElementKind::kTimedRecord: {
        const Timestamp timestamp = Codec<Timestamp>::decode(payload);
        records_.push_back({timestamp, payload});
        break;
      }
      case ElementKind::kWatermark:
        deliver(receiver);
        pass_on(valve_.on_watermark(channel, Codec<Timestamp>::decode(payload)));
        break;
      case ElementKind::kStatus:
        deliver(receiver);
        pass_on(valve_.on_idle(channel, Codec<bool>::decode(payload)));
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

void GateInput::on_event(int channel, const Event& event) {
  switch (event.kind) {
    case Event::Kind::kBarrier:
      on_barrier(channel, event);
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

void GateInput::on_barrier(int channel, const Event& barrier) {
  const CheckpointTrigger trigger = trigger_of(barrier);
  alignments_.try_emplace(barrier.checkpoint, Alignment{trigger, SystemClock::instance().now(),
                                                        start_delay_of(trigger)});
  const BarrierAligner::Decision decision = aligner_.on_barrier(channel, barrier.checkpoint);
  if (aligner_.blocked(channel)) {
    channels_[channel].gate->gate->block(channels_[channel].index);
  }
  execute(decision, "the barrier of a newer checkpoint came before the last of its own");
}

void GateInput::on_checkpoint_aborted(CheckpointId checkpoint) {
  execute(aligner_.on_abort(checkpoint), "");
}

void GateInput::execute(const BarrierAligner::Decision& decision, const std::string& why_given_up) {
  for (const CheckpointId checkpoint : decision.aborted) {
    alignments_.erase(checkpoint);
    callbacks_.give_up_checkpoint(checkpoint, why_given_up);
  }
  if (decision.taken) {
    const Alignment alignment = alignments_.at(*decision.taken);
    alignments_.erase(alignments_.begin(), alignments_.upper_bound(*decision.taken));
    callbacks_.take_checkpoint(alignment.trigger,
                               {.start_delay = alignment.start_delay,
                                .alignment = std::chrono::duration_cast<std::chrono::microseconds>(
                                    SystemClock::instance().now() - alignment.begin)});
  }
  for (const int channel : decision.unblocked) {
    channels_[channel].gate->gate->unblock(channels_[channel].index);
  }
}

}  // namespace weir
