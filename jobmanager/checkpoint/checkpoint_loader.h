// Reading checkpoints, savepoints and ledgers back. Blocks on I/O.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "jobmanager/checkpoint/transaction_ledger.h"
#include "jobmanager/plan/job_plan.h"
#include "proto/checkpoint.pb.h"
#include "proto/job_graph.pb.h"

namespace weir {

struct LoadedCheckpoint {
  pb::CheckpointManifest manifest;
  std::string folder;  // address
};

// `path` is what a user or a job's record names: the folder, or the _metadata file in it, as
// file:// address or plain absolute path. Every error names the path.
absl::StatusOr<LoadedCheckpoint> load_checkpoint(const std::string& path);

// The outcomes known of the transactions that the checkpoint carries: from the ledger in its folder
// (savepoints), beside its folder (checkpoints) and of its job under `checkpoint_folder`.
absl::StatusOr<TransactionLedger> load_ledger_of(const LoadedCheckpoint& checkpoint,
                                                 const std::string& checkpoint_folder,
                                                 const std::string& job_id);

// Of the job under `checkpoint_folder`; empty if there is none.
absl::StatusOr<TransactionLedger> load_ledger(const std::string& checkpoint_folder,
                                              const std::string& job_id);

// FailedPrecondition, naming the uids, if the checkpoint holds state that the job has no operator
// for, unless the job allows it.
absl::Status check_restorable(const pb::CheckpointManifest& manifest, const pb::JobGraph& graph);

}  // namespace weir
