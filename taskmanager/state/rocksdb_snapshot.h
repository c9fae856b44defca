#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/mailbox.h"
#include "common/mutex.h"
#include "taskmanager/state/applied_cut.h"
#include "taskmanager/state/entry_buffer.h"
#include "taskmanager/state/keyed_state_backend.h"
#include "taskmanager/state/rocksdb_store.h"
#include "taskmanager/state/shared_files.h"
#include "weir/state/backend.h"

namespace weir {

// One cut on its way into the database and to checkpoint storage. Filled on the task's thread; the
// rest happens on the backend's, in the order of the cuts:
//   changes → sorted files → ingested → linked → the cut is applied → uploaded → done
// A cut whose upload fails is applied all the same: the checkpoint is lost, not the state.
class RocksDbSnapshot final : public SnapshotOutput,
                              public std::enable_shared_from_this<RocksDbSnapshot> {
 public:
  struct Backend {  // what outlives the snapshot
    Mailbox& thread;
    RocksDbStore& store;
    SharedFiles& shared_files;
    AppliedCut& applied;
    std::shared_ptr<RocksDbMemory> memory;
  };

  // `path`: of files and a folder that begin with it, beside the database.
  RocksDbSnapshot(Backend backend, std::string path, SnapshotTarget target,
                  pb::KeyedStateHandle description, SnapshotDone done);

  void set_cut(CutNumber cut) { cut_ = cut; }
  void abandon();

  void put(int table, std::string_view key, std::string_view value) override;
  void erase(int table, std::string_view key) override;
  void finish() override;

 private:
  static constexpr std::size_t kFileBytes = 32 << 20;
  static constexpr int kWaitingMax = 2;

  void add(const StateEntry& entry);
  void hand_over();
  // On the backend's thread.
  void write(EntryBuffer buffer);
  void end();
  absl::Status apply();
  absl::StatusOr<pb::KeyedStateHandle> store();
  absl::StatusOr<pb::KeyedStateHandle> store_canonical();
  std::string links() const { return path_ + "-links"; }

  const Backend backend_;
  const std::string path_;
  EntryBuffer buffer_;  // the task's thread

  const SnapshotTarget target_;  // the backend's thread, as what follows
  const pb::KeyedStateHandle description_;
  SnapshotDone done_;
  std::vector<std::string> files_;
  absl::Status status_;

  std::atomic<CutNumber> cut_{0};
  std::atomic<bool> abandoned_{false};
  Mutex mutex_;
  CondVar written_;
  int waiting_ WEIR_GUARDED_BY(mutex_) = 0;  // files handed over and not written
};

}  // namespace weir
