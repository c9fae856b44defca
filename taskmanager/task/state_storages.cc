#include "taskmanager/task/state_storages.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/status.h"

namespace weir {

absl::StatusOr<StateStorages::Place> StateStorages::open(const std::string& address,
                                                         int components) {
  size_t slash = address.size();
  for (int i = 0; i < components; ++i) {
    slash = slash == 0 ? std::string::npos : address.rfind('/', slash - 1);
    if (slash == std::string::npos) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", address, "' isn't the address of a checkpoint's state"));
    }
  }
  Place place{.root = address.substr(0, slash), .path = address.substr(slash + 1)};
  auto& storage = storages_[place.root];
  if (storage == nullptr) {
    WEIR_ASSIGN_OR_RETURN(storage, storage::open_checkpoint_storage(place.root));
  }
  place.storage = storage.get();
  return place;
}

}  // namespace weir
