#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/mutex.h"
#include "common/storage/checkpoint_storage.h"

namespace weir {

// Checkpoint storage in memory. The files are there to be altered; not while another thread runs.
class MemoryStorage final : public storage::CheckpointStorage {
 public:
  absl::Status write_atomically(const std::string& path, std::string_view bytes) override {
    const MutexLock lock(mutex_);
    if (!write_error.ok()) return write_error;
    files[path] = bytes;
    return absl::OkStatus();
  }
  absl::StatusOr<std::string> read(const std::string& path) override {
    const MutexLock lock(mutex_);
    const auto file = files.find(path);
    if (file == files.end()) return absl::NotFoundError(absl::StrCat("no file ", url_of(path)));
    bytes_read += file->second.size();
    return file->second;
  }
  absl::StatusOr<std::string> read_range(const std::string& path, uint64_t offset,
                                         uint64_t length) override {
    const MutexLock lock(mutex_);
    const auto file = files.find(path);
    if (file == files.end()) return absl::NotFoundError(absl::StrCat("no file ", url_of(path)));
    if (offset > file->second.size() || length > file->second.size() - offset) {
      return absl::DataLossError(absl::StrCat("checkpoint file ", url_of(path), " is truncated"));
    }
    bytes_read += length;
    return file->second.substr(offset, length);
  }
  absl::StatusOr<bool> exists(const std::string& path) override {
    const MutexLock lock(mutex_);
    return files.contains(path);
  }
  absl::StatusOr<std::vector<std::string>> list(const std::string& folder) override {
    const MutexLock lock(mutex_);
    std::vector<std::string> names;
    for (const auto& [path, bytes] : files) {
      if (absl::StartsWith(path, folder + "/")) names.push_back(path.substr(folder.size() + 1));
    }
    return names;
  }
  absl::StatusOr<std::vector<std::string>> list_unfinished(const std::string&) override {
    return std::vector<std::string>();
  }
  absl::Status delete_file(const std::string& path) override {
    const MutexLock lock(mutex_);
    files.erase(path);
    return absl::OkStatus();
  }
  absl::Status delete_folder(const std::string& folder) override {
    const MutexLock lock(mutex_);
    std::erase_if(files, [&](const auto& file) { return file.first.starts_with(folder + "/"); });
    return absl::OkStatus();
  }
  // Of all writes from now on.
  void set_write_error(absl::Status status) {
    const MutexLock lock(mutex_);
    write_error = std::move(status);
  }
  std::string url_of(const std::string& path) const override { return "memory:/" + path; }

  std::map<std::string, std::string> files;
  uint64_t bytes_read = 0;
  absl::Status write_error;

 private:
  Mutex mutex_;
};

}  // namespace weir
