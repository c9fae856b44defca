#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/storage/checkpoint_storage.h"
#include "proto/ledger.pb.h"

namespace weir {

// The ledger in a job's or a savepoint's folder: ledger-<leader epoch>. Every JobManager writes a
// file of its own, so that one that was replaced can't overwrite what its successor knows; the
// largest epoch's counts, and its writer deletes the others. Blocks on I/O.
absl::Status write_ledger_file(const pb::TransactionLedger& ledger,
                               storage::CheckpointStorage& storage, const std::string& folder);

// NotFound if the folder has none.
absl::StatusOr<pb::TransactionLedger> read_ledger_file(storage::CheckpointStorage& storage,
                                                       const std::string& folder);

}  // namespace weir
