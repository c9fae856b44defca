#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "jobmanager/metadata/metadata_store.h"
#include "proto/checkpoint.pb.h"
#include "proto/ledger.pb.h"
#include "tests/simulation/event_queue.h"
#include "tests/simulation/random.h"

namespace weir::simulation {

// What outlives every process: the metadata store's records and the checkpoint storage's files.
// Calls may fail, and records may be written although the call says Unknown.
class DurableStore {
 public:
  struct Options {
    double write_fails = 0;    // nothing was written
    double write_unknown = 0;  // of a record: written or not, the caller can't tell
    bool fenced = true;        // by version and leader epoch
  };

  DurableStore(Random& random, Options options) : random_(random), options_(options) {}
  DurableStore(const DurableStore&) = delete;
  DurableStore& operator=(const DurableStore&) = delete;

  // --- metadata ---
  LeaderEpoch raise_epoch() { return epoch_ = epoch_.next(); }
  absl::StatusOr<uint64_t> write(const pb::JobRecord& record, uint64_t expected_version,
                                 LeaderEpoch epoch);
  absl::StatusOr<VersionedJobRecord> read(const std::string& job_id) const;
  std::vector<VersionedJobRecord> read_all() const;

  LeaderEpoch epoch() const { return epoch_; }

  // --- files ---
  absl::Status write_manifest(const std::string& path, const pb::CheckpointManifest& manifest);
  // Each leader has a file of its own: a replaced one can't write over its successor's.
  absl::Status write_ledger(const pb::TransactionLedger& ledger, LeaderEpoch epoch);
  // Null if there is none.
  const pb::CheckpointManifest* manifest(const std::string& path) const;
  const pb::CheckpointManifest* newest_manifest() const;
  // The one of the latest leader that wrote one.
  std::optional<pb::TransactionLedger> ledger() const;
  // A file of keyed state, by key; returns its path.
  std::string write_state(std::map<int, int64_t> counts);
  const std::map<int, int64_t>& state(const std::string& path) const { return states_.at(path); }

  // Called with every record, and every ledger, that becomes the stored one.
  std::function<void(const pb::JobRecord&)> on_record;
  std::function<void(const pb::TransactionLedger&)> on_ledger;

  // From now on nothing fails.
  void heal() { options_.write_fails = options_.write_unknown = 0; }
  const Options& options() const { return options_; }

 private:
  Random& random_;
  Options options_;
  LeaderEpoch epoch_;
  std::map<std::string, VersionedJobRecord> records_;
  std::map<std::string, pb::CheckpointManifest> manifests_;
  std::map<LeaderEpoch, pb::TransactionLedger> ledgers_;
  std::map<std::string, std::map<int, int64_t>> states_;
};

// One JobManager's view of the records: its leader epoch goes with every write.
class SimulatedMetadataStore final : public MetadataStore {
 public:
  explicit SimulatedMetadataStore(DurableStore& durable)
      : durable_(durable), epoch_(durable.raise_epoch()) {}

  LeaderEpoch leader_epoch() const override { return epoch_; }
  absl::StatusOr<uint64_t> write(const pb::JobRecord& record, uint64_t expected) override {
    return durable_.write(record, expected, epoch_);
  }
  absl::StatusOr<VersionedJobRecord> read(const std::string& job_id) override {
    return durable_.read(job_id);
  }
  absl::StatusOr<std::vector<VersionedJobRecord>> read_all() override {
    return durable_.read_all();
  }
  absl::Status remove(const std::string&) override { return absl::UnimplementedError("remove"); }
  absl::Status put_library(const std::string&, std::string_view) override {
    return absl::UnimplementedError("put_library");
  }
  absl::StatusOr<std::string> library_path(const std::string&) override {
    return absl::UnimplementedError("library_path");
  }
  absl::Status remove_libraries_except(const std::set<std::string>&) override {
    return absl::UnimplementedError("remove_libraries_except");
  }

 private:
  DurableStore& durable_;
  const LeaderEpoch epoch_;
};

}  // namespace weir::simulation
