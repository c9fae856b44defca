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
  std::string folder = {};         // address for a task's own files of it
  std::string shared_folder = {};  // address for files that later checkpoints may refer to
};

inline Event barrier_of(const CheckpointTrigger& trigger) {
  return {.kind = Event::Kind::kBarrier,
          .checkpoint = trigger.checkpoint,
          .savepoint = trigger.savepoint,
          .stop_sources = trigger.stop_sources,
          .trigger_time_ms = trigger.trigger_time_ms,
          .folder = trigger.folder,
          .shared_folder = trigger.shared_folder};
}
inline CheckpointTrigger trigger_of(const Event& barrier) {
  return {.checkpoint = barrier.checkpoint,
          .stop_sources = barrier.stop_sources,
          .trigger_time_ms = barrier.trigger_time_ms,
          .savepoint = barrier.savepoint,
          .folder = barrier.folder,
          .shared_folder = barrier.shared_folder};
}

// From the trigger to now.
inline std::chrono::milliseconds start_delay_of(const CheckpointTrigger& trigger) {
  const int64_t now_ms = to_unix_ms(SystemClock::instance().wall_now());
  return std::chrono::milliseconds(std::max<int64_t>(0, now_ms - trigger.trigger_time_ms));
}

// What came before a task's snapshot.
struct AlignmentTimes {
  std::chrono::microseconds start_delay{0};  // from the trigger to the first barrier
  std::chrono::microseconds alignment{0};    // from the first barrier to the last
};

}  // namespace weir
