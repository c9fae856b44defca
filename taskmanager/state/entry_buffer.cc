#include "taskmanager/state/entry_buffer.h"

#include <algorithm>
#include <cstring>

#include "common/check.h"

namespace weir {
namespace {

constexpr std::size_t kKeyGroupBytes = 2;
constexpr std::size_t kTableBytes = 2;
constexpr std::size_t kWordBytes = 8;
constexpr std::size_t kChunkBytes = 256 << 10;
// Fewer are compared: they are in the cache by then.
constexpr std::size_t kRadixMin = 48;
constexpr std::size_t kPrefetchDistance = 12;

struct EntryHead {
  std::uint32_t key_bytes;
  std::uint32_t value_bytes;
  std::uint16_t table;
  bool erased;

  std::size_t entry_bytes() const { return sizeof(EntryHead) + key_bytes + value_bytes; }
};

EntryHead head_at(const char* entry) {
  EntryHead head;
  std::memcpy(&head, entry, sizeof(head));
  return head;
}

std::string_view key_at(const char* entry) {
  return {entry + sizeof(EntryHead), head_at(entry).key_bytes};
}

std::uint64_t word_at(const char* bytes) {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < kWordBytes; ++i) {
    word = word << 8 | static_cast<unsigned char>(bytes[i]);
  }
  return word;
}

template <std::size_t kWords>
std::size_t byte_at(const std::array<std::uint64_t, kWords>& words, std::size_t depth) {
  return words[depth / kWordBytes] >> (8 * (kWordBytes - 1 - depth % kWordBytes)) & 0xff;
}

}  // namespace

char* EntryBuffer::take(std::size_t bytes) {
  if (chunks_.empty() || chunks_.back().capacity - chunks_.back().size < bytes) {
    const std::size_t capacity = std::max(bytes, kChunkBytes);
    chunks_.push_back({std::make_unique_for_overwrite<char[]>(capacity), 0, capacity});
  }
  Chunk& chunk = chunks_.back();
  char* const taken = chunk.bytes.get() + chunk.size;
  chunk.size += bytes;
  bytes_ += bytes;
  return taken;
}

void EntryBuffer::add(const StateEntry& entry) {
  WEIR_CHECK(entry.table >= 0 && entry.table <= kTablesMax && entry.key.size() >= kKeyGroupBytes);
  const EntryHead head{static_cast<std::uint32_t>(entry.key.size()),
                       static_cast<std::uint32_t>(entry.value.size()),
                       static_cast<std::uint16_t>(entry.table), entry.erased};
  char* const to = take(head.entry_bytes());
  std::memcpy(to, &head, sizeof(head));
  std::copy(entry.key.begin(), entry.key.end(), to + sizeof(head));
  std::copy(entry.value.begin(), entry.value.end(), to + sizeof(head) + entry.key.size());
}

void EntryBuffer::refer_to(const char* entry) {
  const std::string_view key = key_at(entry);
  const std::uint16_t table = head_at(entry).table;
  std::array<char, kStartWords * kWordBytes> start{};
  std::memcpy(start.data(), key.data(), kKeyGroupBytes);
  start[kKeyGroupBytes] = static_cast<char>(table >> 8);
  start[kKeyGroupBytes + 1] = static_cast<char>(table);
  const std::string_view rest = key.substr(kKeyGroupBytes);
  std::memcpy(start.data() + kKeyGroupBytes + kTableBytes, rest.data(),
              std::min(rest.size(), start.size() - kKeyGroupBytes - kTableBytes));
  Reference& reference = references_.emplace_back();
  reference.entry = entry;
  for (std::size_t i = 0; i < kStartWords; ++i) {
    reference.start[i] = word_at(start.data() + i * kWordBytes);
    varying_[i] |= reference.start[i] ^ references_.front().start[i];
  }
}

bool EntryBuffer::less(const Reference& a, const Reference& b) {
  if (a.start != b.start) return a.start < b.start;
  return key_at(a.entry) < key_at(b.entry);
}

void EntryBuffer::sort() {
  references_.clear();
  varying_ = {};
  for (const Chunk& chunk : chunks_) {
    const char* const end = chunk.bytes.get() + chunk.size;
    for (const char* at = chunk.bytes.get(); at < end; at += head_at(at).entry_bytes()) {
      refer_to(at);
    }
  }
  if (std::is_sorted(references_.begin(), references_.end(), less)) return;
  std::vector<Reference> scratch(references_.size());
  sort(references_, scratch.data(), 0);
}

// REQUIRES: the starts are alike in their first `depth` bytes; scratch has room for all.
void EntryBuffer::sort(std::span<Reference> references, Reference* scratch, std::size_t depth) {
  while (depth < kStartWords * kWordBytes && byte_at(varying_, depth) == 0) ++depth;
  if (references.size() < kRadixMin || depth == kStartWords * kWordBytes) {
    std::sort(references.begin(), references.end(), less);
    return;
  }
  std::array<std::size_t, 257> ends{};  // by byte: where what is smaller ends
  for (const Reference& reference : references) ++ends[byte_at(reference.start, depth) + 1];
  for (std::size_t i = 0; i < 256; ++i) ends[i + 1] += ends[i];
  std::array<std::size_t, 257> next = ends;
  for (const Reference& reference : references) {
    scratch[next[byte_at(reference.start, depth)]++] = reference;
  }
  std::copy(scratch, scratch + references.size(), references.begin());
  for (std::size_t i = 0; i < 256; ++i) {
    const std::size_t size = ends[i + 1] - ends[i];
    if (size > 1) sort(references.subspan(ends[i], size), scratch, depth + 1);
  }
}

StateEntry EntryBuffer::operator[](std::size_t i) const {
  if (i + kPrefetchDistance < references_.size()) {
    __builtin_prefetch(references_[i + kPrefetchDistance].entry);
  }
  const char* const entry = references_[i].entry;
  const EntryHead head = head_at(entry);
  const std::string_view key = key_at(entry);
  return {.table = head.table,
          .erased = head.erased,
          .key = key,
          .value = {key.data() + key.size(), head.value_bytes}};
}

}  // namespace weir
