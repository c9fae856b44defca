#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace weir::storage {

// Where checkpoints, manifests and ledgers are kept: files under one root. Paths are relative to
// the root, with '/' ("3f…/chk-5/manifest"). Thread-safe; every call blocks on I/O, so not from a
// mailbox.
//
// Every file is written whole and carries a checksum (docs/formats.md, "Checksummed file").
class CheckpointStorage {
 public:
  virtual ~CheckpointStorage() = default;

  // The file appears whole or not at all, and is durable when this returns OK; missing folders are
  // made. An existing file is replaced. After an error the outcome is unknown: read it back.
  virtual absl::Status write_atomically(const std::string& path, std::string_view bytes) = 0;
  // NotFound if there is none; DataLoss, naming the file, if it is torn or altered.
  virtual absl::StatusOr<std::string> read(const std::string& path) = 0;
  // Bytes of such a file, unchecked: for formats with checksums of their own. DataLoss if it ends
  // before offset + length.
  virtual absl::StatusOr<std::string> read_range(const std::string& path, uint64_t offset,
                                                 uint64_t length) = 0;
  virtual absl::StatusOr<bool> exists(const std::string& path) = 0;
  // Names of the files and folders in `folder`, sorted; empty if it doesn't exist.
  virtual absl::StatusOr<std::vector<std::string>> list(const std::string& folder) = 0;
  // Of files there that are being written, or whose writers died. Deleting one fails its writer.
  virtual absl::StatusOr<std::vector<std::string>> list_unfinished(const std::string& folder) = 0;
  // Both are OK when there is nothing to delete.
  virtual absl::Status delete_file(const std::string& path) = 0;
  virtual absl::Status delete_folder(const std::string& folder) = 0;

  // The whole address of `path`, for messages and for handing it to another process.
  virtual std::string url_of(const std::string& path) const = 0;
};

// The address of a file or folder, split into that of a storage and the path in it.
struct SplitAddress {
  std::string root;
  std::string path;
};
// `components`: how many of the address, its last ones, make up the path.
absl::StatusOr<SplitAddress> split_address(const std::string& address, int components);

// By the scheme of `root_url`: file:///folder, or a plain absolute path. Touches nothing yet.
absl::StatusOr<std::unique_ptr<CheckpointStorage>> open_checkpoint_storage(
    const std::string& root_url);

}  // namespace weir::storage
