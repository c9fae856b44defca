#include "jobmanager/checkpoint/commit_permit.h"

#include "common/check.h"
#include "common/status.h"
#include "jobmanager/metadata/read_back.h"

namespace weir {

namespace {

CheckpointId newest_checkpoint(const pb::JobRecord& record) {
  WEIR_CHECK(record.checkpoints_size() > 0) << "no checkpoint to publish";
  return CheckpointId(record.checkpoints(record.checkpoints_size() - 1).checkpoint_id());
}

}  // namespace

absl::StatusOr<CommitPermit::Published> CommitPermit::publish(MetadataStore& store,
                                                              const VersionedJobRecord& expected,
                                                              const pb::JobRecord& record) {
  const CheckpointId checkpoint = newest_checkpoint(record);
  WEIR_ASSIGN_OR_RETURN(const uint64_t version, store.write(record, expected.version));
  return Published{CommitPermit(checkpoint, Attempt(record.attempt())), version};
}

absl::StatusOr<CommitPermit::Published> CommitPermit::settle(MetadataStore& store,
                                                             const VersionedJobRecord& expected,
                                                             const pb::JobRecord& record) {
  const CheckpointId checkpoint = newest_checkpoint(record);
  WEIR_ASSIGN_OR_RETURN(const uint64_t version, read_back(store, expected, record));
  return Published{CommitPermit(checkpoint, Attempt(record.attempt())), version};
}

}  // namespace weir
