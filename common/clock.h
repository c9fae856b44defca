#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace weir {

// Time is std::chrono throughout: MonotonicTime for intervals and timeouts within a process,
// WallTime for what is shown or stored. Protocol cores take a time as an argument and never ask a
// clock.
using MonotonicTime = std::chrono::steady_clock::time_point;
using WallTime = std::chrono::system_clock::time_point;

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual MonotonicTime now() const = 0;
  virtual WallTime wall_now() const = 0;
};

class SystemClock final : public Clock {
 public:
  static SystemClock& instance() {
    static SystemClock clock;
    return clock;
  }
  MonotonicTime now() const override { return std::chrono::steady_clock::now(); }
  WallTime wall_now() const override { return std::chrono::system_clock::now(); }
};

// Stands still until told; for tests. Starts at one hour after the epochs, so that "an hour ago"
// exists.
class ManualClock final : public Clock {
 public:
  MonotonicTime now() const override { return MonotonicTime(since_epoch()); }
  WallTime wall_now() const override {
    return WallTime(std::chrono::duration_cast<WallTime::duration>(since_epoch()));
  }
  void advance(std::chrono::nanoseconds duration) { nanoseconds_ += duration.count(); }

 private:
  std::chrono::nanoseconds since_epoch() const { return std::chrono::nanoseconds(nanoseconds_); }

  std::atomic<int64_t> nanoseconds_{std::chrono::nanoseconds(std::chrono::hours(1)).count()};
};

// Milliseconds since 1970, as REST and durable formats have it.
inline int64_t to_unix_ms(WallTime time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}
// By the system's clock.
inline int64_t unix_now_ms() {
  return to_unix_ms(SystemClock::instance().wall_now());
}

}  // namespace weir
