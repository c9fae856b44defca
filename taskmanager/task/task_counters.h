#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "weir/output.h"

namespace weir {

// What a task has done so far. Written by its thread once per batch, read by any.
class TaskCounters {
 public:
  using Counter = std::atomic<uint64_t>;

  void set_in(IoCounts in) { set(records_in, bytes_in, in); }
  void set_out(IoCounts out) { set(records_out, bytes_out, out); }
  // Only the task's thread writes, so no read-modify-write is needed.
  static void add(Counter& microseconds, std::chrono::nanoseconds duration) {
    const auto more = std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
    microseconds.store(microseconds.load(std::memory_order_relaxed) + static_cast<uint64_t>(more),
                       std::memory_order_relaxed);
  }

  Counter records_in{0}, records_out{0}, bytes_in{0}, bytes_out{0};
  Counter busy_us{0}, idle_us{0}, backpressured_us{0};

 private:
  static void set(Counter& records, Counter& bytes, IoCounts counts) {
    records.store(counts.records, std::memory_order_relaxed);
    bytes.store(counts.bytes, std::memory_order_relaxed);
  }
};

}  // namespace weir
