#include "common/memory_size.h"

#include <array>

#include "absl/strings/str_cat.h"
#include "common/quantity.h"
#include "common/status.h"

namespace weir {
namespace {

struct Unit {
  const char* name;  // the first of a size is the one that is printed
  int64_t bytes;
};

constexpr int64_t kKibi = 1024;
constexpr int64_t kMebi = 1024 * kKibi;
constexpr int64_t kGibi = 1024 * kMebi;
constexpr int64_t kTebi = 1024 * kGibi;

constexpr std::array kUnits = {
    Unit{"tb", kTebi}, Unit{"t", kTebi}, Unit{"tebibytes", kTebi},
    Unit{"gb", kGibi}, Unit{"g", kGibi}, Unit{"gibibytes", kGibi},
    Unit{"mb", kMebi}, Unit{"m", kMebi}, Unit{"mebibytes", kMebi},
    Unit{"kb", kKibi}, Unit{"k", kKibi}, Unit{"kibibytes", kKibi},
    Unit{"bytes", 1},  Unit{"b", 1},     Unit{"", 1},
};

}  // namespace

absl::StatusOr<MemorySize> parse_memory_size(std::string_view text) {
  WEIR_ASSIGN_OR_RETURN(const Quantity quantity, parse_quantity(text));
  for (const Unit& unit : kUnits) {
    if (unit.name != quantity.unit) continue;
    MemorySize size;
    if (__builtin_mul_overflow(quantity.number, unit.bytes, &size.bytes)) {
      return absl::InvalidArgumentError("more than 8 million terabytes");
    }
    return size;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("unknown unit '", quantity.unit, "'; units are b, kb, mb, gb, tb"));
}

std::string format_memory_size(MemorySize size) {
  for (const Unit& unit : kUnits) {
    if (size.bytes != 0 && size.bytes % unit.bytes == 0) {
      return absl::StrCat(size.bytes / unit.bytes, " ", unit.name);
    }
  }
  return "0 bytes";
}

}  // namespace weir
