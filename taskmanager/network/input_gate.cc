#include "taskmanager/network/input_gate.h"

#include <utility>

#include "taskmanager/network/gate_channels.h"

namespace weir {

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
  std::optional<GateChannels::Polled> polled = gate_->poll();
  if (!polled) return std::nullopt;
  return Item{polled->channel, std::move(polled->item.content), std::move(polled->item.overtaken)};
}

void InputGate::block(int channel) {
  gate_->block(channel);
}

void InputGate::unblock(int channel) {
  gate_->unblock(channel);
}

std::vector<Buffer> InputGate::queued(int channel) const {
  const ChannelQueue* queue = gate_->queue(channel);
  if (!queue || source_->is_local(options_.channels[channel])) return {};
  return queue->buffers();
}

}  // namespace weir
