#include "weir/key_group.h"

// Inlined, so that what a job links needs no library for it.
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace weir {

std::uint64_t stable_hash(std::string_view bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

}  // namespace weir
