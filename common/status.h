#pragma once

#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/check.h"

namespace weir {

// The same status with "context: " before its message; OK stays OK. Payloads are kept.
absl::Status Annotate(const absl::Status& status, std::string_view context);

inline const absl::Status& status_of(const absl::Status& status) {
  return status;
}
template <typename T>
const absl::Status& status_of(const absl::StatusOr<T>& result) {
  return result.status();
}

}  // namespace weir

#define WEIR_STATUS_CONCAT_INNER(a, b) a##b
#define WEIR_STATUS_CONCAT(a, b) WEIR_STATUS_CONCAT_INNER(a, b)

// Returns from the function when `expression` (an absl::Status) isn't OK.
#define WEIR_RETURN_IF_ERROR(expression)                                                \
  do {                                                                                  \
    if (absl::Status weir_status = (expression); !weir_status.ok()) return weir_status; \
  } while (false)

// WEIR_ASSIGN_OR_RETURN(auto value, Compute()): the value, or returns from the function.
#define WEIR_ASSIGN_OR_RETURN(target, expression) \
  WEIR_ASSIGN_OR_RETURN_INNER(WEIR_STATUS_CONCAT(weir_result_, __LINE__), target, expression)
#define WEIR_ASSIGN_OR_RETURN_INNER(result, target, expression) \
  auto result = (expression);                                   \
  if (!result.ok()) return std::move(result).status();          \
  target = std::move(result).value()

// For a Status or StatusOr that only a bug can make other than OK.
#define WEIR_CHECK_OK(expression)                                                \
  do {                                                                           \
    const auto& weir_checked = (expression);                                     \
    WEIR_CHECK(weir_checked.ok()) << ::weir::status_of(weir_checked).ToString(); \
  } while (false)
