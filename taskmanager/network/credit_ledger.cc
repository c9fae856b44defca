#include "taskmanager/network/credit_ledger.h"

#include <algorithm>
#include <utility>

#include "common/check.h"

namespace weir {

CreditLedger::CreditLedger(int channels, int buffers)
    : channels_(channels), floating_(buffers - channels * kExclusive) {
  WEIR_CHECK(floating_ >= 0) << buffers << " buffers for " << channels << " channels";
}

CreditLedger::Grants CreditLedger::on_buffer(int channel, int backlog) {
  WEIR_CHECK(has_credit(channel)) << "channel " << channel;
  Channel& state = channels_[channel];
  --state.granted;
  ++state.held;
  state.backlog = backlog;
  wait_in_turn(channel);
  Grants grants;
  give_floating(grants);
  return grants;
}

CreditLedger::Grants CreditLedger::on_recycled(int channel) {
  Channel& state = channels_[channel];
  WEIR_CHECK(state.held > 0) << "channel " << channel;
  const int before = claim(state);
  --state.held;
  Grants grants;
  if (!state.ended && state.granted + state.held < kExclusive) {
    ++state.granted;
    grants.push_back({channel, 1});
  }
  floating_ += before - claim(state);
  give_floating(grants);
  return grants;
}

CreditLedger::Grants CreditLedger::on_end(int channel) {
  Channel& state = channels_[channel];
  const int before = claim(state);
  state.ended = true;
  state.granted = 0;
  floating_ += before - claim(state);
  Grants grants;
  give_floating(grants);
  return grants;
}

int CreditLedger::claim(const Channel& channel) {
  return channel.ended ? channel.held : std::max(kExclusive, channel.granted + channel.held);
}

void CreditLedger::wait_in_turn(int channel) {
  if (!std::exchange(channels_[channel].in_turn, true)) turns_.push_back(channel);
}

void CreditLedger::give_floating(Grants& grants) {
  while (floating_ > 0 && !turns_.empty()) {
    const int channel = turns_.front();
    turns_.pop_front();
    Channel& state = channels_[channel];
    state.in_turn = false;
    if (state.ended || state.granted >= state.backlog) continue;
    const int before = claim(state);
    ++state.granted;
    floating_ -= claim(state) - before;
    grants.push_back({channel, 1});
    wait_in_turn(channel);
  }
}

}  // namespace weir
