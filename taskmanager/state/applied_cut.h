#pragma once

#include <atomic>
#include <utility>

#include "absl/status/status.h"
#include "common/mutex.h"
#include "weir/state/backend.h"

namespace weir {

// The last cut that a database has, or why those after it were lost. Thread-safe.
class AppliedCut {
 public:
  CutNumber get() const { return applied_.load(std::memory_order_acquire); }

  // Until get() >= cut, or the failure.
  absl::Status wait_for(CutNumber cut) {
    const MutexLock lock(mutex_);
    while (get() < cut && failure_.ok()) changed_.wait(mutex_);
    return get() >= cut ? absl::OkStatus() : failure_;
  }

  // A cut is on its way, until it is set, failed or abandoned.
  void begin() {
    const MutexLock lock(mutex_);
    ++under_way_;
  }
  void abandon() {
    const MutexLock lock(mutex_);
    --under_way_;
  }
  void set(CutNumber cut) {
    const MutexLock lock(mutex_);
    --under_way_;
    applied_.store(cut, std::memory_order_release);
    changed_.notify_all();
  }
  void set_failed(absl::Status failure) {
    const MutexLock lock(mutex_);
    --under_way_;
    if (failure_.ok()) failure_ = std::move(failure);
    changed_.notify_all();
  }
  absl::Status failure() {
    const MutexLock lock(mutex_);
    return failure_;
  }
  // Forgets the failure when none of the cuts that are lost by it is on its way any more.
  bool take_failure() {
    const MutexLock lock(mutex_);
    if (failure_.ok() || under_way_ > 0) return false;
    failure_ = absl::OkStatus();
    return true;
  }

 private:
  std::atomic<CutNumber> applied_{1};
  Mutex mutex_;
  CondVar changed_;
  int under_way_ WEIR_GUARDED_BY(mutex_) = 0;
  absl::Status failure_ WEIR_GUARDED_BY(mutex_);
};

}  // namespace weir
