#pragma once

#include <functional>
#include <utility>

#include "absl/status/status.h"
#include "common/mutex.h"

namespace weir {

// The callbacks of the task that owns a partition or a gate. They are called on any thread and only
// enqueue; after detach() none runs.
//
// Thread-safe.
class TaskNotifier {
 public:
  using OnAvailable = std::function<void()>;
  using OnFailure = std::function<void(const absl::Status&)>;

  TaskNotifier(OnAvailable on_available, OnFailure on_failure, OnAvailable on_event = nullptr)
      : on_available_(std::move(on_available)),
        on_failure_(std::move(on_failure)),
        on_event_(std::move(on_event)) {}

  void available() {
    MutexLock lock(mutex_);
    if (on_available_) on_available_();
  }
  // Something came that doesn't wait for its turn.
  void event() {
    MutexLock lock(mutex_);
    if (on_event_) on_event_();
  }
  // Only the first one is told.
  void failed(const absl::Status& status) {
    MutexLock lock(mutex_);
    if (on_failure_) std::exchange(on_failure_, nullptr)(status);
  }
  void detach() {
    MutexLock lock(mutex_);
    on_available_ = nullptr;
    on_failure_ = nullptr;
    on_event_ = nullptr;
  }

 private:
  Mutex mutex_;
  OnAvailable on_available_ WEIR_GUARDED_BY(mutex_);
  OnFailure on_failure_ WEIR_GUARDED_BY(mutex_);
  OnAvailable on_event_ WEIR_GUARDED_BY(mutex_);
};

}  // namespace weir
