#include "taskmanager/network/buffer_pool.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/check.h"

namespace weir {

// Who may have how many buffers. Knows no segments: those belong to the quotas.
class BufferPool::Account {
 public:
  explicit Account(int buffers) : buffers_(buffers) {}

  int buffers() const { return buffers_; }
  int available() const {
    MutexLock lock(mutex_);
    return available_;
  }
  // How many of `most` there are; 0, and nothing is taken, if fewer than `least`.
  int withdraw(int least, int most) {
    MutexLock lock(mutex_);
    const int granted = std::min(most, available_);
    if (granted < least) return 0;
    available_ -= granted;
    return granted;
  }
  void deposit(int count) {
    MutexLock lock(mutex_);
    available_ += count;
    WEIR_CHECK(available_ <= buffers_) << available_ << " of " << buffers_ << " buffers are free";
  }

 private:
  const int buffers_;
  mutable Mutex mutex_;
  int available_ WEIR_GUARDED_BY(mutex_) = buffers_;
};

class Buffer::Core : public std::enable_shared_from_this<Core> {
 public:
  Core(std::shared_ptr<BufferPool::Account> account, int size)
      : account_(std::move(account)), size_(size) {}

  void allow_overdraft(int buffers) {
    MutexLock lock(mutex_);
    overdraft_ = buffers;
  }

  int size() const { return size_; }
  int in_use() const {
    MutexLock lock(mutex_);
    return in_use_;
  }

  void set_listener(std::weak_ptr<BufferQuota::Listener> listener) {
    MutexLock lock(mutex_);
    listener_ = std::move(listener);
  }

  Segment* try_take(int tag) {
    MutexLock lock(mutex_);
    return closed_ || in_use_ >= size_ ? nullptr : take_locked(tag);
  }

  Segment* take() {
    MutexLock lock(mutex_);
    while (!closed_ && in_use_ >= size_ && !overdraw_locked()) recycled_.wait(mutex_);
    return closed_ ? nullptr : take_locked(0);
  }

  void recycle(Segment* segment) {
    std::unique_ptr<Segment> dropped;
    std::shared_ptr<BufferQuota::Listener> listener;
    const int tag = segment->tag;
    {
      MutexLock lock(mutex_);
      --in_use_;
      if (released_ || in_use_ >= size_) {
        dropped.reset(segment);
        account_->deposit(1);
        recycled_.notify_one();
      } else {
        free_.emplace_back(segment);
        listener = listener_.lock();
        recycled_.notify_one();
      }
    }
    if (listener) listener->on_recycled(tag);
  }

  void cancel() {
    MutexLock lock(mutex_);
    closed_ = true;
    recycled_.notify_all();
  }

  void release() {
    MutexLock lock(mutex_);
    closed_ = true;
    released_ = true;
    recycled_.notify_all();
    free_.clear();
    account_->deposit(std::max(0, size_ - in_use_));
  }

 private:
  bool overdraw_locked() WEIR_REQUIRES(mutex_) {
    return in_use_ < size_ + overdraft_ && account_->withdraw(1, 1) == 1;
  }
  Segment* take_locked(int tag) WEIR_REQUIRES(mutex_) {
    ++in_use_;
    if (free_.empty()) free_.push_back(std::make_unique<Segment>());
    Segment* segment = free_.back().release();
    free_.pop_back();
    segment->references.store(1, std::memory_order_relaxed);
    segment->tag = tag;
    segment->size = 0;
    segment->continued = false;
    segment->owner = shared_from_this();
    return segment;
  }

  const std::shared_ptr<BufferPool::Account> account_;
  const int size_;
  mutable Mutex mutex_;
  CondVar recycled_;
  std::vector<std::unique_ptr<Segment>> free_ WEIR_GUARDED_BY(mutex_);
  int in_use_ WEIR_GUARDED_BY(mutex_) = 0;
  int overdraft_ WEIR_GUARDED_BY(mutex_) = 0;
  bool closed_ WEIR_GUARDED_BY(mutex_) = false;
  bool released_ WEIR_GUARDED_BY(mutex_) = false;
  std::weak_ptr<BufferQuota::Listener> listener_ WEIR_GUARDED_BY(mutex_);
};

void Buffer::recycle() {
  const std::shared_ptr<Core> owner = std::move(segment_->owner);
  owner->recycle(segment_);
}

BufferPool::BufferPool(int64_t memory_bytes)
    : account_(std::make_shared<Account>(
          static_cast<int>(memory_bytes / static_cast<int64_t>(kBufferBytes)))) {}

BufferPool::~BufferPool() = default;

absl::StatusOr<std::unique_ptr<BufferQuota>> BufferPool::reserve(const std::string& owner,
                                                                 int least, int most) {
  WEIR_CHECK(0 < least && least <= most) << least << " to " << most << " buffers for " << owner;
  const int granted = account_->withdraw(least, most);
  if (granted == 0) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "'", owner, "' needs ", least, " network buffers of 32 kb, ", available(), " of ",
        buffers(), " are free: raise taskmanager.memory.network.min and .max"));
  }
  return std::unique_ptr<BufferQuota>(
      new BufferQuota(std::make_shared<Buffer::Core>(account_, granted)));
}

int BufferPool::buffers() const {
  return account_->buffers();
}

int BufferPool::available() const {
  return account_->available();
}

BufferQuota::BufferQuota(std::shared_ptr<Buffer::Core> core) : core_(std::move(core)) {}

BufferQuota::~BufferQuota() {
  core_->release();
}

void BufferQuota::set_listener(std::weak_ptr<Listener> listener) {
  core_->set_listener(std::move(listener));
}

void BufferQuota::allow_overdraft(int buffers) {
  core_->allow_overdraft(buffers);
}

int BufferQuota::size() const {
  return core_->size();
}

int BufferQuota::in_use() const {
  return core_->in_use();
}

Buffer BufferQuota::try_take(int tag) {
  return Buffer(core_->try_take(tag));
}

Buffer BufferQuota::take() {
  return Buffer(core_->take());
}

void BufferQuota::cancel() {
  core_->cancel();
}

}  // namespace weir
