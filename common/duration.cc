#include "common/duration.h"

#include <array>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "common/quantity.h"
#include "common/status.h"

namespace weir {
namespace {

struct Unit {
  const char* name;  // the first of a length is the one that is printed
  int64_t nanoseconds;
};

constexpr int64_t kMillisecond = 1'000'000;
constexpr int64_t kSecond = 1000 * kMillisecond;
constexpr int64_t kMinute = 60 * kSecond;
constexpr int64_t kHour = 60 * kMinute;
constexpr int64_t kDay = 24 * kHour;

constexpr std::array kUnits = {
    Unit{"d", kDay},
    Unit{"day", kDay},
    Unit{"days", kDay},
    Unit{"h", kHour},
    Unit{"hour", kHour},
    Unit{"hours", kHour},
    Unit{"min", kMinute},
    Unit{"m", kMinute},
    Unit{"minute", kMinute},
    Unit{"minutes", kMinute},
    Unit{"s", kSecond},
    Unit{"sec", kSecond},
    Unit{"secs", kSecond},
    Unit{"second", kSecond},
    Unit{"seconds", kSecond},
    Unit{"ms", kMillisecond},
    Unit{"", kMillisecond},
    Unit{"milli", kMillisecond},
    Unit{"millis", kMillisecond},
    Unit{"millisecond", kMillisecond},
    Unit{"milliseconds", kMillisecond},
    Unit{"µs", 1000},
    Unit{"micro", 1000},
    Unit{"micros", 1000},
    Unit{"microsecond", 1000},
    Unit{"microseconds", 1000},
    Unit{"ns", 1},
    Unit{"nano", 1},
    Unit{"nanos", 1},
    Unit{"nanosecond", 1},
    Unit{"nanoseconds", 1},
};

}  // namespace

absl::StatusOr<std::chrono::milliseconds> parse_duration(std::string_view text) {
  WEIR_ASSIGN_OR_RETURN(const Quantity quantity, parse_quantity(text));
  for (const Unit& unit : kUnits) {
    if (unit.name != quantity.unit) continue;
    int64_t nanoseconds = 0;
    if (__builtin_mul_overflow(quantity.number, unit.nanoseconds, &nanoseconds)) {
      return absl::InvalidArgumentError("longer than 292 years");
    }
    if (nanoseconds % kMillisecond != 0) {
      return absl::InvalidArgumentError("not a whole number of milliseconds");
    }
    return std::chrono::milliseconds(nanoseconds / kMillisecond);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("unknown unit '", quantity.unit, "'; units are ms, s, min, h, d"));
}

std::string format_duration(std::chrono::milliseconds duration) {
  const int64_t milliseconds = duration.count();
  for (const Unit& unit : kUnits) {
    const int64_t unit_ms = unit.nanoseconds / kMillisecond;
    if (unit_ms == 1 || (milliseconds != 0 && milliseconds % unit_ms == 0)) {
      return absl::StrCat(milliseconds / unit_ms, " ", unit.name);
    }
  }
  return absl::StrCat(milliseconds, " ms");
}

}  // namespace weir
