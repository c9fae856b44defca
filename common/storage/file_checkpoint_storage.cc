#include "common/storage/file_checkpoint_storage.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/status.h"
#include "common/storage/atomic_file.h"
#include "common/storage/checksummed_file.h"

namespace weir::storage {

FileCheckpointStorage::FileCheckpointStorage(std::string root) : root_(std::move(root)) {}

absl::StatusOr<std::string> FileCheckpointStorage::absolute(const std::string& path) const {
  const std::vector<std::string> parts = absl::StrSplit(path, '/', absl::SkipEmpty());
  if (absl::StartsWith(path, "/") || std::find(parts.begin(), parts.end(), "..") != parts.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", path, "' isn't a path below ", root_, "; leave out '/' and '..'"));
  }
  return path.empty() ? root_ : absl::StrCat(root_, "/", path);
}

absl::Status FileCheckpointStorage::write_atomically(const std::string& path,
                                                     std::string_view bytes) {
  WEIR_ASSIGN_OR_RETURN(const std::string file, absolute(path));
  return write_checksummed_file(file, bytes);
}

absl::StatusOr<std::string> FileCheckpointStorage::read(const std::string& path) {
  WEIR_ASSIGN_OR_RETURN(const std::string file, absolute(path));
  return read_checksummed_file(file);
}

absl::StatusOr<std::string> FileCheckpointStorage::read_range(const std::string& path,
                                                              uint64_t offset, uint64_t length) {
  WEIR_ASSIGN_OR_RETURN(const std::string file, absolute(path));
  return read_checksummed_file_range(file, offset, length);
}

absl::StatusOr<bool> FileCheckpointStorage::exists(const std::string& path) {
  WEIR_ASSIGN_OR_RETURN(const std::string file, absolute(path));
  struct stat info;
  if (::stat(file.c_str(), &info) == 0) return true;
  if (errno == ENOENT || errno == ENOTDIR) return false;
  return errno_status(errno, "look at", file);
}

absl::StatusOr<std::vector<std::string>> FileCheckpointStorage::list(const std::string& folder) {
  return list_files(folder, /*unfinished=*/false);
}

absl::StatusOr<std::vector<std::string>> FileCheckpointStorage::list_unfinished(
    const std::string& folder) {
  return list_files(folder, /*unfinished=*/true);
}

absl::StatusOr<std::vector<std::string>> FileCheckpointStorage::list_files(
    const std::string& folder, bool unfinished) const {
  WEIR_ASSIGN_OR_RETURN(const std::string path, absolute(folder));
  std::vector<std::string> names;
  std::error_code error;
  std::filesystem::directory_iterator entry(path, error);
  if (error.value() == ENOENT) return names;
  while (!error && entry != std::filesystem::directory_iterator()) {
    const std::string name = entry->path().filename().string();
    if (is_temporary_file(name) == unfinished) names.push_back(name);
    entry.increment(error);
  }
  if (error) return errno_status(error.value(), "list", path);
  std::sort(names.begin(), names.end());
  return names;
}

absl::Status FileCheckpointStorage::delete_file(const std::string& path) {
  WEIR_ASSIGN_OR_RETURN(const std::string file, absolute(path));
  if (::unlink(file.c_str()) == 0 || errno == ENOENT) return absl::OkStatus();
  return errno_status(errno, "delete", file);
}

absl::Status FileCheckpointStorage::delete_folder(const std::string& folder) {
  if (folder.empty()) return absl::InvalidArgumentError("the root of the storage isn't deleted");
  WEIR_ASSIGN_OR_RETURN(const std::string path, absolute(folder));
  std::error_code error;
  std::filesystem::remove_all(path, error);
  if (error) return errno_status(error.value(), "delete", path);
  return absl::OkStatus();
}

std::string FileCheckpointStorage::url_of(const std::string& path) const {
  return absl::StrCat("file://", root_, path.empty() ? "" : "/", path);
}

absl::StatusOr<std::unique_ptr<CheckpointStorage>> open_checkpoint_storage(
    const std::string& root_url) {
  std::string root = root_url;
  if (absl::StartsWith(root, "file:///")) {
    root.erase(0, std::string("file://").size());
  } else if (absl::StartsWith(root, "file:/")) {  // Flink prints this form
    root.erase(0, std::string("file:").size());
  } else if (const size_t scheme = root.find("://"); scheme != std::string::npos) {
    return absl::InvalidArgumentError(absl::StrCat("can't store at '", root_url, "': the scheme '",
                                                   root.substr(0, scheme),
                                                   "' isn't supported; use file:///folder"));
  }
  if (!absl::StartsWith(root, "/")) {
    return absl::InvalidArgumentError(absl::StrCat(
        "can't store at '", root_url, "': not absolute; use file:///folder or /folder"));
  }
  while (root.size() > 1 && root.back() == '/') root.pop_back();
  return std::make_unique<FileCheckpointStorage>(std::move(root));
}

}  // namespace weir::storage
