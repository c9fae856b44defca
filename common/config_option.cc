#include "common/config_option.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/duration.h"

namespace weir {
namespace {

absl::string_view view(std::string_view text) {
  return {text.data(), text.size()};
}

}  // namespace

template <>
std::string expected_form<bool>() {
  return "true or false";
}
template <>
std::string expected_form<int64_t>() {
  return "a whole number";
}
template <>
std::string expected_form<double>() {
  return "a number";
}
template <>
std::string expected_form<std::string>() {
  return "text";
}
template <>
std::string expected_form<std::chrono::milliseconds>() {
  return "a duration such as 500ms, 10 s, 5min";
}
template <>
std::string expected_form<MemorySize>() {
  return "a memory size such as 64mb, 1 gb";
}

template <>
absl::StatusOr<bool> parse_config_value<bool>(std::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  return absl::InvalidArgumentError("not a truth value");
}
template <>
absl::StatusOr<int64_t> parse_config_value<int64_t>(std::string_view text) {
  int64_t value = 0;
  if (absl::SimpleAtoi(view(text), &value)) return value;
  return absl::InvalidArgumentError("not a whole number");
}
template <>
absl::StatusOr<double> parse_config_value<double>(std::string_view text) {
  double value = 0;
  if (absl::SimpleAtod(view(text), &value)) return value;
  return absl::InvalidArgumentError("not a number");
}
template <>
absl::StatusOr<std::string> parse_config_value<std::string>(std::string_view text) {
  return std::string(text);
}
template <>
absl::StatusOr<std::chrono::milliseconds> parse_config_value<std::chrono::milliseconds>(
    std::string_view text) {
  return parse_duration(text);
}
template <>
absl::StatusOr<MemorySize> parse_config_value<MemorySize>(std::string_view text) {
  return parse_memory_size(text);
}

template <>
std::string format_config_value<bool>(const bool& value) {
  return value ? "true" : "false";
}
template <>
std::string format_config_value<int64_t>(const int64_t& value) {
  return absl::StrCat(value);
}
template <>
std::string format_config_value<double>(const double& value) {
  return absl::StrCat(value);
}
template <>
std::string format_config_value<std::string>(const std::string& value) {
  return value;
}
template <>
std::string format_config_value<std::chrono::milliseconds>(const std::chrono::milliseconds& value) {
  return format_duration(value);
}
template <>
std::string format_config_value<MemorySize>(const MemorySize& value) {
  return format_memory_size(value);
}

}  // namespace weir
