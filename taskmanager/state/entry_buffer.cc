#include "taskmanager/state/entry_buffer.h"

#include <algorithm>
#include <cstring>

#include "common/check.h"

namespace weir {
namespace {

constexpr std::size_t kKeyGroupBytes = 2;

struct EntryHead {
  std::uint32_t key_bytes;
  std::uint32_t value_bytes;
  std::uint16_t table;
  bool erased;
};

constexpr std::size_t kWordBytes = 8;
constexpr std::size_t kTableBytes = 2;
// Fewer are compared: they are in the cache by then.
constexpr std::size_t kRadixMin = 48;
constexpr std::size_t kPrefetchDistance = 12;

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

void EntryBuffer::add(const StateEntry& entry) {
  WEIR_CHECK(entry.table >= 0 && entry.table <= kTablesMax && entry.key.size() >= kKeyGroupBytes);
  const EntryHead head{static_cast<std::uint32_t>(entry.key.size()),
                       static_cast<std::uint32_t>(entry.value.size()),
                       static_cast<std::uint16_t>(entry.table), entry.erased};
  std::array<char, kStartWords * kWordBytes> start{};
  std::memcpy(start.data(), entry.key.data(), kKeyGroupBytes);
  start[kKeyGroupBytes] = static_cast<char>(entry.table >> 8);
  start[kKeyGroupBytes + 1] = static_cast<char>(entry.table);
  const std::string_view rest = entry.key.substr(kKeyGroupBytes);
  std::memcpy(start.data() + kKeyGroupBytes + kTableBytes, rest.data(),
              std::min(rest.size(), start.size() - kKeyGroupBytes - kTableBytes));
  Reference& reference = references_.emplace_back();
  reference.offset = bytes_.size();
  for (std::size_t i = 0; i < kStartWords; ++i) {
    reference.start[i] = word_at(start.data() + i * kWordBytes);
    varying_[i] |= reference.start[i] ^ references_.front().start[i];
  }
  bytes_.append(reinterpret_cast<const char*>(&head), sizeof(head));
  bytes_.append(entry.key);
  bytes_.append(entry.value);
}

bool EntryBuffer::less(const Reference& a, const Reference& b) const {
  if (a.start != b.start) return a.start < b.start;
  const auto key_at = [this](const Reference& reference) {
    EntryHead head;
    std::memcpy(&head, bytes_.data() + reference.offset, sizeof(head));
    return std::string_view(bytes_).substr(reference.offset + sizeof(head), head.key_bytes);
  };
  return key_at(a) < key_at(b);
}

void EntryBuffer::sort() {
  std::vector<Reference> scratch(references_.size());
  sort(references_, scratch.data(), 0);
}

// REQUIRES: the starts are alike in their first `depth` bytes; scratch has room for all.
void EntryBuffer::sort(std::span<Reference> references, Reference* scratch, std::size_t depth) {
  while (depth < kStartWords * kWordBytes && byte_at(varying_, depth) == 0) ++depth;
  if (references.size() < kRadixMin || depth == kStartWords * kWordBytes) {
    std::sort(references.begin(), references.end(),
              [this](const Reference& a, const Reference& b) { return less(a, b); });
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
    __builtin_prefetch(bytes_.data() + references_[i + kPrefetchDistance].offset);
  }
  const std::size_t offset = references_[i].offset;
  EntryHead head;
  std::memcpy(&head, bytes_.data() + offset, sizeof(head));
  const std::string_view rest = std::string_view(bytes_).substr(offset + sizeof(head));
  return {.table = head.table,
          .erased = head.erased,
          .key = rest.substr(0, head.key_bytes),
          .value = rest.substr(head.key_bytes, head.value_bytes)};
}

}  // namespace weir
