#include "taskmanager/state/canonical_file.h"

#include <xxhash.h>

#include <bit>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/status.h"

namespace weir {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::string_view kMagic = "WEIRKEYS";
constexpr std::string_view kEndMagic = "WEIRKEND";
constexpr std::uint32_t kVersion = 1;
constexpr std::uint64_t kStartBytes = 16;    // magic, version, length of the header
constexpr std::uint64_t kBlockBytes = 26;    // of the index
constexpr std::uint64_t kTrailerBytes = 28;  // index offset, blocks, checksum, magic
constexpr std::uint64_t kIndexedBytes = 12;  // of the trailer, under the index's checksum
constexpr std::size_t kEntryHeadBytes = 10;
constexpr std::size_t kBlockTarget = 64 << 10;
constexpr std::uint64_t kReadBytes = 4 << 20;

template <typename T>
void append(T value, std::string& out) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

// REQUIRES: in.size() >= sizeof(T).
template <typename T>
T take(std::string_view& in) {
  T value;
  std::memcpy(&value, in.data(), sizeof(T));
  in.remove_prefix(sizeof(T));
  return value;
}

std::uint64_t xxh3(std::string_view bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

int key_group_of_entry(std::string_view key) {
  return static_cast<unsigned char>(key[0]) << 8 | static_cast<unsigned char>(key[1]);
}

void append_entry(const StateEntry& entry, std::string& out) {
  append(static_cast<std::uint16_t>(entry.table), out);
  append(static_cast<std::uint32_t>(entry.key.size()), out);
  append(static_cast<std::uint32_t>(entry.value.size()), out);
  out.append(entry.key);
  out.append(entry.value);
}

// Writes blocks of one key group each, and an index of them.
class BlockWriter {
 public:
  explicit BlockWriter(std::string& out) : out_(out), start_(out.size()) {}

  void add(const StateEntry& entry) {
    const int key_group = key_group_of_entry(entry.key);
    if (key_group != key_group_ || out_.size() - start_ >= kBlockTarget) end_block();
    key_group_ = key_group;
    append_entry(entry, out_);
    ++entries_;
  }
  void finish() {
    end_block();
    const std::size_t index_offset = out_.size();
    out_.append(index_);
    append(static_cast<std::uint64_t>(index_offset), out_);
    append(static_cast<std::uint32_t>(index_.size() / kBlockBytes), out_);
    append(xxh3(std::string_view(out_).substr(index_offset)), out_);
    out_.append(kEndMagic);
  }

 private:
  void end_block() {
    if (entries_ > 0) {
      append(static_cast<std::uint16_t>(key_group_), index_);
      append(entries_, index_);
      append(static_cast<std::uint64_t>(start_), index_);
      append(static_cast<std::uint32_t>(out_.size() - start_), index_);
      append(xxh3(std::string_view(out_).substr(start_)), index_);
    }
    start_ = out_.size();
    entries_ = 0;
  }

  std::string& out_;
  std::string index_;
  std::size_t start_;  // of the block
  std::uint32_t entries_ = 0;
  int key_group_ = -1;
};

}  // namespace

std::string encode_canonical_file(const pb::KeyedStateFileHeader& header,
                                  const EntryBuffer& entries) {
  std::string out(kMagic);
  const std::string header_bytes = header.SerializeAsString();
  append(kVersion, out);
  append(static_cast<std::uint32_t>(header_bytes.size()), out);
  out.append(header_bytes);
  append(xxh3(out), out);
  BlockWriter blocks(out);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    WEIR_CHECK(!entries[i].erased);
    blocks.add(entries[i]);
  }
  blocks.finish();
  return out;
}

absl::StatusOr<CanonicalFile> CanonicalFile::open(storage::CheckpointStorage& storage,
                                                  const std::string& path,
                                                  std::uint64_t size_bytes) {
  CanonicalFile file(storage, path);
  WEIR_RETURN_IF_ERROR(file.read_header());
  WEIR_RETURN_IF_ERROR(file.read_index(size_bytes));
  return file;
}

absl::Status CanonicalFile::altered(std::string_view what) const {
  return absl::DataLossError(absl::StrCat("checkpoint file ", storage_->url_of(path_),
                                          " is altered: ", std::string(what)));
}

