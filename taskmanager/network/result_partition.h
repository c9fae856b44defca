#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "common/clock.h"
#include "taskmanager/network/buffer_pool.h"
#include "taskmanager/network/event.h"
#include "taskmanager/network/partition_id.h"
#include "weir/exchange.h"

namespace weir {

class PartitionChannels;
class PartitionRegistry;

// What a task sends on one output edge: a channel for each subtask that reads it. Elements are
// collected in a buffer per channel and leave when it is full, at an event, or by flush().
//
//   while (partition->writable()) {
//     chain.process(batch);                                // write(channel, element) …
//     if (clock.now() >= partition->flush_deadline()) partition->flush();
//   }                                                      // until on_available; or, if there is
//                                                          // nothing to do, until flush_deadline()
//
// An element that doesn't fit what is left of a buffer begins a new one, so a reader finds whole
// elements in a buffer; only one that is larger than a buffer is divided (ElementAssembler).
//
// Confined to the task's thread, but for cancel() and the callbacks. Made by the
// NetworkEnvironment, which outlives it. Lives until its readers have taken everything
// (all_taken()): those that haven't fail when it goes.
class ResultPartition final : public ChannelWriter {
 public:
  struct Options {
    PartitionId id;
    std::string name;  // the task's, for errors
    int channels = 1;
    std::chrono::milliseconds buffer_timeout{100};  // 0: flush after each batch; negative: never
    int overdraft = 0;  // buffers that writes may take above the quota, where the pool has them
    // On any thread; they only enqueue. None runs once the partition is gone.
    // writable() said no, and would say yes; or event_waits() did, and doesn't any more.
    std::function<void()> on_available = {};
    std::function<void(const absl::Status&)> on_failure = {};  // a reader is gone; at most once
    const Clock* clock = &SystemClock::instance();
  };

  ResultPartition(Options options, std::shared_ptr<PartitionChannels> channels,
                  PartitionRegistry& registry);
  ResultPartition(const ResultPartition&) = delete;
  ResultPartition& operator=(const ResultPartition&) = delete;
  ~ResultPartition() override;

  const PartitionId& id() const { return options_.id; }

  // There is a buffer: another batch can be processed, and will not, or hardly, block.
  bool writable();

  // Sends what is partly filled, where the reader has taken everything before it: where it hasn't,
  // nothing would come earlier.
  void flush();
  // When flush() should be called; MonotonicTime::max() if there is nothing to flush.
  MonotonicTime flush_deadline() const { return flush_deadline_; }

  // After all that was written.
  void broadcast_event(const Event& event);
  // Overtakes what hasn't left this end yet, which is returned, by channel: it belongs to an
  // unaligned checkpoint. (Buffers of a channel in this TaskManager stay at this end until the
  // reader takes them.)
  std::vector<std::vector<Buffer>> broadcast_priority_event(const Event& event);
  // The barrier, broadcast as an event before, overtakes what still waits before it at this end,
  // which is returned, by channel. Readers that have it already learn that it's urgent.
  std::vector<std::vector<Buffer>> send_ahead(const Event& barrier);
  // The last event, a barrier that may be sent ahead, hasn't left this end on all channels yet.
  bool event_waits() const { return !last_event_.expired(); }

  // Since the partition was made.
  uint64_t bytes_sent() const { return bytes_sent_; }
  std::chrono::nanoseconds blocked() const { return blocked_; }  // in writes that waited

  // Sends all, and that nothing will follow.
  void finish();
  // The readers took everything, the end too.
  bool all_taken() const;
  // The readers that haven't taken everything fail with this.
  void fail(const absl::Status& status);
  // Any thread: a write that waits for a buffer throws, and so does every later one.
  void cancel();

 private:
  void write_slow(int channel, std::string_view element) override;
  void open_buffer(int channel);
  Buffer take_buffer();
  void append(int channel, std::string_view bytes);
  void send_open_buffer(int channel, bool continued);
  void send_all_open_buffers();
  size_t bytes_open(int channel) const;

  const Options options_;
  const std::shared_ptr<PartitionChannels> channels_;
  PartitionRegistry& registry_;
  std::vector<Buffer> open_;  // by channel: what spaces_ points into
  MonotonicTime flush_deadline_ = MonotonicTime::max();
  std::weak_ptr<void> last_event_;  // held by what waits in the channels
  uint64_t bytes_sent_ = 0;
  std::chrono::nanoseconds blocked_{0};
};

}  // namespace weir
