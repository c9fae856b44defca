#include "taskmanager/state/local_copies.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "common/status.h"
#include "common/storage/atomic_file.h"
#include "common/storage/checksummed_file.h"

namespace weir {
namespace {

absl::Status make_link(const std::string& from, const std::string& to) {
  std::error_code error;
  std::filesystem::create_hard_link(from, to, error);
  return error ? storage::errno_status(error.value(), "link", to) : absl::OkStatus();
}

absl::Status write_plainly(const std::string& path, std::string_view bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  return file ? absl::OkStatus() : storage::errno_status(errno, "write", path);
}

absl::Status damaged(const std::string& url, std::uint64_t size, std::uint64_t wanted) {
  return absl::DataLossError(absl::StrCat("the copy of ", url, " on this machine has ", size,
                                          " bytes instead of ", wanted));
}

}  // namespace

LocalCopies::LocalCopies(std::string folder)
    : folder_(std::move(folder)), storage_(storage::open_checkpoint_storage(folder_).value()) {}

LocalCopies::~LocalCopies() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void LocalCopies::link(std::int64_t checkpoint, const std::string& url, const std::string& file) {
  make(checkpoint, url, [&](const std::string& path) { return make_link(file, path); });
}

void LocalCopies::write(std::int64_t checkpoint, const std::string& url, std::string_view bytes) {
  make(checkpoint, url, [&](const std::string& path) {
    return write_plainly(path, storage::encode_checksummed(bytes));
  });
}

void LocalCopies::make(std::int64_t checkpoint, const std::string& url,
                       absl::FunctionRef<absl::Status(const std::string&)> make_file) {
  delete_given_up();
  std::error_code error;
  std::filesystem::create_directories(folder_, error);  // an error shows next
  const std::string name = next_name(checkpoint);
  const std::string path = absl::StrCat(folder_, "/", name);
  if (const absl::Status made = make_file(path); !made.ok()) {
    WEIR_LOG_WARN({}, "no copy of {} is kept on this machine: {}", url,
                  std::string(made.message()));
    std::filesystem::remove(path, error);
    return;
  }
  add(checkpoint, url, name);
}

std::string LocalCopies::next_name(std::int64_t checkpoint) {
  const MutexLock lock(mutex_);
  return absl::StrCat(checkpoint, "-", files_++);
}

void LocalCopies::add(std::int64_t checkpoint, const std::string& url, std::string path) {
  const MutexLock lock(mutex_);
  if (checkpoint < base_) {
    given_up_.push_back(std::move(path));
    return;
  }
  checkpoints_[checkpoint][url] = std::move(path);
  // Those whose end nobody told, as their task had ended before.
  const auto pending = checkpoints_.upper_bound(base_);
  if (std::distance(pending, checkpoints_.end()) > std::ptrdiff_t{kPendingMost}) give_up(pending);
}

absl::StatusOr<std::string> LocalCopies::find(const std::string& url) {
  const MutexLock lock(mutex_);
  for (auto at = checkpoints_.rbegin(); at != checkpoints_.rend(); ++at) {
    const auto found = at->second.find(url);
    if (found == at->second.end()) continue;
    base_ = std::max(base_, at->first);
    return found->second;
  }
  return absl::NotFoundError(absl::StrCat("this machine has no copy of ", url));
}

absl::Status LocalCopies::link_to(const std::string& url, std::uint64_t size_bytes,
                                  const std::string& file) {
  WEIR_ASSIGN_OR_RETURN(const std::string path, find(url));
  WEIR_RETURN_IF_ERROR(make_link(absl::StrCat(folder_, "/", path), file));
  std::error_code error;
  const std::uint64_t size = std::filesystem::file_size(file, error);
  if (!error && size == size_bytes) return absl::OkStatus();
  std::filesystem::remove(file, error);
  return damaged(url, size, size_bytes);
}

absl::StatusOr<std::string> LocalCopies::read(const std::string& url, std::uint64_t size_bytes) {
  WEIR_ASSIGN_OR_RETURN(const std::string path, find(url));
  WEIR_ASSIGN_OR_RETURN(std::string bytes, storage_->read(path));
  if (bytes.size() != size_bytes) return damaged(url, bytes.size(), size_bytes);
  return bytes;
}

absl::StatusOr<LocalCopies::Place> LocalCopies::find_whole(const std::string& url,
                                                           std::uint64_t size_bytes) {
  WEIR_RETURN_IF_ERROR(read(url, size_bytes).status());
  WEIR_ASSIGN_OR_RETURN(std::string path, find(url));
  return Place{storage_.get(), std::move(path)};
}

void LocalCopies::completed(std::int64_t checkpoint) {
  const MutexLock lock(mutex_);
  base_ = std::max(base_, checkpoint);
  while (!checkpoints_.empty() && checkpoints_.begin()->first < checkpoint) {
    give_up(checkpoints_.begin());
  }
}

void LocalCopies::aborted(std::int64_t checkpoint) {
  const MutexLock lock(mutex_);
  if (const auto found = checkpoints_.find(checkpoint); found != checkpoints_.end()) give_up(found);
}

void LocalCopies::forget_all() {
  {
    const MutexLock lock(mutex_);
    while (!checkpoints_.empty()) give_up(checkpoints_.begin());
  }
  delete_given_up();
}

void LocalCopies::give_up(std::map<std::int64_t, Paths>::iterator checkpoint) {
  for (auto& [url, path] : checkpoint->second) given_up_.push_back(std::move(path));
  checkpoints_.erase(checkpoint);
}

void LocalCopies::delete_given_up() {
  std::vector<std::string> paths;
  {
    const MutexLock lock(mutex_);
    paths.swap(given_up_);
  }
  std::error_code ignored;
  for (const std::string& path : paths) {
    std::filesystem::remove(absl::StrCat(folder_, "/", path), ignored);
  }
}

}  // namespace weir
