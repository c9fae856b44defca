#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/memory_size.h"

namespace weir {

// A typed key of the configuration. T is bool, int64_t, double, std::string,
// std::chrono::milliseconds or MemorySize.
template <typename T>
struct ConfigOption {
  std::string key;
  T default_value;
  std::string description;
  std::vector<std::string> allowed = {};  // the values of an enumeration, read in any case
  std::optional<T> minimum = {};
  std::optional<T> maximum = {};
  std::string old_key = {};  // an older spelling that means the same
};

// How a value is written, for errors: "a duration such as 10 s".
template <typename T>
std::string expected_form();

template <typename T>
absl::StatusOr<T> parse_config_value(std::string_view text);
template <typename T>
std::string format_config_value(const T& value);

}  // namespace weir
