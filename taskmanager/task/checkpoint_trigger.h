#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "common/ids.h"

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

// What came before a task's snapshot.
struct AlignmentTimes {
  std::chrono::microseconds start_delay{0};  // from the trigger to the first barrier
  std::chrono::microseconds alignment{0};    // from the first barrier to the last
};

}  // namespace weir
