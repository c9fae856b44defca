#pragma once

#include <cstdint>
#include <limits>
#include <ostream>
#include <string>

#include "common/ids.h"

namespace weir {

inline constexpr int64_t kAlwaysAligned = std::numeric_limits<int64_t>::max();

// What travels between tasks among the buffers of records, at its place in their order.
struct Event {
  enum class Kind : uint8_t {
    kBarrier = 1,
    kAbortCheckpoint = 2,  // no barrier of `checkpoint` will come
    kEndOfPartition = 3,   // nothing comes after it
  };

  Kind kind = Kind::kEndOfPartition;
  // Of a barrier; an abort has the id only.
  CheckpointId checkpoint = {};
  bool savepoint = false;
  bool stop_sources = false;  // nothing is read after this barrier
  int64_t trigger_time_ms = 0;
  // Unix time from which on it goes ahead of records that wait; 0: at once.
  int64_t aligned_until_ms = kAlwaysAligned;
  std::string folder = {};         // address for a task's own files of the checkpoint
  std::string shared_folder = {};  // address for files that later checkpoints may refer to

  static Event end_of_partition() { return {}; }
  static Event abort_checkpoint(CheckpointId checkpoint) {
    return {.kind = Kind::kAbortCheckpoint, .checkpoint = checkpoint};
  }

  friend bool operator==(const Event&, const Event&) = default;
};

inline std::ostream& operator<<(std::ostream& out, const Event& event) {
  switch (event.kind) {
    case Event::Kind::kBarrier:
      return out << "barrier " << event.checkpoint;
    case Event::Kind::kAbortCheckpoint:
      return out << "abort of checkpoint " << event.checkpoint;
    case Event::Kind::kEndOfPartition:
      return out << "end of partition";
  }
  return out;
}

}  // namespace weir
