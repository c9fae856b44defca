#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/mutex.h"
#include "taskmanager/network/channel_queue.h"
#include "taskmanager/network/input_gate.h"
#include "taskmanager/network/task_notifier.h"

namespace weir {

// The part of an input gate that its channels share: which of them have something waiting.
//
// Thread-safe; poll, block and unblock on the task's thread only.
class GateChannels final : public ChannelQueue::Listener {
 public:
  struct Polled {
    int channel = 0;
    ChannelQueue::Item item;
  };

  explicit GateChannels(const InputGate::Options& options);

  // Task's thread, before anything of the channel can be polled.
  void set_queue(int channel, std::shared_ptr<ChannelQueue> queue);
  ChannelQueue* queue(int channel) { return queues_[channel].get(); }

  std::optional<Polled> poll();
  std::optional<Polled> poll_priority();
  void block(int channel);
  void unblock(int channel);

  void fail(const absl::Status& status);
  // The gate goes: no callback runs any more.
  void close();

  void on_waiting(int channel, bool priority) override;
  void on_failed(int channel, const absl::Status& status) override;

 private:
  struct State {
    bool ready = false;           // in ready_
    bool priority_ready = false;  // in priority_ready_
    bool blocked = false;
    bool waiting = false;  // would be ready if it weren't blocked
  };
  struct Next {
    int channel = 0;
    ChannelQueue::Take take = ChannelQueue::Take::kAnything;
  };

  std::optional<Next> take_next();
  std::optional<Next> take_next_priority();
  std::optional<Next> take_next_priority_locked() WEIR_REQUIRES(mutex_);
  std::optional<Polled> pop(const Next& next);
  void mark_locked(int channel, bool priority) WEIR_REQUIRES(mutex_);

  const std::string name_;
  const std::vector<InputChannel> channels_;
  std::vector<std::shared_ptr<ChannelQueue>> queues_;  // task's thread
  TaskNotifier notifier_;

  Mutex mutex_;
  std::vector<State> states_ WEIR_GUARDED_BY(mutex_);
  std::deque<int> ready_ WEIR_GUARDED_BY(mutex_);
  std::deque<int> priority_ready_ WEIR_GUARDED_BY(mutex_);
  bool idle_ WEIR_GUARDED_BY(mutex_) = true;  // the task waits for on_available
  bool failed_ WEIR_GUARDED_BY(mutex_) = false;
};

// Where the channels of one gate come from. Confined to the gate's thread.
class ChannelSource {
 public:
  virtual ~ChannelSource() = default;
  // Gives the gate the queue of its channel `index`. What goes wrong, now or later, comes by
  // gate->on_failed.
  virtual void open(const InputChannel& channel, int index,
                    const std::shared_ptr<GateChannels>& gate) = 0;
  // Both ends in this TaskManager: one queue for both.
  virtual bool is_local(const InputChannel& channel) const = 0;
  // Nothing more is sent to the gate.
  virtual void close() = 0;
};

}  // namespace weir
