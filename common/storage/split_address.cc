#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/storage/checkpoint_storage.h"

namespace weir::storage {

absl::StatusOr<SplitAddress> split_address(const std::string& address, int components) {
  size_t slash = address.size();
  for (int i = 0; i < components; ++i) {
    slash = slash == 0 ? std::string::npos : address.rfind('/', slash - 1);
    if (slash == std::string::npos) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", address, "' isn't the address of a checkpoint's state"));
    }
  }
  return SplitAddress{.root = address.substr(0, slash), .path = address.substr(slash + 1)};
}

}  // namespace weir::storage
