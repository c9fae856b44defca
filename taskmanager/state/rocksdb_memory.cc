#include "taskmanager/state/rocksdb_memory.h"

#include <algorithm>

#include "common/check.h"
#include "rocksdb/cache.h"
#include "rocksdb/write_buffer_manager.h"

namespace weir {
namespace {

constexpr std::size_t kFileBytesMin = 1 << 20;
constexpr std::size_t kFileBytesMax = 16 << 20;
// SnapshotWriter has up to six, for_each_file four.
constexpr std::size_t kFilesInMemory = 10;

}  // namespace

RocksDbMemory::RocksDbMemory(std::size_t managed_bytes, int slots)
    : table_bytes_per_slot_(managed_bytes / 2 / static_cast<std::size_t>(slots)),
      cache_(rocksdb::NewLRUCache(managed_bytes / 4)),
      write_buffers_(std::make_shared<rocksdb::WriteBufferManager>(managed_bytes / 8, cache_)) {
  WEIR_CHECK(slots > 0);
}

std::size_t RocksDbMemory::table_bytes(int databases_in_slot) const {
  WEIR_CHECK(databases_in_slot > 0);
  return table_bytes_per_slot_ / static_cast<std::size_t>(databases_in_slot);
}

std::size_t RocksDbMemory::file_bytes(int databases_in_slot) const {
  return std::clamp(table_bytes(databases_in_slot) / 2 / kFilesInMemory, kFileBytesMin,
                    kFileBytesMax);
}

std::size_t RocksDbMemory::used_bytes() const {
  return cache_->GetUsage();
}

}  // namespace weir
