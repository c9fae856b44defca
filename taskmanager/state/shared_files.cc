#include "taskmanager/state/shared_files.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/fault_point.h"
#include "common/status.h"
#include "common/storage/atomic_file.h"
#include "common/storage/shared_file_name.h"
#include "taskmanager/state/parallel_files.h"
#include "taskmanager/state/restore.h"

namespace weir {
namespace {

constexpr std::string_view kTableFile = ".sst";
constexpr std::string_view kManifest = "MANIFEST-";

bool is_plain_name(const std::string& name) {
  return !name.empty() && name != "." && name != ".." &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '-';
         });
}

bool is_table_file(const SharedFiles::File& file) {
  return file.local_name().ends_with(kTableFile);
}

absl::Status write_local_file(const std::string& path, std::string_view bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (!file) return storage::errno_status(errno, "write", path);
  return absl::OkStatus();
}

// A table file never changes: a link to the copy will do.
absl::Status take_copy(const SharedFiles::File& file, const std::string& url,
                       const std::string& path, LocalCopies& copies) {
  if (is_table_file(file)) return copies.link_to(url, file.size_bytes(), path);
  WEIR_ASSIGN_OR_RETURN(const std::string bytes, copies.read(url, file.size_bytes()));
  return write_local_file(path, bytes);
}

}  // namespace

SharedFiles::Files SharedFiles::shared_files_of(const pb::KeyedStateHandle& handle) {
  Files files;
  for (const File& file : handle.files()) {
    if (file.shared()) files[file.local_name()] = file;
  }
  return files;
}

void SharedFiles::restored(const pb::KeyedStateHandle& handle) {
  const MutexLock lock(mutex_);
  completed_ = shared_files_of(handle);
}

std::optional<SharedFiles::File> SharedFiles::find(const std::string& local_name) const {
  const MutexLock lock(mutex_);
  const auto found = completed_.find(local_name);
  if (found == completed_.end()) return std::nullopt;
  return found->second;
}

void SharedFiles::uploaded(std::int64_t checkpoint_id, const pb::KeyedStateHandle& handle) {
  const MutexLock lock(mutex_);
  uploaded_[checkpoint_id] = shared_files_of(handle);
}

void SharedFiles::completed(std::int64_t checkpoint_id) {
  const MutexLock lock(mutex_);
  const auto found = uploaded_.find(checkpoint_id);
  if (found == uploaded_.end()) return;
  completed_ = std::move(found->second);
  uploaded_.erase(uploaded_.begin(), std::next(found));
}

absl::StatusOr<pb::KeyedStateHandle> upload_database(const std::string& folder,
                                                     const SnapshotTarget& target,
                                                     pb::KeyedStateHandle description,
                                                     const SharedFiles& shared_files) {
  description.set_format(pb::KeyedStateHandle::ROCKSDB);
  std::error_code error;
  std::vector<std::string> names;
  for (std::filesystem::directory_iterator at(folder, error), end; !error && at != end;
       at.increment(error)) {
    names.push_back(at->path().filename().string());
  }
  if (error) return storage::errno_status(error.value(), "list", folder);
  std::sort(names.begin(), names.end());
  std::vector<SharedFiles::File> new_files;
  for (const std::string& name : names) {
    const bool shared = name.ends_with(kTableFile);
    if (!shared && !name.starts_with(kManifest)) continue;  // made anew by download_database
    if (std::optional<SharedFiles::File> known = shared_files.find(name); shared && known) {
      *description.add_files() = *std::move(known);
      continue;
    }
    SharedFiles::File& file = new_files.emplace_back();
    file.set_path(absl::StrCat(shared ? target.shared_folder : target.folder, "/",
                               storage::shared_file_name(target.name, target.checkpoint_id, name)));
    file.set_shared(shared);
    file.set_local_name(name);
  }
  WEIR_RETURN_IF_ERROR(for_each_file(new_files.size(), [&](std::size_t i) -> absl::Status {
    SharedFiles::File& file = new_files[i];
    WEIR_ASSIGN_OR_RETURN(const std::string bytes,
                          storage::read_whole_file(absl::StrCat(folder, "/", file.local_name())));
    WEIR_RETURN_IF_ERROR(WEIR_FAULT_POINT_STATUS("keyed_state.before_upload"));
    file.set_size_bytes(bytes.size());
    return target.storage->write_atomically(file.path(), bytes);
  }));
  for (SharedFiles::File& file : new_files) *description.add_files() = std::move(file);
  return description;
}

void keep_database(const std::string& folder, const SnapshotTarget& target,
                   const pb::KeyedStateHandle& handle, LocalCopies& copies) {
  for (const SharedFiles::File& file : handle.files()) {
    const std::string url = target.storage->url_of(file.path());
    const std::string path = absl::StrCat(folder, "/", file.local_name());
    if (is_table_file(file)) {
      copies.link(target.checkpoint_id, url, path);
    } else if (const auto bytes = storage::read_whole_file(path); bytes.ok()) {
      copies.write(target.checkpoint_id, url, *bytes);
    }
  }
}

absl::Status download_database(const RestoreSource& source, const std::string& folder,
                               LocalCopies* copies) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return storage::errno_status(error.value(), "make folder", folder);
  std::string manifest;
  for (const SharedFiles::File& file : source.handle->files()) {
    if (!is_plain_name(file.local_name())) {
      return absl::DataLossError(
          absl::StrCat("the checkpoint's file ", source.storage->url_of(file.path()),
                       " has a name that no database file has: '", file.local_name(), "'"));
    }
    if (file.local_name().starts_with(kManifest)) manifest = file.local_name();
  }
  const auto& files = source.handle->files();
  WEIR_RETURN_IF_ERROR(
      for_each_file(static_cast<std::size_t>(files.size()), [&](std::size_t i) -> absl::Status {
        const SharedFiles::File& file = files[static_cast<int>(i)];
        const std::string path = absl::StrCat(folder, "/", file.local_name());
        if (copies != nullptr) {
          const absl::Status taken =
              take_copy(file, source.storage->url_of(file.path()), path, *copies);
          if (taken.ok()) {
            count_restored(source, file, /*from_copy=*/true);
            return absl::OkStatus();
          }
          warn_of_copy(taken);
        }
        count_restored(source, file, /*from_copy=*/false);
        WEIR_ASSIGN_OR_RETURN(const std::string bytes, source.storage->read(file.path()));
        if (bytes.size() != file.size_bytes()) {
          return absl::DataLossError(
              absl::StrCat("checkpoint file ", source.storage->url_of(file.path()), " has ",
                           bytes.size(), " bytes instead of ", file.size_bytes()));
        }
        return write_local_file(path, bytes);
      }));
  if (manifest.empty()) {
    return absl::DataLossError("the checkpoint's keyed state has no manifest of its database");
  }
  return write_local_file(absl::StrCat(folder, "/CURRENT"), manifest + "\n");
}

}  // namespace weir
