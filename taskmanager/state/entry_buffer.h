#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace weir {

// An entry of keyed state: what a snapshot is made of (weir/state/state_key.h has the key's bytes).
struct StateEntry {
  int table = 0;
  bool erased = false;
  std::string_view key;
  std::string_view value;
};

// Entries gathered one after the other and then sorted as canonical files and the database have
// them: by key group, table, and the rest of the key. Gathering is for the thread that can't wait:
// nothing that was gathered is moved. Sorted by radix, the most significant byte first (Knuth
// 5.2.5): the keys of one state begin alike, and memory is far.
class EntryBuffer {
 public:
  static constexpr int kTablesMax = 65535;

  // REQUIRES: 0 <= entry.table <= kTablesMax, and a key with a key group.
  void add(const StateEntry& entry);
  bool empty() const { return chunks_.empty(); }
  std::size_t bytes() const { return bytes_; }

  // After the last add(), and before what follows.
  void sort();
  std::size_t size() const { return references_.size(); }
  StateEntry operator[](std::size_t i) const;

 private:
  struct Chunk {
    std::unique_ptr<char[]> bytes;
    std::size_t size = 0;
    std::size_t capacity = 0;
  };
  // Key group, table, and the first bytes of the rest, as big-endian words.
  static constexpr std::size_t kStartWords = 3;
  using Start = std::array<std::uint64_t, kStartWords>;
  struct Reference {
    Start start;  // most comparisons need no more
    const char* entry;
  };

  char* take(std::size_t bytes);
  void refer_to(const char* entry);
  static bool less(const Reference& a, const Reference& b);
  void sort(std::span<Reference> references, Reference* scratch, std::size_t depth);

  std::vector<Chunk> chunks_;
  std::size_t bytes_ = 0;
  std::vector<Reference> references_;
  Start varying_{};  // the bits in which starts differ from the first one
};

}  // namespace weir
