#pragma once

#include <sstream>

namespace weir {

// Prints `file:line: check failed: condition: message` to stderr and aborts when destroyed.
class CheckFailure {
 public:
  CheckFailure(const char* file, int line, const char* condition);
  CheckFailure(const CheckFailure&) = delete;
  CheckFailure& operator=(const CheckFailure&) = delete;
  [[noreturn]] ~CheckFailure();

  std::ostream& stream() { return stream_; }

 private:
  std::ostringstream stream_;
};

// Gives both arms of WEIR_CHECK's ?: the type void; & binds looser than <<.
struct CheckVoidify {
  void operator&(std::ostream&) const {}
};

}  // namespace weir

// WEIR_CHECK(a < b) << "message": on in every build; for what only a bug can break. What the
// outside world can cause is an absl::Status instead.
#define WEIR_CHECK(condition)        \
  __builtin_expect(!!(condition), 1) \
      ? (void)0                      \
      : ::weir::CheckVoidify() & ::weir::CheckFailure(__FILE__, __LINE__, #condition).stream()
