#include "taskmanager/network/partition_registry.h"

#include "absl/strings/str_cat.h"

namespace weir {

PartitionChannels::PartitionChannels(PartitionId id, std::string name, int channels,
                                     std::unique_ptr<BufferQuota> quota,
                                     TaskNotifier::OnAvailable on_available,
                                     TaskNotifier::OnFailure on_failure)
    : id_(id),
      name_(std::move(name)),
      quota_(std::move(quota)),
      notifier_(std::move(on_available), std::move(on_failure)) {
  for (int i = 0; i < channels; ++i) queues_.push_back(std::make_shared<ChannelQueue>());
}

bool PartitionChannels::has_buffer() {
  if (quota_->in_use() < quota_->size()) return true;
  awaits_buffer_ = true;
  return quota_->in_use() < quota_->size();  // one may have come back before we said so
}

std::shared_ptr<void> PartitionChannels::make_departure() {
  return {this, [channels = weak_from_this()](void*) {
            if (const auto alive = channels.lock()) alive->notifier_.available();
          }};
}

void PartitionChannels::on_recycled(int) {
  if (awaits_buffer_.load(std::memory_order_relaxed) && awaits_buffer_.exchange(false)) {
    notifier_.available();
  }
}

void PartitionChannels::on_reader_lost(int channel, const absl::Status& status) {
  if (queue(channel).ended()) return;
  {
    MutexLock lock(mutex_);
    if (!failure_.ok()) return;
    failure_ = status;
  }
  quota_->cancel();
  notifier_.failed(status);
}

void PartitionChannels::close(const absl::Status& status) {
  notifier_.detach();
  quota_->cancel();
  for (const auto& queue : queues_) queue->fail(status);
}

absl::Status PartitionChannels::failure() const {
  MutexLock lock(mutex_);
  return failure_;
}

absl::Status PartitionRegistry::add(std::shared_ptr<PartitionChannels> partition) {
  const PartitionId id = partition->id();
  MutexLock lock(mutex_);
  if (!partitions_.emplace(id, std::move(partition)).second) {
    return absl::AlreadyExistsError(absl::StrCat(to_string(id), " is produced already"));
  }
  return absl::OkStatus();
}

void PartitionRegistry::remove(const PartitionId& id) {
  MutexLock lock(mutex_);
  partitions_.erase(id);
}

absl::StatusOr<std::shared_ptr<PartitionChannels>> PartitionRegistry::find(const PartitionId& id,
                                                                           int channel) const {
  MutexLock lock(mutex_);
  const auto found = partitions_.find(id);
  if (found == partitions_.end()) {
    return absl::NotFoundError(absl::StrCat("no task produces ", to_string(id), " here"));
  }
  if (channel < 0 || channel >= found->second->size()) {
    return absl::OutOfRangeError(absl::StrCat(to_string(id), " has ", found->second->size(),
                                              " channels, none with number ", channel));
  }
  return found->second;
}

}  // namespace weir
