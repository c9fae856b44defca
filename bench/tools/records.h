// The records that `fill` makes, and what `check` knows of them.
//
// Record i goes to partition i mod partitions. Its key is i * kStride mod keys: each `keys`
// consecutive records have every key once, in an order that no cache likes. Its event time is such
// that every second of event time has each key once.
#pragma once

#include <cstdint>

namespace weir::bench {

inline constexpr std::int64_t kStride = 2'654'435'761;
inline constexpr std::int64_t kFirstEventTimeMs = 1'700'000'000'000;
// Of the records that end event time: later than any window of the others.
inline constexpr std::int64_t kClosingEventTimeMs = 1'900'000'000'000;
inline constexpr int kKeyDigits = 7;  // behind a 'k'

inline std::int64_t key_of(std::int64_t record, std::int64_t keys) {
  return record * kStride % keys;
}
inline std::int64_t event_time_ms_of(std::int64_t record, std::int64_t keys) {
  return kFirstEventTimeMs + record * 1000 / keys;
}

}  // namespace weir::bench
