#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/mailbox.h"
#include "taskmanager/state/applied_cut.h"
#include "taskmanager/state/entry_buffer.h"
#include "taskmanager/state/keyed_state_backend.h"
#include "taskmanager/state/rocksdb_store.h"
#include "taskmanager/state/shared_files.h"
#include "taskmanager/state/snapshot_writer.h"
#include "weir/state/backend.h"

namespace weir {

// One cut on its way into the database and to checkpoint storage:
//   changes → sorted files → ingested → linked → the cut is applied → uploaded → done
// A cut whose upload fails is applied all the same: the checkpoint is lost, not the state. One that
// can't be applied is lost; the first to begin after all that are lost with it holds what they had.
class RocksDbSnapshot final : public SnapshotWriter {
 public:
  struct Backend {  // what outlives the snapshot
    Mailbox& thread;
    RocksDbStore& store;
    SharedFiles& shared_files;
    AppliedCut& applied;
    std::shared_ptr<RocksDbMemory> memory;
    std::size_t file_bytes;
    std::shared_ptr<LocalCopies> copies;  // may be null
  };

  // `path`: of files and a folder that begin with it, beside the database.
  RocksDbSnapshot(Backend backend, std::string path, SnapshotTarget target,
                  pb::KeyedStateHandle description, SnapshotDone done);

  // The state's cut has begun.
  void begin(CutNumber cut);

 private:
  absl::Status write(EntryBuffer entries) override;
  void end(absl::Status written) override;
  void clean_up() override;
  void delete_files();
  absl::Status apply(const absl::Status& written);
  absl::StatusOr<pb::KeyedStateHandle> store();
  absl::StatusOr<pb::KeyedStateHandle> store_canonical();
  std::string links() const { return path_ + "-links"; }

  const Backend backend_;
  const std::string path_;
  const SnapshotTarget target_;
  const pb::KeyedStateHandle description_;
  SnapshotDone done_;
  std::vector<std::string> files_;  // the backend's thread
  std::atomic<CutNumber> cut_{0};
};

}  // namespace weir
