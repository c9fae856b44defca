#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>

#include "common/clock.h"
#include "common/ids.h"
#include "taskmanager/network/event.h"

namespace weir {

// A checkpoint as its barrier describes it.
struct CheckpointTrigger {
  CheckpointId checkpoint;
  bool stop_sources = false;  // nothing is read after the barrier
  int64_t trigger_time_ms = 0;
  bool savepoint = false;
  int64_t aligned_until_ms = kAlwaysAligned;  // as in Event
  std::string folder = {};                    // address for a task's own files of it
  std::string shared_folder = {};  // address for files that later checkpoints may refer to
};

inline Event barrier_of(const CheckpointTrigger& trigger) {
  return {.kind = Event::Kind::kBarrier,
          .checkpoint = trigger.checkpoint,
          .savepoint = trigger.savepoint,
          .stop_sources = trigger.stop_sources,
          .trigger_time_ms = trigger.trigger_time_ms,
          .aligned_until_ms = trigger.aligned_until_ms,
          .folder = trigger.folder,
          .shared_folder = trigger.shared_folder};
}
inline CheckpointTrigger trigger_of(const Event& barrier) {
  return {.checkpoint = barrier.checkpoint,
          .stop_sources = barrier.stop_sources,
          .trigger_time_ms = barrier.trigger_time_ms,
          .savepoint = barrier.savepoint,
          .aligned_until_ms = barrier.aligned_until_ms,
          .folder = barrier.folder,
          .shared_folder = barrier.shared_folder};
}

// Whether the barrier overtakes records by now.
inline bool goes_ahead(const CheckpointTrigger& trigger) {
  return trigger.aligned_until_ms <= unix_now_ms();
}
// When it begins to.
inline MonotonicTime send_ahead_time_of(const CheckpointTrigger& trigger) {
  if (trigger.aligned_until_ms == kAlwaysAligned) return MonotonicTime::max();
  const Clock& clock = SystemClock::instance();
  const int64_t left_ms = trigger.aligned_until_ms - to_unix_ms(clock.wall_now());
  return clock.now() + std::chrono::milliseconds(std::max<int64_t>(0, left_ms));
}

// From the trigger to now.
inline std::chrono::milliseconds start_delay_of(const CheckpointTrigger& trigger) {
  const int64_t now_ms = unix_now_ms();
  return std::chrono::milliseconds(std::max<int64_t>(0, now_ms - trigger.trigger_time_ms));
}

// What came before a task's snapshot, or before all of an unaligned one was recorded.
struct Alignment {
  std::chrono::microseconds start_delay{0};  // from the trigger to the first barrier
  std::chrono::microseconds duration{0};     // from the first barrier to the last
  uint64_t processed_bytes = 0;              // between them
};

}  // namespace weir
