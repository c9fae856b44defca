#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace weir {

// An amount of memory, strong so that it isn't taken for a count.
struct MemorySize {
  int64_t bytes = 0;
  friend constexpr auto operator<=>(MemorySize, MemorySize) = default;
};

// Flink's syntax: "64mb", "1 gb", "100 kibibytes"; without a unit, bytes. All units are powers of
// 1024.
absl::StatusOr<MemorySize> parse_memory_size(std::string_view text);

// The largest unit that holds the value exactly, as parse_memory_size reads it: "64 mb".
std::string format_memory_size(MemorySize size);

}  // namespace weir
