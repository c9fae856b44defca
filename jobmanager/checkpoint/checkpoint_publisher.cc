#include "jobmanager/checkpoint/checkpoint_publisher.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/fault_point.h"
#include "common/status.h"
#include "common/storage/checkpoint_storage.h"
#include "jobmanager/checkpoint/ledger_file.h"
#include "jobmanager/checkpoint/state_files.h"

namespace weir {

namespace {

bool is_checkpoint(const std::string& name) {
  return absl::StartsWith(name, "chk-");
}

uint64_t state_bytes(const pb::CheckpointManifest& manifest) {
  uint64_t bytes = 0;
  for (const pb::OperatorState& state : manifest.operators()) {
    for (const pb::KeyedStateHandle& handle : state.keyed()) {
      for (const pb::KeyedStateHandle::File& file : handle.files()) bytes += file.size_bytes();
    }
    for (const pb::InFlightHandle::File& file : state.in_flight().files()) {
      bytes += file.size_bytes();
    }
  }
  return bytes;
}

absl::Status write_savepoint_ledger(const pb::TransactionLedger& ledger,
                                    const pb::CheckpointPointer& savepoint) {
  WEIR_ASSIGN_OR_RETURN(auto storage, storage::open_checkpoint_storage(savepoint.path()));
  WEIR_ASSIGN_OR_RETURN(const bool exists, storage->exists("_metadata"));
  if (!exists) return absl::OkStatus();
  return write_ledger_file(ledger, *storage, "");
}

}  // namespace

absl::Status write_checkpoint(const CheckpointToPublish& checkpoint, pb::JobRecord& record) {
  WEIR_FAULT_POINT("job.before_publish");
  const pb::CheckpointManifest& manifest = checkpoint.manifest;
  if (record.attempt() != manifest.attempt()) {
    return absl::AbortedError(absl::StrCat("the job is in attempt ", record.attempt(),
                                           " and the checkpoint of attempt ", manifest.attempt()));
  }
  if (is_recovery_point(checkpoint.kind) && record.intent() != pb::JobRecord::RUN) {
    return absl::FailedPreconditionError("the job is being ended");
  }
  const bool savepoint = is_savepoint(checkpoint.kind);
  WEIR_ASSIGN_OR_RETURN(auto storage, storage::open_checkpoint_storage(checkpoint.root));
  const std::string& folder = checkpoint.folder;
  const std::string bytes = manifest.SerializeAsString();
  WEIR_RETURN_IF_ERROR(WEIR_FAULT_POINT_STATUS("job.manifest_write"));
  WEIR_RETURN_IF_ERROR(storage->write_atomically(absl::StrCat(folder, "/_metadata"), bytes));
  WEIR_FAULT_POINT("job.manifest_written");
  if (savepoint) {
    WEIR_RETURN_IF_ERROR(write_ledger_file(checkpoint.ledger, *storage, folder));
  }
  WEIR_RETURN_IF_ERROR(write_ledger(checkpoint.ledger, checkpoint.checkpoint_folder));
  WEIR_FAULT_POINT("job.ledger_written");

  pb::CheckpointPointer pointer;
  pointer.set_checkpoint_id(manifest.checkpoint_id());
  pointer.set_path(storage->url_of(folder));
  pointer.set_savepoint(savepoint);
  pointer.set_completed_time_ms(checkpoint.now_ms);
  pointer.set_size_bytes(bytes.size() + state_bytes(manifest));
  if (savepoint) *record.add_savepoints() = pointer;
  if (is_recovery_point(checkpoint.kind)) {
    *record.add_checkpoints() = pointer;
    const int surplus = record.checkpoints_size() - std::max(1, checkpoint.retained);
    if (surplus > 0) record.mutable_checkpoints()->DeleteSubrange(0, surplus);
  }
  if (checkpoint.rescaled) *record.mutable_graph() = *checkpoint.rescaled;
  if (is_last(checkpoint.kind)) record.set_intent(pb::JobRecord::FINISH);
  WEIR_FAULT_POINT("job.before_pointer");
  return absl::OkStatus();
}

absl::Status write_ledger(const pb::TransactionLedger& ledger,
                          const std::string& checkpoint_folder) {
  WEIR_ASSIGN_OR_RETURN(auto storage, storage::open_checkpoint_storage(checkpoint_folder));
  return write_ledger_file(ledger, *storage, ledger.job_id());
}

absl::Status write_ledgers(const pb::TransactionLedger& ledger,
                           const std::string& checkpoint_folder, const pb::JobRecord& record) {
  absl::Status first_error = write_ledger(ledger, checkpoint_folder);
  for (const pb::CheckpointPointer& savepoint : record.savepoints()) {
    first_error.Update(write_savepoint_ledger(ledger, savepoint));
  }
  return first_error;
}

absl::Status clean_up(const pb::JobRecord& ended, const std::string& checkpoint_folder,
                      bool keep_checkpoints) {
  pb::JobRecord kept;
  if (keep_checkpoints) kept = ended;
  absl::Status first_error;
  for (const pb::CheckpointPointer& pointer : ended.checkpoints()) {
    if (!keep_checkpoints && !pointer.savepoint())
      first_error.Update(delete_folder(pointer.path()));
  }
  first_error.Update(delete_shared_state(ended.job_id(), checkpoint_folder, kept));
  WEIR_ASSIGN_OR_RETURN(auto storage, storage::open_checkpoint_storage(checkpoint_folder));
  WEIR_ASSIGN_OR_RETURN(const auto names, storage->list(ended.job_id()));
  for (const std::string& name : names) {
    const std::string folder = absl::StrCat(ended.job_id(), "/", name);
    const std::string url = storage->url_of(folder);
    const bool is_kept = std::any_of(kept.checkpoints().begin(), kept.checkpoints().end(),
                                     [&](const auto& pointer) { return pointer.path() == url; });
    if (is_checkpoint(name) && !is_kept) first_error.Update(storage->delete_folder(folder));
  }
  return first_error;
}

absl::Status delete_job_folder(const std::string& job_id, const std::string& checkpoint_folder) {
  WEIR_ASSIGN_OR_RETURN(auto storage, storage::open_checkpoint_storage(checkpoint_folder));
  WEIR_ASSIGN_OR_RETURN(const auto names, storage->list(job_id));
  const bool only_ledgers = std::all_of(names.begin(), names.end(), [](const std::string& name) {
    return absl::StartsWith(name, "ledger");
  });
  if (!only_ledgers) return absl::OkStatus();
  const auto ledger = read_ledger_file(*storage, job_id);
  if (!ledger.ok() && !absl::IsNotFound(ledger.status())) return ledger.status();
  if (ledger.ok() && std::any_of(ledger->entries().begin(), ledger->entries().end(),
                                 [](const pb::LedgerEntry& entry) {
                                   return entry.state() == pb::LedgerEntry::PREPARED ||
                                          entry.state() == pb::LedgerEntry::LOST;
                                 })) {
    return absl::OkStatus();
  }
  return storage->delete_folder(job_id);
}

}  // namespace weir
