#pragma once

#include <memory>
#include <string>

#include "common/mutex.h"
#include "jobmanager/metadata/metadata_store.h"

namespace weir {

// A local folder:
//
//   lock           held by the JobManager that uses the folder
//   leader-epoch   raised by each of them before anything else
//   jobs/<job id>  pb::StoredJobRecord
//   libraries/<sha256>
//
// Invariants: a record file is replaced whole or not at all; its version grows by one with every
// write; nobody writes without the lock, so the epoch of a stored record is never above the own
// one.
class FileMetadataStore final : public MetadataStore {
 public:
  // Takes the lock, or says who has it, and raises the epoch.
  static absl::StatusOr<std::unique_ptr<FileMetadataStore>> open(const std::string& folder);
  ~FileMetadataStore() override;

  LeaderEpoch leader_epoch() const override { return epoch_; }
  absl::StatusOr<uint64_t> write(const pb::JobRecord& record, uint64_t expected_version) override;
  absl::StatusOr<VersionedJobRecord> read(const std::string& job_id) override;
  absl::StatusOr<std::vector<VersionedJobRecord>> read_all() override;
  absl::Status remove(const std::string& job_id) override;
  absl::Status put_library(const std::string& sha256, std::string_view data) override;
  absl::StatusOr<std::string> library_path(const std::string& sha256) override;
  // REQUIRES: no put_library() at the same time; what one that was killed has left goes too.
  absl::Status remove_libraries_except(const std::set<std::string>& needed) override;

 private:
  FileMetadataStore(std::string folder, int lock_fd)
      : folder_(std::move(folder)), lock_fd_(lock_fd) {}

  absl::Status raise_epoch();
  std::string job_path(const std::string& job_id) const;

  const std::string folder_;
  const int lock_fd_;
  LeaderEpoch epoch_;
  Mutex mutex_;  // makes read, compare and write one step
};

}  // namespace weir
