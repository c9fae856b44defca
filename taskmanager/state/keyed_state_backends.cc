#include "taskmanager/state/keyed_state_backends.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "taskmanager/state/hashmap_backend.h"
#include "taskmanager/state/rocksdb_backend.h"
#include "taskmanager/state/rocksdb_memory.h"

namespace weir {

KeyedStateBackends::KeyedStateBackends(std::string folder, const Memory& memory)
    : folder_(std::move(folder)),
      managed_bytes_(memory.managed_bytes),
      slots_(memory.slots),
      hashmap_memory_(std::make_shared<HashMapMemory>(memory.hashmap_bytes)) {}

absl::StatusOr<std::unique_ptr<KeyedStateBackend>> KeyedStateBackends::open(std::string_view type,
                                                                            const std::string& name,
                                                                            int in_slot) {
  if (type == "hashmap") return std::make_unique<HashMapBackend>(hashmap_memory_);
  if (type != "rocksdb") {
    return absl::InvalidArgumentError(
        absl::StrCat("there is no state backend '", std::string(type),
                     "': set state.backend.type to hashmap or rocksdb"));
  }
  std::shared_ptr<RocksDbMemory> memory;
  {
    const MutexLock lock(mutex_);
    if (memory_ == nullptr) memory_ = std::make_shared<RocksDbMemory>(managed_bytes_, slots_);
    memory = memory_;
  }
  return RocksDbBackend::open({.folder = absl::StrCat(folder_, "/", name),
                               .memory = memory,
                               .table_bytes = memory->table_bytes(in_slot),
                               .file_bytes = memory->file_bytes(in_slot)});
}

}  // namespace weir
