#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace weir {

// Flink's syntax: a whole number and a unit, "10 s", "5min", "100ms"; without a unit, milliseconds.
// Units: ns, µs, ms, s, min, h, d and their long forms. Precise to a millisecond; less is refused.
absl::StatusOr<std::chrono::milliseconds> parse_duration(std::string_view text);

// The largest unit that holds the value exactly, as parse_duration reads it: "5 min", "100 ms".
std::string format_duration(std::chrono::milliseconds duration);

}  // namespace weir
