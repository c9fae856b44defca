#include "taskmanager/state/parallel_files.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "common/mutex.h"

namespace weir {
namespace {

// Each has a whole file in memory.
constexpr std::size_t kThreadsMax = 4;

class Transfer {
 public:
  Transfer(std::size_t count, absl::FunctionRef<absl::Status(std::size_t)> handle)
      : count_(count), handle_(handle) {}

  void run() {
    for (std::size_t i = next_++; i < count_; i = next_++) {
      const absl::Status status = handle_(i);
      if (status.ok()) continue;
      next_ = count_;
      const MutexLock lock(mutex_);
      if (status_.ok()) status_ = status;
    }
  }
  absl::Status status() {
    const MutexLock lock(mutex_);
    return status_;
  }

 private:
  const std::size_t count_;
  const absl::FunctionRef<absl::Status(std::size_t)> handle_;
  std::atomic<std::size_t> next_{0};
  Mutex mutex_;
  absl::Status status_ WEIR_GUARDED_BY(mutex_);
};

}  // namespace

absl::Status for_each_file(std::size_t count, absl::FunctionRef<absl::Status(std::size_t)> handle) {
  Transfer transfer(count, handle);
  std::vector<std::thread> others;
  for (std::size_t i = 1; i < std::min(count, kThreadsMax); ++i) {
    others.emplace_back([&] { transfer.run(); });
  }
  transfer.run();
  for (std::thread& other : others) other.join();
  return transfer.status();
}

}  // namespace weir
