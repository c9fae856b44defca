#include "jobmanager/metadata/read_back.h"

#include "absl/strings/str_cat.h"
#include "google/protobuf/util/message_differencer.h"

namespace weir {

absl::StatusOr<uint64_t> read_back(MetadataStore& store, const VersionedJobRecord& expected,
                                   const pb::JobRecord& record) {
  const absl::StatusOr<VersionedJobRecord> stored = store.read(record.job_id());
  if (!stored.ok()) {
    return absl::UnknownError(
        absl::StrCat("can't read the job's record back: ", stored.status().message()));
  }
  if (stored->version == expected.version) {
    return absl::AbortedError("the job's record wasn't written");
  }
  if (!google::protobuf::util::MessageDifferencer::Equals(stored->record, record)) {
    return absl::AbortedError("the job's record was written by another JobManager");
  }
  return stored->version;
}

}  // namespace weir
