#pragma once

// Keyed state in the form that every backend reads. Layout: docs/formats.md, "Keyed state".

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/storage/checkpoint_storage.h"
#include "proto/checkpoint.pb.h"
#include "taskmanager/state/entry_buffer.h"
#include "weir/key_group.h"

namespace weir {

// The file's bytes. REQUIRES: `entries` are sorted, none is erased.
std::string encode_canonical_file(const pb::KeyedStateFileHeader& header,
                                  const EntryBuffer& entries);

// Reads a canonical file by key groups. What isn't as it was written is refused, with the file's
// name, before any of it is handed out; nothing in a file makes the reader crash.
class CanonicalFile {
 public:
  using Visitor = absl::FunctionRef<absl::Status(const StateEntry&)>;

  // `storage` outlives the result. `size_bytes` is what was written.
  static absl::StatusOr<CanonicalFile> open(storage::CheckpointStorage& storage,
                                            const std::string& path, std::uint64_t size_bytes);

  const pb::KeyedStateFileHeader& header() const { return header_; }
  // The entries of the key groups, in their order; reads no others. Ends at the visitor's error.
  absl::Status read(KeyGroupRange range, Visitor visitor) const;

 private:
  struct Block {
    int key_group = 0;
    std::uint32_t entries = 0;
    std::uint64_t offset = 0;
    std::uint32_t length = 0;
    std::uint64_t xxh3 = 0;
  };

  CanonicalFile(storage::CheckpointStorage& storage, std::string path)
      : storage_(&storage), path_(std::move(path)) {}
  absl::Status read_header();
  absl::Status read_index(std::uint64_t size_bytes);
  absl::Status read_block(const Block& block, std::string_view bytes, Visitor visitor) const;
  absl::Status altered(std::string_view what) const;

  storage::CheckpointStorage* storage_;
  std::string path_;
  pb::KeyedStateFileHeader header_;
  std::uint64_t blocks_begin_ = 0;
  std::vector<Block> blocks_;
};

}  // namespace weir
