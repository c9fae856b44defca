// Writing checkpoints down: manifest and ledger, before the job's record names them. Runs on the
// job's writer thread (metadata/job_record_writer.h); blocks on I/O.
#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "jobmanager/checkpoint/checkpoint_coordinator.h"
#include "proto/checkpoint.pb.h"
#include "proto/job_record.pb.h"
#include "proto/ledger.pb.h"

namespace weir {

struct CheckpointToPublish {
  pb::CheckpointManifest manifest;
  CheckpointKind kind = CheckpointKind::kCheckpoint;
  std::optional<pb::JobGraph> rescaled{};  // with which the job goes on, if it is another one
  pb::TransactionLedger ledger;            // with this checkpoint's entries
  std::string checkpoint_folder;           // root of all jobs' checkpoints
  std::string root;                        // the same, or that of the savepoint
  std::string folder;  // in it: "<job id>/chk-5" or "savepoint-3f2a91-0123456789ab"
  int32_t retained = 1;
  int64_t now_ms = 0;
  int64_t prepared_ms = 0;  // what the ledger doesn't know yet was prepared since
};

// Writes the files and lets `record` name the checkpoint. Aborted: the record is of another
// attempt. FailedPrecondition: the job is being ended, from the recovery point that it has.
absl::Status write_checkpoint(const CheckpointToPublish& checkpoint, pb::JobRecord& record);

absl::Status write_ledger(const pb::TransactionLedger& ledger,
                          const std::string& checkpoint_folder);

// The same, and brings the ledgers in the folders of the job's savepoints up to date, so that these
// can be restored where the job's own ledger isn't. A savepoint that the user has deleted is passed
// over.
absl::Status write_ledgers(const pb::TransactionLedger& ledger,
                           const std::string& checkpoint_folder, const pb::JobRecord& record);

// After the job's end: deletes its checkpoints, unless they are to be kept, and what publications
// that never happened have left in its folder. The ledger stays.
absl::Status clean_up(const pb::JobRecord& ended, const std::string& checkpoint_folder,
                      bool keep_checkpoints);

// When nothing else knows the job any more: deletes its folder with the ledger, unless something
// else is in it, or the ledger has a transaction that isn't known to be committed.
absl::Status delete_job_folder(const std::string& job_id, const std::string& checkpoint_folder);

}  // namespace weir
