#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/mailbox.h"
#include "taskmanager/state/applied_cut.h"
#include "taskmanager/state/entry_buffer.h"
#include "taskmanager/state/keyed_state_backend.h"
#include "taskmanager/state/rocksdb_memory.h"
#include "taskmanager/state/rocksdb_snapshot.h"
#include "taskmanager/state/rocksdb_store.h"
#include "taskmanager/state/shared_files.h"
#include "weir/state/backend.h"

namespace weir {

struct RocksDbOptions {
  std::string folder;  // of this backend's own, on a local disk; emptied, and deleted at the end
  std::shared_ptr<RocksDbMemory> memory;
  std::size_t table_bytes = 0;        // of the tables in memory
  std::size_t file_bytes = 16 << 20;  // of a file on its way into the database, or out of it
  std::shared_ptr<LocalCopies> copies = nullptr;  // of checkpoints' files on this machine
};

// State in RocksDB, behind tables in memory that hold what is in use. The database gets to know
// what changed at barriers only (or when the tables are full): then as sorted files that it takes
// in as a whole, which is many times faster than single writes; hard links make the checkpoint, and
// what storage doesn't have is uploaded. README.md has the order of things.
class RocksDbBackend final : public KeyedStateBackend, private StateBackend {
 public:
  static absl::StatusOr<std::unique_ptr<RocksDbBackend>> open(RocksDbOptions options);
  ~RocksDbBackend() override;

  StateBackend& state_backend() override { return *this; }
  absl::Status restore(KeyedStateBase& state, std::span<const RestoreSource> sources,
                       bool allow_non_restored_state) override;
  void begin_snapshot(KeyedStateBase& state, SnapshotTarget target, SnapshotDone done) override;
  void abandon_snapshot(KeyedStateBase& state) override;
  void checkpoint_completed(std::int64_t checkpoint_id) override;
  void checkpoint_aborted(std::int64_t checkpoint_id) override;

 private:
  explicit RocksDbBackend(RocksDbOptions options);

  // StateBackend.
  bool holds_entries() const override { return true; }
  std::size_t memory_budget_bytes() const override { return options_.table_bytes; }
  void multi_get(int table, std::span<const std::string_view> keys,
                 const std::function<void(std::size_t, std::string_view)>& found) override;
  void scan(int table, std::string_view first, std::string_view last,
            const Visitor& visitor) override;
  void put(int table, std::string_view key, std::string_view value) override;
  void erase(int table, std::string_view key) override;
  CutNumber applied_cut() const override { return applied_.get(); }
  bool take_lost_cuts() override;
  void wait_until_applied(CutNumber cut) override;

  absl::Status restore_sources(KeyedStateBase& state, std::span<const RestoreSource> sources,
                               bool allow_non_restored_state);
  // The source's database, in the folder, which is emptied: from copies, if that goes.
  absl::StatusOr<std::unique_ptr<RocksDbStore>> open_source(const RestoreSource& source,
                                                            const std::string& folder);
  // Opens the database of the source as this one.
  absl::Status adopt(const RestoreSource& source, KeyGroupRange range);
  // Takes the source's key groups in; `numbers`: match_tables().
  absl::Status import(const RestoreSource& source, const std::vector<int>& numbers,
                      KeyGroupRange range);
  absl::Status ingest(EntryBuffer entries);
  std::string next_path();
  // Copies share their bytes with the database, and go if those are damaged: the next restart
  // reads the checkpoint's storage.
  const absl::Status& checked(const absl::Status& status);
  void throw_if_error(const absl::Status& status);

  const RocksDbOptions options_;
  std::unique_ptr<RocksDbStore> store_;
  SharedFiles shared_files_;
  std::shared_ptr<RocksDbSnapshot> snapshot_;  // the last one
  int files_ = 0;                              // of ingest() and snapshots; names them

  AppliedCut applied_;

  Mailbox writer_;
};

}  // namespace weir
