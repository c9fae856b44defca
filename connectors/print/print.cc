#include "weir/print.h"

#include <cstdio>

#include "weir/error.h"

namespace weir::internal {

void write_to_stdout(std::string_view text) {
  if (text.empty()) return;
  // One call, which stdio locks.
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    throw Error("can't print: stdout is closed or full");
  }
}

}  // namespace weir::internal
