#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/mutex.h"
#include "taskmanager/network/buffer_pool.h"
#include "taskmanager/network/channel_queue.h"
#include "taskmanager/network/partition_id.h"
#include "taskmanager/network/task_notifier.h"

namespace weir {

// The part of a result partition that its readers share: a queue for each of its channels, and the
// quota that bounds them.
//
// Thread-safe.
class PartitionChannels final : public BufferQuota::Listener,
                                public std::enable_shared_from_this<PartitionChannels> {
 public:
  PartitionChannels(PartitionId id, std::string name, int channels,
                    std::unique_ptr<BufferQuota> quota, TaskNotifier::OnAvailable on_available,
                    TaskNotifier::OnFailure on_failure);

  const PartitionId& id() const { return id_; }
  const std::string& name() const { return name_; }
  int size() const { return static_cast<int>(queues_.size()); }
  ChannelQueue& queue(int channel) { return *queues_[channel]; }
  const std::shared_ptr<ChannelQueue>& shared_queue(int channel) { return queues_[channel]; }
  BufferQuota& quota() { return *quota_; }

  // Has a buffer for who writes; if not, on_available follows once one is there.
  bool has_buffer();
  // What an event holds while it waits: when the last one lets it go, on_available follows.
  std::shared_ptr<void> make_departure();
  // Who reads the channel is gone: fails the producing task, unless it had read everything.
  void on_reader_lost(int channel, const absl::Status& status);
  // The producing task is gone: fails the readers that haven't read everything.
  void close(const absl::Status& status);
  absl::Status failure() const;

  void on_recycled(int tag) override;

 private:
  const PartitionId id_;
  const std::string name_;
  const std::unique_ptr<BufferQuota> quota_;
  std::vector<std::shared_ptr<ChannelQueue>> queues_;
  TaskNotifier notifier_;
  std::atomic<bool> awaits_buffer_{false};
  mutable Mutex mutex_;
  absl::Status failure_ WEIR_GUARDED_BY(mutex_);
};

// The partitions that tasks of this TaskManager produce.
//
// Thread-safe.
class PartitionRegistry {
 public:
  absl::Status add(std::shared_ptr<PartitionChannels> partition);
  void remove(const PartitionId& id);
  // NotFound names the partition.
  absl::StatusOr<std::shared_ptr<PartitionChannels>> find(const PartitionId& id, int channel) const;

 private:
  mutable Mutex mutex_;
  std::map<PartitionId, std::shared_ptr<PartitionChannels>> partitions_ WEIR_GUARDED_BY(mutex_);
};

}  // namespace weir
