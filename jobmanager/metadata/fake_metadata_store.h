#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "jobmanager/metadata/metadata_store.h"

namespace weir {

// In memory, for tests and simulation: survives the JobManager that uses it, and can fail. Not
// thread-safe.
class FakeMetadataStore final : public MetadataStore {
 public:
  enum class WriteFault { kNone, kFail, kUnknownWritten, kUnknownNotWritten };

  // As if another process had opened it.
  void raise_epoch() { ++epoch_; }
  // The next write does this.
  void fail_next_write(WriteFault fault) { next_fault_ = fault; }
  void fail_reads(bool fail) { fail_reads_ = fail; }

  LeaderEpoch leader_epoch() const override { return epoch_; }

  absl::StatusOr<uint64_t> write(const pb::JobRecord& record, uint64_t expected) override {
    const WriteFault fault = std::exchange(next_fault_, WriteFault::kNone);
    if (fault == WriteFault::kFail) return absl::ResourceExhaustedError("no space left");
    if (fault == WriteFault::kUnknownNotWritten) return absl::UnknownError("interrupted");
    VersionedJobRecord& stored = records_[record.job_id()];
    if (stored.version != expected) {
      return absl::AbortedError(
          absl::StrCat("the record has version ", stored.version, ", not ", expected));
    }
    stored.record = record;
    ++stored.version;
    if (fault == WriteFault::kUnknownWritten) return absl::UnknownError("interrupted");
    return stored.version;
  }
  absl::StatusOr<VersionedJobRecord> read(const std::string& job_id) override {
    if (fail_reads_) return absl::UnavailableError("can't be read now");
    const auto it = records_.find(job_id);
    if (it == records_.end()) return absl::NotFoundError("no such job");
    return it->second;
  }
  absl::StatusOr<std::vector<VersionedJobRecord>> read_all() override {
    std::vector<VersionedJobRecord> all;
    for (const auto& [id, record] : records_) all.push_back(record);
    return all;
  }
  absl::Status remove(const std::string& job_id) override {
    records_.erase(job_id);
    return absl::OkStatus();
  }
  absl::Status put_library(const std::string& sha256, std::string_view data) override {
    libraries_[sha256] = std::string(data);
    return absl::OkStatus();
  }
  absl::StatusOr<std::string> library_path(const std::string& sha256) override {
    if (!libraries_.contains(sha256)) return absl::NotFoundError("no such library");
    return absl::StrCat("memory:", sha256);
  }
  absl::Status remove_libraries_except(const std::set<std::string>& needed) override {
    std::erase_if(libraries_, [&](const auto& library) { return !needed.contains(library.first); });
    return absl::OkStatus();
  }

 private:
  LeaderEpoch epoch_{1};
  std::map<std::string, VersionedJobRecord> records_;
  std::map<std::string, std::string> libraries_;
  WriteFault next_fault_ = WriteFault::kNone;
  bool fail_reads_ = false;
};

}  // namespace weir
