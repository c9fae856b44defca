#include "taskmanager/server/library_cache.h"

#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status.h"

namespace weir {

namespace fs = std::filesystem;

namespace {

constexpr std::chrono::hours kUnusedTime{7 * 24};

}  // namespace

LibraryCache::LibraryCache(std::string folder, Fetch fetch)
    : folder_(std::move(folder)), fetch_(std::move(fetch)), mailbox_({.name = "libraries"}) {
  mailbox_.start();
}

LibraryCache::~LibraryCache() {
  mailbox_.shutdown(Mailbox::Pending::kDrop);
}

void LibraryCache::get(const std::string& sha256, const std::string& name, Callback callback) {
  if (auto library = find(sha256)) {
    callback(std::move(library));
    return;
  }
  mailbox_.post([this, sha256, name, callback = std::move(callback)] {
    if (auto library = find(sha256)) {
      callback(std::move(library));
    } else {
      callback(load(sha256, name));
    }
  });
}

absl::StatusOr<std::shared_ptr<const JobLibrary>> LibraryCache::load(const std::string& sha256,
                                                                     const std::string& name) {
  // Both come over the network and become a path.
  if (sha256.size() != 64 || sha256.find_first_not_of("0123456789abcdef") != std::string::npos) {
    return absl::InvalidArgumentError(absl::StrCat("'", sha256, "' isn't a SHA-256 in hex"));
  }
  const fs::path file = fs::path(name).filename();
  const fs::path path = fs::path(folder_) / sha256 / (file.empty() ? "job.so" : file);
  std::error_code error;
  fs::last_write_time(path.parent_path(), fs::file_time_type::clock::now(), error);
  const auto present = sha256_of_file(path.string());
  if (!present.ok() || *present != sha256) {
    WEIR_RETURN_IF_ERROR(fetch_verified(sha256, path));
    remove_unused();
  }
  auto library = JobLibrary::load(path.string());
  if (!library.ok() && !fs::exists(path, error)) {
    return absl::UnavailableError(absl::StrCat(path.string(), " was deleted while it was loaded"));
  }
  WEIR_RETURN_IF_ERROR(library.status());
  MutexLock lock(mutex_);
  loaded_[sha256] = *library;
  return library;
}

// A folder's time is that of its last load.
void LibraryCache::remove_unused() const {
  const auto oldest = fs::file_time_type::clock::now() - kUnusedTime;
  std::error_code error;
  std::vector<fs::path> unused;
  for (const auto& entry : fs::directory_iterator(folder_, error)) {
    const auto last_use = entry.last_write_time(error);
    if (!error && last_use < oldest) unused.push_back(entry.path());
  }
  // What can't be deleted now is tried again.
  for (const fs::path& path : unused) fs::remove_all(path, error);
}

absl::Status LibraryCache::fetch_verified(const std::string& sha256, const std::string& path) {
  std::error_code error;
  fs::create_directories(fs::path(path).parent_path(), error);
  if (error) {
    return absl::UnavailableError(absl::StrCat("can't make the folder of ", path, ": ",
                                               error.message(), "; see io.tmp.dirs"));
  }
  const std::string partial = absl::StrCat(path, ".", ::getpid(), ".part");
  absl::Status status = fetch_(sha256, partial);
  if (status.ok()) {
    const auto fetched = sha256_of_file(partial);
    if (!fetched.ok()) {
      status = fetched.status();
    } else if (*fetched != sha256) {
      status = absl::DataLossError(
          absl::StrCat("the fetched library has the hash ", *fetched, " instead of ", sha256));
    }
  }
  if (status.ok()) {
    fs::rename(partial, path, error);
    if (error) status = absl::UnavailableError(absl::StrCat(path, ": ", error.message()));
  }
  if (!status.ok()) fs::remove(partial, error);
  return status;
}

std::shared_ptr<const JobLibrary> LibraryCache::find(const std::string& sha256) {
  MutexLock lock(mutex_);
  const auto found = loaded_.find(sha256);
  return found == loaded_.end() ? nullptr : found->second;
}

}  // namespace weir
