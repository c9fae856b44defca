#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/mutex.h"
#include "proto/checkpoint.pb.h"
#include "taskmanager/state/keyed_state_backend.h"
#include "taskmanager/state/local_copies.h"

namespace weir {

// Which files of a database checkpoint storage has already, under which path. A file of a database
// never changes, and its name is never given again, so its name stands for it.
//
// Only what the last completed checkpoint names is named again: the JobManager deletes the files of
// a checkpoint that isn't completed, and keeps those of the last completed one until the next is.
//
// Thread-safe.
class SharedFiles {
 public:
  using File = pb::KeyedStateHandle::File;

  // The database begins with the handle's files.
  void restored(const pb::KeyedStateHandle& handle);
  std::optional<File> find(const std::string& local_name) const;
  void uploaded(std::int64_t checkpoint_id, const pb::KeyedStateHandle& handle);
  void completed(std::int64_t checkpoint_id);

 private:
  using Files = std::map<std::string, File>;  // by local name

  static Files shared_files_of(const pb::KeyedStateHandle& handle);

  mutable Mutex mutex_;
  Files completed_ WEIR_GUARDED_BY(mutex_);
  std::map<std::int64_t, Files> uploaded_ WEIR_GUARDED_BY(mutex_);
};

// Brings the database that is linked in `folder` to checkpoint storage: table files that it doesn't
// have to the shared folder, the manifest to the checkpoint's own. `description`: describe_state().
absl::StatusOr<pb::KeyedStateHandle> upload_database(const std::string& folder,
                                                     const SnapshotTarget& target,
                                                     pb::KeyedStateHandle description,
                                                     const SharedFiles& shared_files);

// Has copies of the files of that handle on this machine: links, and the manifest.
void keep_database(const std::string& folder, const SnapshotTarget& target,
                   const pb::KeyedStateHandle& handle, LocalCopies& copies);

// The reverse, to a folder that is made. `copies`, if not null, is asked for each file first.
absl::Status download_database(const RestoreSource& source, const std::string& folder,
                               LocalCopies* copies);

}  // namespace weir
