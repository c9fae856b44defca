#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace weir {

// A whole number, blanks, and a word in lower case: what durations and memory sizes are made of.
struct Quantity {
  int64_t number = 0;
  std::string unit;  // empty if there is none
};

// InvalidArgument when `text` isn't one, or the number is negative or too large.
absl::StatusOr<Quantity> parse_quantity(std::string_view text);

}  // namespace weir