absl::Status CanonicalFile::read_header() {
  WEIR_ASSIGN_OR_RETURN(std::string bytes, storage_->read_range(path_, 0, kStartBytes));
  if (!bytes.starts_with(kMagic)) return altered("it doesn't start as keyed state does");
  std::string_view start = std::string_view(bytes).substr(kMagic.size());
  const auto version = take<std::uint32_t>(start);
  const auto length = take<std::uint32_t>(start);
  if (version != kVersion) {
    return absl::FailedPreconditionError(absl::StrCat(
        "checkpoint file ", storage_->url_of(path_), " has keyed state of format version ", version,
        ", this build reads version ", kVersion, "; use the Weir that wrote it"));
  }
  WEIR_ASSIGN_OR_RETURN(const std::string rest,
                        storage_->read_range(path_, kStartBytes, std::uint64_t{length} + 8));
  std::string_view checksum = std::string_view(rest).substr(length);
  bytes.append(rest, 0, length);
  if (take<std::uint64_t>(checksum) != xxh3(bytes) ||
      !header_.ParseFromArray(rest.data(), static_cast<int>(length))) {
    return altered("its header has another checksum");
  }
  blocks_begin_ = kStartBytes + length + 8;
  return absl::OkStatus();
}

absl::Status CanonicalFile::read_index(std::uint64_t size_bytes) {
  if (size_bytes < blocks_begin_ + kTrailerBytes) return altered("it is too short");
  const std::uint64_t trailer_offset = size_bytes - kTrailerBytes;
  WEIR_ASSIGN_OR_RETURN(const std::string trailer_bytes,
                        storage_->read_range(path_, trailer_offset, kTrailerBytes));
  std::string_view trailer = trailer_bytes;
  const auto index_offset = take<std::uint64_t>(trailer);
  const auto count = take<std::uint32_t>(trailer);
  const auto checksum = take<std::uint64_t>(trailer);
  if (trailer != kEndMagic || index_offset < blocks_begin_ || index_offset > trailer_offset ||
      trailer_offset - index_offset != count * kBlockBytes) {
    return altered("it doesn't end as keyed state does");
  }
  WEIR_ASSIGN_OR_RETURN(
      const std::string index,
      storage_->read_range(path_, index_offset, count * kBlockBytes + kIndexedBytes));
  if (xxh3(index) != checksum) return altered("its index has another checksum");
  std::string_view left = index;
  for (std::uint32_t i = 0; i < count; ++i) {
    Block block;
    block.key_group = take<std::uint16_t>(left);
    block.entries = take<std::uint32_t>(left);
    block.offset = take<std::uint64_t>(left);
    block.length = take<std::uint32_t>(left);
    block.xxh3 = take<std::uint64_t>(left);
    const std::uint64_t begin =
        blocks_.empty() ? blocks_begin_ : blocks_.back().offset + blocks_.back().length;
    if (block.offset != begin || block.length > index_offset - begin) {
      return altered("its blocks don't follow one another");
    }
    blocks_.push_back(block);
  }
  return absl::OkStatus();
}

absl::Status CanonicalFile::read(KeyGroupRange range, Visitor visitor) const {
  for (std::size_t i = 0; i < blocks_.size();) {
    if (!range.contains(blocks_[i].key_group)) {
      ++i;
      continue;
    }
    std::size_t end = i + 1;  // of the blocks read at once
    std::uint64_t length = blocks_[i].length;
    while (end < blocks_.size() && range.contains(blocks_[end].key_group) && length < kReadBytes) {
      length += blocks_[end++].length;
    }
    const std::uint64_t offset = blocks_[i].offset;
    WEIR_ASSIGN_OR_RETURN(const std::string bytes, storage_->read_range(path_, offset, length));
    for (; i < end; ++i) {
      const Block& block = blocks_[i];
      const std::string_view view =
          std::string_view(bytes).substr(block.offset - offset, block.length);
      if (xxh3(view) != block.xxh3) {
        return altered(absl::StrCat("key group ", block.key_group, " has another checksum"));
      }
      WEIR_RETURN_IF_ERROR(read_block(block, view, visitor));
    }
  }
  return absl::OkStatus();
}

absl::Status CanonicalFile::read_block(const Block& block, std::string_view bytes,
                                       Visitor visitor) const {
  for (std::uint32_t i = 0; i < block.entries; ++i) {
    if (bytes.size() < kEntryHeadBytes) return altered("a block ends within an entry");
    const int table = take<std::uint16_t>(bytes);
    const std::uint64_t key_bytes = take<std::uint32_t>(bytes);
    const std::uint64_t value_bytes = take<std::uint32_t>(bytes);
    if (bytes.size() < key_bytes + value_bytes) return altered("a block ends within an entry");
    const StateEntry entry{.table = table,
                           .key = bytes.substr(0, key_bytes),
                           .value = bytes.substr(key_bytes, value_bytes)};
    bytes.remove_prefix(key_bytes + value_bytes);
    if (table >= header_.tables_size() || key_bytes < 2 ||
        key_group_of_entry(entry.key) != block.key_group) {
      return altered("an entry is in the wrong block");
    }
    WEIR_RETURN_IF_ERROR(visitor(entry));
  }
  if (!bytes.empty()) return altered("a block has bytes behind its entries");
  return absl::OkStatus();
}

}  // namespace weir
