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

std::uint64_t big_endian(std::string_view bytes, std::size_t count) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < count; ++i) {
    value = value << 8 | (i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0);
  }
  return value;
}

}  // namespace

void EntryBuffer::add(const StateEntry& entry) {
  WEIR_CHECK(entry.table >= 0 && entry.table <= kTablesMax && entry.key.size() >= kKeyGroupBytes);
  const EntryHead head{static_cast<std::uint32_t>(entry.key.size()),
                       static_cast<std::uint32_t>(entry.value.size()),
                       static_cast<std::uint16_t>(entry.table), entry.erased};
  references_.push_back({big_endian(entry.key, 2) << 48 |
                             static_cast<std::uint64_t>(entry.table) << 32 |
                             big_endian(entry.key.substr(kKeyGroupBytes), 4),
                         bytes_.size()});
  bytes_.append(reinterpret_cast<const char*>(&head), sizeof(head));
  bytes_.append(entry.key);
  bytes_.append(entry.value);
}

void EntryBuffer::sort() {
  std::sort(references_.begin(), references_.end(), [this](const Reference& a, const Reference& b) {
    if (a.start != b.start) return a.start < b.start;
    const auto key_at = [this](const Reference& reference) {
      EntryHead head;
      std::memcpy(&head, bytes_.data() + reference.offset, sizeof(head));
      return std::string_view(bytes_).substr(reference.offset + sizeof(head), head.key_bytes);
    };
    return key_at(a) < key_at(b);
  });
}

StateEntry EntryBuffer::operator[](std::size_t i) const {
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
