#pragma once

#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/storage/checkpoint_storage.h"

namespace weir {

// Opens what checkpoints call by whole addresses ("file:///c/<job>/chk-7"). Each storage is opened
// once and stays open. Confined to its task's thread.
class StateStorages {
 public:
  // A file or folder: the storage that its last `path` is in.
  struct Place {
    storage::CheckpointStorage* storage = nullptr;
    std::string root;  // the storage's address
    std::string path;
  };

  // `components`: how many of the address make up the path.
  absl::StatusOr<Place> open(const std::string& address, int components);

 private:
  std::map<std::string, std::unique_ptr<storage::CheckpointStorage>> storages_;  // by root
};

}  // namespace weir
