#include "tests/simulation/durable_store.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace weir::simulation {

absl::StatusOr<uint64_t> DurableStore::write(const pb::JobRecord& record, uint64_t expected_version,
                                             LeaderEpoch epoch) {
  VersionedJobRecord& stored = records_[record.job_id()];
  if (options_.fenced && (epoch < epoch_ || stored.version != expected_version)) {
    return absl::AbortedError("another version or leader epoch");
  }
  if (random_.chance(options_.write_fails)) return absl::ResourceExhaustedError("no space left");
  const bool unknown = random_.chance(options_.write_unknown);
  if (!unknown || random_.chance(0.5)) {
    stored.record = record;
    ++stored.version;
    if (on_record) on_record(record);
  }
  if (unknown) return absl::UnknownError("the folder could not be synced");
  return stored.version;
}

absl::StatusOr<VersionedJobRecord> DurableStore::read(const std::string& job_id) const {
  const auto record = records_.find(job_id);
  if (record == records_.end()) return absl::NotFoundError(job_id);
  return record->second;
}

std::vector<VersionedJobRecord> DurableStore::read_all() const {
  std::vector<VersionedJobRecord> all;
  for (const auto& [job_id, record] : records_) all.push_back(record);
  return all;
}

absl::Status DurableStore::write_manifest(const std::string& path,
                                          const pb::CheckpointManifest& manifest) {
  if (random_.chance(options_.write_fails)) return absl::ResourceExhaustedError("no space left");
  manifests_[path] = manifest;
  return absl::OkStatus();
}

absl::Status DurableStore::write_ledger(const pb::TransactionLedger& ledger, LeaderEpoch epoch) {
  if (random_.chance(options_.write_fails)) return absl::ResourceExhaustedError("no space left");
  ledgers_[epoch] = ledger;
  if (on_ledger) on_ledger(ledger);
  return absl::OkStatus();
}

std::string DurableStore::write_state(std::map<int, int64_t> counts) {
  std::string path = absl::StrCat("state-", states_.size());
  states_[path] = std::move(counts);
  return path;
}

const pb::CheckpointManifest* DurableStore::manifest(const std::string& path) const {
  const auto manifest = manifests_.find(path);
  return manifest == manifests_.end() ? nullptr : &manifest->second;
}

const pb::CheckpointManifest* DurableStore::newest_manifest() const {
  const pb::CheckpointManifest* newest = nullptr;
  for (const auto& [path, manifest] : manifests_) {
    if (newest == nullptr || manifest.checkpoint_id() > newest->checkpoint_id()) {
      newest = &manifest;
    }
  }
  return newest;
}

std::optional<pb::TransactionLedger> DurableStore::ledger() const {
  if (ledgers_.empty()) return std::nullopt;
  return ledgers_.rbegin()->second;
}

}  // namespace weir::simulation
