#pragma once

#include <cstddef>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"

namespace weir {

// handle(i) for each i below `count`, a few at a time on threads of its own: transfers wait more
// for their storage than they work. Returns the first error, after which no other one begins.
absl::Status for_each_file(std::size_t count, absl::FunctionRef<absl::Status(std::size_t)> handle);

}  // namespace weir
