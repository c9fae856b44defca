#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/mutex.h"

namespace weir {

// What a buffer holds, and what one costs of the budget.
inline constexpr size_t kBufferBytes = 32 * 1024;

class BufferQuota;

// A handle on 32 KiB of network memory. Copies share it; when the last one goes, the memory returns
// to the quota that it was taken from, and counts against it until then. Empty when
// default-constructed.
//
// Thread rule: a handle is confined to a thread, as a shared_ptr is. The bytes are written by the
// one who took the buffer, before it is handed on; from then on they don't change.
class Buffer {
 public:
  Buffer() = default;
  Buffer(const Buffer& other) : segment_(other.segment_) {
    if (segment_) segment_->references.fetch_add(1, std::memory_order_relaxed);
  }
  Buffer(Buffer&& other) noexcept : segment_(std::exchange(other.segment_, nullptr)) {}
  Buffer& operator=(Buffer other) noexcept {
    std::swap(segment_, other.segment_);
    return *this;
  }
  ~Buffer() {
    if (segment_ && segment_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) recycle();
  }

  explicit operator bool() const { return segment_ != nullptr; }
  std::string_view bytes() const { return {segment_->bytes, segment_->size}; }
  size_t size() const { return segment_->size; }
  // The last element goes on in the channel's next buffer.
  bool continued() const { return segment_->continued; }

  // For who fills it.
  char* memory() { return segment_->bytes; }
  void set_size(size_t size) { segment_->size = static_cast<uint32_t>(size); }
  void set_continued(bool continued) { segment_->continued = continued; }

 private:
  class Core;  // of the quota
  friend class BufferPool;
  friend class BufferQuota;

  struct Segment {
    std::atomic<int> references{0};
    int tag = 0;
    uint32_t size = 0;
    bool continued = false;
    std::shared_ptr<Core> owner;  // set while the segment is in use
    alignas(64) char bytes[kBufferBytes];
  };

  explicit Buffer(Segment* segment) : segment_(segment) {}
  void recycle();

  Segment* segment_ = nullptr;
};

// The network memory of a TaskManager: a fixed number of buffers, allocated when they are first
// needed, and handed out in quotas.
//
// Thread-safe. Buffers and quotas may outlive it.
class BufferPool {
 public:
  explicit BufferPool(int64_t memory_bytes);
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;
  ~BufferPool();

  // Sets `most` buffers aside for `owner`, or as many as are left; ResourceExhausted if those are
  // fewer than `least`. What is set aside is there whenever it's asked for, whatever others do: so
  // a job that stands still can't stop another one.
  absl::StatusOr<std::unique_ptr<BufferQuota>> reserve(const std::string& owner, int least,
                                                       int most);

  int buffers() const;
  int available() const;  // not set aside

 private:
  friend class Buffer;
  class Account;
  const std::shared_ptr<Account> account_;
};

// The buffers that were set aside for one owner. Those still in use when it goes return to the pool
// one by one.
//
// Thread-safe.
class BufferQuota {
 public:
  // Hears on which thread ever that a buffer taken with `tag` came back. Called without locks.
  class Listener {
   public:
    virtual ~Listener() = default;
    virtual void on_recycled(int tag) = 0;
  };

  BufferQuota(const BufferQuota&) = delete;
  BufferQuota& operator=(const BufferQuota&) = delete;
  ~BufferQuota();  // cancel()

  void set_listener(std::weak_ptr<Listener> listener);

  // From here on take() may use up to this many more of the pool, as long as nobody has set them
  // aside.
  void allow_overdraft(int buffers);

  int size() const;
  int in_use() const;  // more than size() when overdrawn
  // Empty if all are in use.
  Buffer try_take(int tag = 0);
  // Waits for one, if it can't overdraw; empty once cancelled.
  Buffer take();
  // Nothing is given out any more.
  void cancel();

 private:
  friend class BufferPool;
  explicit BufferQuota(std::shared_ptr<Buffer::Core> core);

  const std::shared_ptr<Buffer::Core> core_;
};

}  // namespace weir
