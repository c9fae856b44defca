#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "taskmanager/network/buffer_pool.h"
#include "taskmanager/network/event.h"
#include "taskmanager/network/partition_id.h"

namespace weir {

class ChannelSource;
class GateChannels;

// Where one channel of a gate comes from.
struct InputChannel {
  PartitionId partition;
  int channel = 0;      // of the partition
  std::string address;  // data address of the TaskManager that produces it, "host:port"
};

// All channels that one input edge of a task reads, one for each producing subtask.
//
//   gate->start();                              // when all producers are deployed
//   while (auto item = gate->poll()) { … }      // until on_available
//
// Channels with something waiting take turns, a buffer each; within a channel the order is the
// sender's, but for priority events, which come first, from blocked channels too.
//
// Confined to the task's thread. Made by the NetworkEnvironment, which outlives it.
class InputGate {
 public:
  struct Options {
    std::string name;  // the task's, for errors
    std::vector<InputChannel> channels;
    // On any thread; they only enqueue. None runs once the gate is gone.
    std::function<void()> on_available = {};  // poll() had nothing, and would have something
    std::function<void(const absl::Status&)> on_failure = {};  // at most once; poll() has nothing
    std::function<void()> on_priority_event = {};              // one came, whatever poll() had
  };
  struct Item {
    int channel = 0;  // index in Options::channels
    std::variant<Buffer, Event> content;
    bool priority = false;  // an event that came ahead
    // With a priority event from another TaskManager: what it overtook at this end. It is still
    // polled afterwards, and belongs to the checkpoint, as does what was polled of the channel
    // between the checkpoint's begin and this event.
    std::vector<Buffer> overtaken;
  };

  InputGate(Options options, std::unique_ptr<ChannelSource> source);
  InputGate(const InputGate&) = delete;
  InputGate& operator=(const InputGate&) = delete;
  ~InputGate();

  // Asks the producers for the channels. Once.
  void start();

  int channels() const { return static_cast<int>(options_.channels.size()); }

  std::optional<Item> poll();
  // Events that came ahead only.
  std::optional<Item> poll_priority();

  // From here on the channel gives priority events only: its barrier has come. The sender may fill
  // its credit and then stands still.
  void block(int channel);
  void unblock(int channel);
  // If the checkpoint's barrier waits at this end, it comes next, with what it overtakes.
  void pull_ahead(int channel, CheckpointId checkpoint);

  // What waits at this end. Nothing for a channel within this TaskManager, whose buffers are in its
  // partition's in_flight().
  std::vector<Buffer> queued(int channel) const;

 private:
  const Options options_;
  const std::unique_ptr<ChannelSource> source_;
  const std::shared_ptr<GateChannels> gate_;
};

}  // namespace weir
