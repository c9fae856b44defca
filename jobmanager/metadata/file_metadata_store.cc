#include "jobmanager/metadata/file_metadata_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/fault_point.h"
#include "common/status.h"
#include "common/storage/atomic_file.h"
#include "common/storage/checksummed_file.h"

namespace weir {

namespace {

namespace fs = std::filesystem;

absl::StatusOr<VersionedJobRecord> parse_record(const std::string& bytes, const std::string& path) {
  pb::StoredJobRecord stored;
  if (!stored.ParseFromString(bytes)) {
    return absl::DataLossError(absl::StrCat("job record ", path, " can't be parsed"));
  }
  if (stored.format_version() != 1) {
    return absl::FailedPreconditionError(
        absl::StrCat("job record ", path, " has format ", stored.format_version(),
                     ", this JobManager reads format 1: use the version that wrote it"));
  }
  return VersionedJobRecord{stored.record(), stored.version()};
}

}  // namespace

absl::StatusOr<std::unique_ptr<FileMetadataStore>> FileMetadataStore::open(
    const std::string& folder) {
  std::error_code error;
  for (const char* part : {"jobs", "libraries"}) {
    fs::create_directories(fs::path(folder) / part, error);
    if (error) {
      return absl::FailedPreconditionError(
          absl::StrCat("can't make ", folder, "/", part, ": ", error.message(),
                       "; choose another high-availability.storageDir"));
    }
  }
  const std::string lock_path = absl::StrCat(folder, "/lock");
  const int fd = ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return storage::errno_status(errno, "open", lock_path);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    char holder[32] = {};
    const ssize_t size = ::pread(fd, holder, sizeof(holder) - 1, 0);
    ::close(fd);
    return absl::FailedPreconditionError(absl::StrCat(
        "another JobManager", size > 0 ? absl::StrCat(" (pid ", holder, ")") : "", " uses ", folder,
        ": stop it, or choose another high-availability.storageDir"));
  }
  std::unique_ptr<FileMetadataStore> store(new FileMetadataStore(folder, fd));
  const std::string pid = absl::StrCat(::getpid());
  if (::ftruncate(fd, 0) != 0 ||
      ::pwrite(fd, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    return storage::errno_status(errno, "write", lock_path);
  }
  WEIR_RETURN_IF_ERROR(store->raise_epoch());
  return store;
}

FileMetadataStore::~FileMetadataStore() {
  ::close(lock_fd_);
}

absl::Status FileMetadataStore::raise_epoch() {
  const std::string path = absl::StrCat(folder_, "/leader-epoch");
  uint64_t last = 0;
  const auto stored = storage::read_checksummed_file(path);
  if (stored.ok()) {
    if (!absl::SimpleAtoi(*stored, &last)) {
      return absl::DataLossError(absl::StrCat(path, " isn't a number"));
    }
  } else if (!absl::IsNotFound(stored.status())) {
    return stored.status();
  }
  epoch_ = LeaderEpoch(last + 1);
  return storage::write_checksummed_file(path, absl::StrCat(epoch_.value()));
}

std::string FileMetadataStore::job_path(const std::string& job_id) const {
  return absl::StrCat(folder_, "/jobs/", job_id);
}

absl::StatusOr<uint64_t> FileMetadataStore::write(const pb::JobRecord& record,
                                                  uint64_t expected_version) {
  MutexLock lock(mutex_);
  const auto stored = read(record.job_id());
  if (!stored.ok() && !absl::IsNotFound(stored.status())) return stored.status();
  const uint64_t version = stored.ok() ? stored->version : 0;
  if (version != expected_version) {
    return absl::AbortedError(absl::StrCat("job record ", record.job_id(), " has version ", version,
                                           ", not ", expected_version));
  }
  pb::StoredJobRecord next;
  next.set_format_version(1);
  next.set_version(version + 1);
  next.set_leader_epoch(epoch_.value());
  *next.mutable_record() = record;
  WEIR_RETURN_IF_ERROR(WEIR_FAULT_POINT_STATUS("metadata.before_write"));
  const absl::Status written =
      storage::write_checksummed_file(job_path(record.job_id()), next.SerializeAsString());
  if (written.ok()) return version + 1;
  const auto now = read(record.job_id());
  const bool unchanged = now.ok() ? now->version == version : absl::IsNotFound(now.status());
  if (unchanged) return written;
  return absl::UnknownError(written.message());
}

absl::StatusOr<VersionedJobRecord> FileMetadataStore::read(const std::string& job_id) {
  const std::string path = job_path(job_id);
  WEIR_ASSIGN_OR_RETURN(const std::string bytes, storage::read_checksummed_file(path));
  return parse_record(bytes, path);
}

absl::StatusOr<std::vector<VersionedJobRecord>> FileMetadataStore::read_all() {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(absl::StrCat(folder_, "/jobs"), error)) {
    const std::string name = entry.path().filename().string();
    if (!storage::is_temporary_file(name)) names.push_back(name);
  }
  if (error) {
    return absl::UnavailableError(absl::StrCat("can't list ", folder_, "/jobs: ", error.message()));
  }
  std::sort(names.begin(), names.end());
  std::vector<VersionedJobRecord> all;
  for (const std::string& name : names) {
    WEIR_ASSIGN_OR_RETURN(VersionedJobRecord record, read(name));
    all.push_back(std::move(record));
  }
  return all;
}

absl::Status FileMetadataStore::remove(const std::string& job_id) {
  std::error_code error;
  fs::remove(job_path(job_id), error);
  if (error) {
    return absl::UnavailableError(
        absl::StrCat("can't remove ", job_path(job_id), ": ", error.message()));
  }
  return absl::OkStatus();
}

absl::Status FileMetadataStore::put_library(const std::string& sha256, std::string_view data) {
  return storage::write_file_atomically(absl::StrCat(folder_, "/libraries/", sha256), {data});
}

absl::StatusOr<std::string> FileMetadataStore::library_path(const std::string& sha256) {
  const std::string path = absl::StrCat(folder_, "/libraries/", sha256);
  std::error_code error;
  if (!fs::is_regular_file(path, error)) {
    return absl::NotFoundError(absl::StrCat("no job library ", sha256, ": upload it first"));
  }
  return path;
}

absl::Status FileMetadataStore::remove_libraries_except(const std::set<std::string>& needed) {
  std::error_code error;
  std::vector<fs::path> unneeded;
  for (const auto& entry : fs::directory_iterator(absl::StrCat(folder_, "/libraries"), error)) {
    if (!needed.contains(entry.path().filename().string())) unneeded.push_back(entry.path());
  }
  for (const fs::path& path : unneeded) {
    if (!error) fs::remove(path, error);
  }
  if (!error) return absl::OkStatus();
  return absl::UnavailableError(
      absl::StrCat("can't clean up ", folder_, "/libraries: ", error.message()));
}

}  // namespace weir
