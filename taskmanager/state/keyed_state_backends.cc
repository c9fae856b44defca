#include "taskmanager/state/keyed_state_backends.h"

#include <utility>
#include <vector>

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

absl::StatusOr<std::unique_ptr<KeyedStateBackend>> KeyedStateBackends::open(
    std::string_view type, const std::string& name, int in_slot,
    std::shared_ptr<LocalCopies> copies) {
  if (type == "hashmap") {
    return std::make_unique<HashMapBackend>(hashmap_memory_, std::move(copies));
  }
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
                               .file_bytes = memory->file_bytes(in_slot),
                               .copies = std::move(copies)});
}

std::shared_ptr<LocalCopies> KeyedStateBackends::copies_of(const std::string& job_id) {
  const MutexLock lock(mutex_);
  std::shared_ptr<LocalCopies>& copies = copies_[job_id];
  if (copies == nullptr) {
    copies = std::make_shared<LocalCopies>(
        absl::StrCat(folder_, "/", job_id, "-copies-", copies_made_++));
  }
  return copies;
}

void KeyedStateBackends::keep_copies_of(const std::set<std::string>& job_ids) {
  std::vector<std::shared_ptr<LocalCopies>> others;  // deleted without the lock
  const MutexLock lock(mutex_);
  std::erase_if(copies_, [&](auto& job) {
    if (job_ids.contains(job.first)) return false;
    others.push_back(std::move(job.second));
    return true;
  });
}

}  // namespace weir
