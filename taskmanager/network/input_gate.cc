#include "taskmanager/network/input_gate.h"

#include <utility>

#include "taskmanager/network/gate_channels.h"

namespace weir {
namespace {

std::optional<InputGate::Item> item_of(std::optional<GateChannels::Polled> polled) {
  if (!polled) return std::nullopt;
  ChannelQueue::Item& item = polled->item;
  return InputGate::Item{polled->channel, std::move(item.content), item.priority,
                         std::move(item.overtaken)};
}

}  // namespace

InputGate::InputGate(Options options, std::unique_ptr<ChannelSource> source)
    : options_(std::move(options)),
      source_(std::move(source)),
      gate_(std::make_shared<GateChannels>(options_)) {}

InputGate::~InputGate() {
  gate_->close();
  source_->close();
}

void InputGate::start() {
  for (int i = 0; i < channels(); ++i) source_->open(options_.channels[i], i, gate_);
}

std::optional<InputGate::Item> InputGate::poll() {
  return item_of(gate_->poll());
}

std::optional<InputGate::Item> InputGate::poll_priority() {
  return item_of(gate_->poll_priority());
}

void InputGate::block(int channel) {
  gate_->block(channel);
}

void InputGate::unblock(int channel) {
  gate_->unblock(channel);
}

void InputGate::pull_ahead(int channel, CheckpointId checkpoint) {
  if (ChannelQueue* queue = gate_->queue(channel)) queue->pull_ahead(checkpoint);
}

}  // namespace weir
