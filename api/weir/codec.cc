#include "weir/codec.h"

namespace weir::internal {

std::string_view take_bytes(std::string_view& in, std::size_t count) {
  if (in.size() < count) {
    throw Error("can't decode: " + std::to_string(count) + " bytes are needed and " +
                std::to_string(in.size()) + " are left");
  }
  const std::string_view taken = in.substr(0, count);
  in.remove_prefix(count);
  return taken;
}

}  // namespace weir::internal
