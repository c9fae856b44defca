#include "jobmanager/checkpoint/commit_permit.h"

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/status.h"
#include "google/protobuf/util/message_differencer.h"

namespace weir {

absl::StatusOr<CommitPermit::Published> CommitPermit::publish(MetadataStore& store,
                                                              const VersionedJobRecord& expected,
                                                              const pb::JobRecord& record) {
  WEIR_CHECK(record.checkpoints_size() > 0) << "no checkpoint to publish";
  WEIR_ASSIGN_OR_RETURN(const uint64_t version, store.write(record, expected.version));
  const auto& newest = record.checkpoints(record.checkpoints_size() - 1);
  return Published{CommitPermit(CheckpointId(newest.checkpoint_id()), Attempt(record.attempt())),
                   version};
}

absl::StatusOr<CommitPermit::Published> CommitPermit::settle(MetadataStore& store,
                                                             const VersionedJobRecord& expected,
                                                             const pb::JobRecord& record) {
  absl::StatusOr<VersionedJobRecord> stored = store.read(record.job_id());
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
  const auto& newest = record.checkpoints(record.checkpoints_size() - 1);
  return Published{CommitPermit(CheckpointId(newest.checkpoint_id()), Attempt(record.attempt())),
                   stored->version};
}

}  // namespace weir
