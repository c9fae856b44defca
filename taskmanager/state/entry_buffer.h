#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
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

// Entries gathered in one stretch of memory and then sorted as canonical files and the database
// have them: by key group, table, and the rest of the key.
class EntryBuffer {
 public:
  static constexpr int kTablesMax = 65535;

  // REQUIRES: 0 <= entry.table <= kTablesMax, and a key with a key group.
  void add(const StateEntry& entry);
  void sort();

  bool empty() const { return references_.empty(); }
  std::size_t size() const { return references_.size(); }
  std::size_t bytes() const { return bytes_.size() + references_.size() * sizeof(Reference); }
  // Valid until the next add().
  StateEntry operator[](std::size_t i) const;

 private:
  struct Reference {
    std::uint64_t start;   // key group, table, and the first bytes of the rest: most comparisons
    std::uint64_t offset;  // in bytes_
  };

  std::string bytes_;
  std::vector<Reference> references_;
};

}  // namespace weir
