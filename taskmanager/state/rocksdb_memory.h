#pragma once

#include <cstddef>
#include <memory>

namespace rocksdb {
class Cache;
class WriteBufferManager;
}  // namespace rocksdb

namespace weir {

// The memory that all databases of a TaskManager share (taskmanager.memory.managed.*). Half is for
// the tables in front of them and a quarter for files that are gathered, uploaded or downloaded,
// the same for each slot; a quarter is for the block cache, in which the write buffers are counted
// too. Thread-safe.
class RocksDbMemory {
 public:
  RocksDbMemory(std::size_t managed_bytes, int slots);

  const std::shared_ptr<rocksdb::Cache>& cache() const { return cache_; }
  const std::shared_ptr<rocksdb::WriteBufferManager>& write_buffers() const {
    return write_buffers_;
  }
  // For each of so many databases in one slot: of its tables, and of one of its files.
  std::size_t table_bytes(int databases_in_slot) const;
  std::size_t file_bytes(int databases_in_slot) const;
  // Of block cache and write buffers, now.
  std::size_t used_bytes() const;

 private:
  const std::size_t table_bytes_per_slot_;
  std::shared_ptr<rocksdb::Cache> cache_;
  std::shared_ptr<rocksdb::WriteBufferManager> write_buffers_;
};

}  // namespace weir
