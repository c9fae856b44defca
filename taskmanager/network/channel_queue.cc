#include "taskmanager/network/channel_queue.h"

#include <algorithm>
#include <utility>

namespace weir {
namespace {

bool is_buffer(const ChannelQueue::Item& item) {
  return std::holds_alternative<Buffer>(item.content);
}

bool ends_partition(const ChannelQueue::Item& item) {
  const Event* event = std::get_if<Event>(&item.content);
  return event && event->kind == Event::Kind::kEndOfPartition;
}

}  // namespace

absl::Status ChannelQueue::attach(std::weak_ptr<Listener> listener, int channel) {
  Attached attached;
  absl::Status failure;
  bool waiting = false;
  bool priority = false;
  {
    MutexLock lock(mutex_);
    if (has_listener_) return absl::AlreadyExistsError("is read already");
    has_listener_ = true;
    listener_ = std::move(listener);
    channel_ = channel;
    attached = attached_locked();
    failure = failure_;
    waiting = !items_.empty();
    priority = !priority_.empty();
  }
  if (!attached.listener) return absl::OkStatus();
  if (!failure.ok()) attached.listener->on_failed(channel, failure);
  if (priority) attached.listener->on_waiting(channel, true);
  if (waiting) attached.listener->on_waiting(channel, false);
  return absl::OkStatus();
}

void ChannelQueue::detach() {
  MutexLock lock(mutex_);
  listener_.reset();
}

void ChannelQueue::push(Item item) {
  Attached attached;
  {
    MutexLock lock(mutex_);
    if (!failure_.ok()) return;  // the item goes after the lock, as it's the caller's
    if (items_.empty()) attached = attached_locked();
    buffers_waiting_ += is_buffer(item);
    items_.push_back(std::move(item));
  }
  if (attached.listener) attached.listener->on_waiting(attached.channel, false);
}

std::vector<Buffer> ChannelQueue::push_priority(Event event) {
  Attached attached;
  std::vector<Buffer> overtaken;
  {
    MutexLock lock(mutex_);
    if (!failure_.ok()) return {};
    attached = attached_locked();
    overtaken = buffers_locked();
    priority_.push_back(Item{event, true});
  }
  if (attached.listener) attached.listener->on_waiting(attached.channel, true);
  return overtaken;
}

void ChannelQueue::push_priority_with_overtaken(Event event) {
  Attached attached;
  {
    MutexLock lock(mutex_);
    if (!failure_.ok()) return;
    attached = attached_locked();
    std::optional<Item> waiting = extract_barrier_locked(event.checkpoint);
    priority_.push_back(
        Item{event, true, waiting ? std::move(waiting->overtaken) : buffers_locked()});
  }
  if (attached.listener) attached.listener->on_waiting(attached.channel, true);
}

std::vector<Buffer> ChannelQueue::push_ahead(Event barrier) {
  Attached attached;
  std::optional<Item> waiting;  // goes after the lock, with its departure
  {
    MutexLock lock(mutex_);
    if (!failure_.ok() || ended_) return {};
    attached = attached_locked();
    waiting = extract_barrier_locked(barrier.checkpoint);
    priority_.push_back(Item{barrier, true});
  }
  if (attached.listener) attached.listener->on_waiting(attached.channel, true);
  return waiting ? std::move(waiting->overtaken) : std::vector<Buffer>();
}

void ChannelQueue::pull_ahead(CheckpointId checkpoint) {
  Attached attached;
  {
    MutexLock lock(mutex_);
    std::optional<Item> waiting = extract_barrier_locked(checkpoint);
    if (!waiting) return;
    attached = attached_locked();
    waiting->priority = true;
    priority_.push_back(*std::move(waiting));
  }
  if (attached.listener) attached.listener->on_waiting(attached.channel, true);
}

ChannelQueue::Popped ChannelQueue::pop(Take take) {
  MutexLock lock(mutex_);
  Popped popped;
  if (!priority_.empty()) {
    popped.item = std::move(priority_.front());
    priority_.pop_front();
  } else if (!items_.empty() &&
             (take == Take::kAnything || (take == Take::kEvents && !is_buffer(items_.front())))) {
    popped.item = std::move(items_.front());
    items_.pop_front();
    buffers_waiting_ -= is_buffer(*popped.item);
    ended_ = ended_ || ends_partition(*popped.item);
  }
  popped.more_priority = !priority_.empty();
  popped.more = popped.more_priority || !items_.empty();
  popped.buffers_waiting = buffers_waiting_;
  return popped;
}

void ChannelQueue::fail(const absl::Status& status) {
  Attached attached;
  std::deque<Item> priority;  // go after the lock: their quota's listener is called
  std::deque<Item> items;
  {
    MutexLock lock(mutex_);
    if (!failure_.ok() || ended_) return;
    failure_ = status;
    priority.swap(priority_);
    items.swap(items_);
    buffers_waiting_ = 0;
    attached = attached_locked();
  }
  if (attached.listener) attached.listener->on_failed(attached.channel, status);
}

std::vector<Buffer> ChannelQueue::buffers() const {
  MutexLock lock(mutex_);
  return buffers_locked();
}

bool ChannelQueue::empty() const {
  MutexLock lock(mutex_);
  return priority_.empty() && items_.empty();
}

bool ChannelQueue::ended() const {
  MutexLock lock(mutex_);
  return ended_;
}

std::optional<ChannelQueue::Item> ChannelQueue::extract_barrier_locked(CheckpointId checkpoint) {
  const auto barrier = std::find_if(items_.begin(), items_.end(), [&](const Item& item) {
    const Event* event = std::get_if<Event>(&item.content);
    return event && event->kind == Event::Kind::kBarrier && event->checkpoint == checkpoint;
  });
  if (barrier == items_.end()) return std::nullopt;
  std::optional<Item> extracted = std::move(*barrier);
  for (auto item = items_.begin(); item != barrier; ++item) {
    if (is_buffer(*item)) extracted->overtaken.push_back(std::get<Buffer>(item->content));
  }
  items_.erase(barrier);
  return extracted;
}

std::vector<Buffer> ChannelQueue::buffers_locked() const {
  std::vector<Buffer> buffers;
  for (const Item& item : items_) {
    if (is_buffer(item)) buffers.push_back(std::get<Buffer>(item.content));
  }
  return buffers;
}

}  // namespace weir
