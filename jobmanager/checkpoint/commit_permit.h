#pragma once

#include "absl/status/statusor.h"
#include "common/ids.h"
#include "jobmanager/metadata/metadata_store.h"

namespace weir {

// The right to tell sinks to commit a checkpoint. It exists only if that checkpoint is the job's
// recovery point: the one way to get one is the compare-and-set that makes it so. Whoever sends
// NotifyCheckpointComplete takes a permit.
class CommitPermit {
 public:
  struct Published;

  // Writes `record`, whose newest checkpoint is the new recovery point, over `expected`. Unknown:
  // it may have been written, see settle(); any other error: it wasn't.
  static absl::StatusOr<Published> publish(MetadataStore& store, const VersionedJobRecord& expected,
                                           const pb::JobRecord& record);

  // After publish() returned Unknown: reads back. A permit if `record` was written; Aborted if it
  // wasn't; Unknown if that still can't be told.
  static absl::StatusOr<Published> settle(MetadataStore& store, const VersionedJobRecord& expected,
                                          const pb::JobRecord& record);

  CheckpointId checkpoint() const { return checkpoint_; }
  Attempt attempt() const { return attempt_; }

 private:
  CommitPermit(CheckpointId checkpoint, Attempt attempt)
      : checkpoint_(checkpoint), attempt_(attempt) {}

  CheckpointId checkpoint_;
  Attempt attempt_;
};

struct CommitPermit::Published {
  CommitPermit permit;
  uint64_t version;  // of the record now
};

}  // namespace weir
