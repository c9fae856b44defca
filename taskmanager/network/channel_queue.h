#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "common/mutex.h"
#include "taskmanager/network/buffer_pool.h"
#include "taskmanager/network/event.h"

namespace weir {

// What waits in one channel, on its way from a producing task to a reading one. A channel within a
// TaskManager is one such queue, which both tasks use; a channel between two has one at each end.
//
// Its length is bounded by the buffers of who pushes: a sender's quota, a receiver's credit.
//
// Thread-safe; one pushes, one pops. The listener is called on the thread that pushes, without
// locks.
class ChannelQueue {
 public:
  // Who pops.
  class Listener {
   public:
    virtual ~Listener() = default;
    // Something waits where nothing did, or a priority event came.
    virtual void on_waiting(int channel, bool priority) = 0;
    // Nothing will come any more, and what waited is gone.
    virtual void on_failed(int channel, const absl::Status& status) = 0;
  };

  struct Item {
    std::variant<Buffer, Event> content;
    bool priority = false;                 // it was pushed as a priority event
    std::vector<Buffer> overtaken = {};    // that it took with it
    std::shared_ptr<void> departure = {};  // let go once it is popped, or dropped
  };
  enum class Take { kAnything, kEvents, kPriorityEvents };
  struct Popped {
    std::optional<Item> item;
    bool more = false;           // something waits still
    bool more_priority = false;  // a priority event does
    int buffers_waiting = 0;
  };

  // `channel` is the listener's own number. What waits already is told at once.
  // AlreadyExists if there is one.
  absl::Status attach(std::weak_ptr<Listener> listener, int channel);
  // Pops no more. What waits stays, so the producer stands still.
  void detach();

  void push(Buffer buffer) { push(Item{std::move(buffer)}); }
  void push(Event event, std::shared_ptr<void> departure = nullptr) {
    push(Item{.content = event, .departure = std::move(departure)});
  }
  // Ahead of everything but earlier priority events. Returns the buffers that it overtakes.
  std::vector<Buffer> push_priority(Event event);
  // The same, where the buffers that it overtakes are given to who pops it. If the same barrier
  // waits in its order already, those before it.
  void push_priority_with_overtaken(Event event);
  // The barrier, pushed in its order before, goes ahead of what still waits before it, which is
  // returned. One that was popped already is pushed once more, to be known at the other end.
  std::vector<Buffer> push_ahead(Event barrier);
  // The same for who pops, and gets what it overtakes. Nothing happens if it doesn't wait.
  void pull_ahead(CheckpointId checkpoint);

  // kEvents takes the next item only if it's an event, kPriorityEvents if it's a priority one.
  Popped pop(Take take);

  // The first status stays; nothing happens if the partition has ended. Later pushes are dropped.
  void fail(const absl::Status& status);

  std::vector<Buffer> buffers() const;
  bool empty() const;
  bool ended() const;  // the end of the partition was popped

 private:
  struct Attached {
    std::shared_ptr<Listener> listener;
    int channel = 0;
  };

  void push(Item item);
  Attached attached_locked() const WEIR_REQUIRES(mutex_) { return {listener_.lock(), channel_}; }
  std::vector<Buffer> buffers_locked() const WEIR_REQUIRES(mutex_);
  // Takes the barrier, which waits in its order, out; its `overtaken` are the buffers before it.
  std::optional<Item> extract_barrier_locked(CheckpointId checkpoint) WEIR_REQUIRES(mutex_);

  mutable Mutex mutex_;
  std::deque<Item> priority_ WEIR_GUARDED_BY(mutex_);
  std::deque<Item> items_ WEIR_GUARDED_BY(mutex_);
  int buffers_waiting_ WEIR_GUARDED_BY(mutex_) = 0;
  bool ended_ WEIR_GUARDED_BY(mutex_) = false;
  bool has_listener_ WEIR_GUARDED_BY(mutex_) = false;
  std::weak_ptr<Listener> listener_ WEIR_GUARDED_BY(mutex_);
  int channel_ WEIR_GUARDED_BY(mutex_) = 0;
  absl::Status failure_ WEIR_GUARDED_BY(mutex_);
};

}  // namespace weir
