#include "common/quantity.h"

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace weir {

absl::StatusOr<Quantity> parse_quantity(std::string_view text) {
  const std::string trimmed(
      absl::StripAsciiWhitespace(absl::string_view(text.data(), text.size())));
  size_t digits = 0;
  while (digits < trimmed.size() && absl::ascii_isdigit(trimmed[digits])) ++digits;
  Quantity quantity;
  if (digits == 0) return absl::InvalidArgumentError("no number in front");
  if (!absl::SimpleAtoi(trimmed.substr(0, digits), &quantity.number)) {
    return absl::InvalidArgumentError("the number is too large");
  }
  quantity.unit = absl::AsciiStrToLower(absl::StripLeadingAsciiWhitespace(trimmed.substr(digits)));
  return quantity;
}

}  // namespace weir
