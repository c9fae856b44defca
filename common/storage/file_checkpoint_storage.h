#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/storage/checkpoint_storage.h"

namespace weir::storage {

// A local folder, or one that all hosts have mounted.
class FileCheckpointStorage final : public CheckpointStorage {
 public:
  // `root` is absolute.
  explicit FileCheckpointStorage(std::string root);

  absl::Status write_atomically(const std::string& path, std::string_view bytes) override;
  absl::StatusOr<std::string> read(const std::string& path) override;
  absl::StatusOr<std::string> read_range(const std::string& path, uint64_t offset,
                                         uint64_t length) override;
  absl::StatusOr<bool> exists(const std::string& path) override;
  absl::StatusOr<std::vector<std::string>> list(const std::string& folder) override;
  absl::StatusOr<std::vector<std::string>> list_unfinished(const std::string& folder) override;
  absl::Status delete_file(const std::string& path) override;
  absl::Status delete_folder(const std::string& folder) override;
  std::string url_of(const std::string& path) const override;

 private:
  // InvalidArgument for a path that leads out of the root.
  absl::StatusOr<std::string> absolute(const std::string& path) const;
  absl::StatusOr<std::vector<std::string>> list_files(const std::string& folder,
                                                      bool unfinished) const;

  const std::string root_;
};

}  // namespace weir::storage
