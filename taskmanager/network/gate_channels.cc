#include "taskmanager/network/gate_channels.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/status.h"

namespace weir {

GateChannels::GateChannels(const InputGate::Options& options)
    : name_(options.name),
      channels_(options.channels),
      queues_(options.channels.size()),
      notifier_(options.on_available, options.on_failure, options.on_priority_event),
      states_(options.channels.size()) {}

void GateChannels::set_queue(int channel, std::shared_ptr<ChannelQueue> queue) {
  WEIR_CHECK(!queues_[channel]) << "channel " << channel << " of '" << name_ << "' is open";
  queues_[channel] = std::move(queue);
}

std::optional<GateChannels::Polled> GateChannels::poll() {
  while (const std::optional<Next> next = take_next()) {
    if (auto polled = pop(*next)) return polled;
  }
  return std::nullopt;
}

std::optional<GateChannels::Polled> GateChannels::poll_priority() {
  while (const std::optional<Next> next = take_next_priority()) {
    if (auto polled = pop(*next)) return polled;
  }
  return std::nullopt;
}

std::optional<GateChannels::Polled> GateChannels::pop(const Next& next) {
  ChannelQueue::Popped popped = queues_[next.channel]->pop(next.take);
  if (popped.more) {
    MutexLock lock(mutex_);
    mark_locked(next.channel, popped.more_priority);
  }
  if (!popped.item) return std::nullopt;
  return Polled{next.channel, *std::move(popped.item)};
}

std::optional<GateChannels::Next> GateChannels::take_next() {
  MutexLock lock(mutex_);
  if (auto next = take_next_priority_locked()) return next;
  if (failed_) return std::nullopt;
  if (!ready_.empty()) {
    const int channel = ready_.front();
    ready_.pop_front();
    states_[channel].ready = false;
    return Next{channel, ChannelQueue::Take::kAnything};
  }
  idle_ = true;
  return std::nullopt;
}

std::optional<GateChannels::Next> GateChannels::take_next_priority() {
  MutexLock lock(mutex_);
  return take_next_priority_locked();
}

std::optional<GateChannels::Next> GateChannels::take_next_priority_locked() {
  if (failed_ || priority_ready_.empty()) return std::nullopt;
  const int channel = priority_ready_.front();
  priority_ready_.pop_front();
  states_[channel].priority_ready = false;
  return Next{channel, ChannelQueue::Take::kPriorityEvents};
}

void GateChannels::mark_locked(int channel, bool priority) {
  State& state = states_[channel];
  if (priority) {
    if (!std::exchange(state.priority_ready, true)) priority_ready_.push_back(channel);
  } else if (state.blocked) {
    state.waiting = true;
  } else if (!std::exchange(state.ready, true)) {
    ready_.push_back(channel);
  }
}

void GateChannels::block(int channel) {
  MutexLock lock(mutex_);
  State& state = states_[channel];
  state.blocked = true;
  if (std::exchange(state.ready, false)) {
    state.waiting = true;
    ready_.erase(std::find(ready_.begin(), ready_.end(), channel));
  }
}

void GateChannels::unblock(int channel) {
  MutexLock lock(mutex_);
  State& state = states_[channel];
  state.blocked = false;
  if (std::exchange(state.waiting, false)) mark_locked(channel, false);
}

void GateChannels::fail(const absl::Status& status) {
  {
    MutexLock lock(mutex_);
    failed_ = true;
  }
  notifier_.failed(Annotate(status, absl::StrCat("input of '", name_, "'")));
}

void GateChannels::close() {
  notifier_.detach();
  for (const auto& queue : queues_) {
    if (queue) queue->detach();
  }
}

void GateChannels::on_waiting(int channel, bool priority) {
  bool wake = false;
  {
    MutexLock lock(mutex_);
    mark_locked(channel, priority);
    wake = idle_ && !(ready_.empty() && priority_ready_.empty());
    if (wake) idle_ = false;
  }
  if (wake) notifier_.available();
  if (priority) notifier_.event();
}

void GateChannels::on_failed(int channel, const absl::Status& status) {
  fail(Annotate(status, to_string(channels_[channel].partition)));
}

}  // namespace weir
