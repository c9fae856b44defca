#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/ids.h"
#include "proto/job_record.pb.h"

namespace weir {

// A job record and the version that the store gave it; 0 is "not there yet".
struct VersionedJobRecord {
  pb::JobRecord record;
  uint64_t version = 0;
};

// Where the JobManager keeps what must outlive it. Every write is compare-and-set on the record's
// version and on the leader epoch: a store that has seen a larger epoch refuses.
//
// Thread-safe. Calls block on I/O.
class MetadataStore {
 public:
  virtual ~MetadataStore() = default;

  // Larger than every epoch before; raised durably when the store was opened.
  virtual LeaderEpoch leader_epoch() const = 0;

  // The new version. Aborted: the version or the epoch is another, nothing was written. Unknown: it
  // may have been written; read() tells. Anything else: nothing was written.
  virtual absl::StatusOr<uint64_t> write(const pb::JobRecord& record,
                                         uint64_t expected_version) = 0;
  virtual absl::StatusOr<VersionedJobRecord> read(const std::string& job_id) = 0;
  virtual absl::StatusOr<std::vector<VersionedJobRecord>> read_all() = 0;
  // Terminal jobs that nobody needs to see any more.
  virtual absl::Status remove(const std::string& job_id) = 0;

  // Job libraries, by content.
  virtual absl::Status put_library(const std::string& sha256, std::string_view data) = 0;
  virtual absl::StatusOr<std::string> library_path(const std::string& sha256) = 0;
  virtual absl::Status remove_libraries_except(const std::set<std::string>& needed) = 0;
};

}  // namespace weir
