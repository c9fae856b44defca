#include "taskmanager/task/state_storages.h"

#include <utility>

#include "common/status.h"

namespace weir {

absl::StatusOr<StateStorages::Place> StateStorages::open(const std::string& address,
                                                         int components) {
  WEIR_ASSIGN_OR_RETURN(storage::SplitAddress split, storage::split_address(address, components));
  Place place{.root = std::move(split.root), .path = std::move(split.path)};
  auto& storage = storages_[place.root];
  if (storage == nullptr) {
    WEIR_ASSIGN_OR_RETURN(storage, storage::open_checkpoint_storage(place.root));
  }
  place.storage = storage.get();
  return place;
}

}  // namespace weir
