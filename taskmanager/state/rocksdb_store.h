#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "taskmanager/state/entry_buffer.h"
#include "taskmanager/state/rocksdb_memory.h"
#include "weir/key_group.h"

namespace weir {

// One RocksDB database of keyed state, without a log of its own: what isn't in a checkpoint is lost
// with the process, and meant to be. An entry's key there is: key group (2 bytes), table (2 bytes,
// big-endian), the rest of the entry's key; so EntryBuffer's order is the database's.
//
// Thread rule: all but put(), erase() and write_out(), which one thread calls, are thread-safe.
class RocksDbStore {
 public:
  using Visitor = absl::FunctionRef<bool(const StateEntry&)>;

  // Opens what the folder has, or an empty database. Its files will have about `file_bytes`.
  static absl::StatusOr<std::unique_ptr<RocksDbStore>> open(const std::string& folder,
                                                            std::shared_ptr<RocksDbMemory> memory,
                                                            std::size_t file_bytes);
  ~RocksDbStore();

  absl::Status multi_get(int table, std::span<const std::string_view> keys,
                         absl::FunctionRef<void(std::size_t, std::string_view)> found);
  // Entries of one table and one key group from `first` to before `last`, while `visitor` is true.
  // A `last` of another key group means the end of the first's.
  absl::Status scan(int table, std::string_view first, std::string_view last, Visitor visitor);
  // All entries of the key groups, as they are at the call.
  absl::Status scan_groups(KeyGroupRange range, Visitor visitor);

  // Gathered, and visible only after write_out().
  absl::Status put(int table, std::string_view key, std::string_view value);
  absl::Status erase(int table, std::string_view key);
  absl::Status write_out();
  absl::Status erase_groups_outside(KeyGroupRange range);
  // Writes again after an error of the disk, if that is over.
  void resume();

  // A table file beside the database. REQUIRES: sorted.
  absl::Status write_file(const std::string& path, const EntryBuffer& entries);
  // Takes files in, and removes them. No key may be in two.
  absl::Status ingest(const std::vector<std::string>& paths);
  // Hard links of everything in a folder that must not exist.
  absl::Status link(const std::string& folder);

 private:
  struct Database;
  explicit RocksDbStore(std::unique_ptr<Database> database);

  const std::unique_ptr<Database> database_;
};

}  // namespace weir
