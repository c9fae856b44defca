// What stands behind a key in a table of state, and how it becomes entries of a snapshot.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "weir/codec.h"
#include "weir/key_group.h"
#include "weir/state/backend.h"
#include "weir/state/entry_table.h"
#include "weir/state/heap_bytes.h"

namespace weir::internal {

// Which entries are wanted: all, or those written in the epoch `since` or later.
struct EmitScope {
  bool changes_only = false;
  CutNumber since = 0;
};

// One value: of value, list, reducing and aggregating state, and of windows.
template <typename V>
class ValueContent {
 public:
  using Value = V;
  static constexpr bool kPerUserKey = false;

  V value{};

  void clear(StateClock& clock) {
    value = V();
    account(clock);
  }
  void free_absent(StateClock&) {}
  // After each change of the value.
  void account(StateClock& clock) {
    if constexpr (!std::is_trivially_copyable_v<V>) {
      const std::size_t bytes = internal::heap_bytes(value);
      clock.memory_bytes += bytes - heap_bytes_.value;
      heap_bytes_.value = bytes;
    }
  }
  std::size_t heap_bytes() const {
    if constexpr (std::is_trivially_copyable_v<V>) {
      return 0;
    } else {
      return heap_bytes_.value;
    }
  }

  // `key` is the entry's, and is left as it was.
  void emit(int table, std::string& key, bool present, EmitScope scope, std::string& scratch,
            SnapshotOutput& output) const {
    if (present) {
      scratch.clear();
      Codec<V>::encode(value, scratch);
      output.put(table, key, scratch);
    } else if (scope.changes_only) {
      output.erase(table, key);
    }
  }

 private:
  struct Nothing {};
  struct Accounted {
    std::size_t value = 0;
  };
  [[no_unique_address]] std::conditional_t<std::is_trivially_copyable_v<V>, Nothing, Accounted>
      heap_bytes_;
};

// Hashes keys by what hash_key gives; text is found by std::string_view.
template <typename K>
struct KeyHash {
  using is_transparent = void;
  std::size_t operator()(KeyView<K> key) const { return hash_key<K>(key); }
};

// A map of its own for each key; in a snapshot an entry for each user key.
template <typename UK, typename UV>
class MapContent {
 public:
  using Value = UV;
  static constexpr bool kPerUserKey = true;
  struct Cell {
    UV value{};
    CutNumber epoch = 0;  // of the last write
    bool present = false;
  };
  using Cells = std::unordered_map<UK, Cell, KeyHash<UK>, std::equal_to<>>;

  const Cells& cells() const { return cells_; }
  std::size_t size() const { return size_; }

  const UV* find(KeyView<UK> key) const {
    const auto found = cells_.find(key);
    return found == cells_.end() || !found->second.present ? nullptr : &found->second.value;
  }
  // REQUIRES of both: the entry was touched.
  void put(KeyView<UK> key, UV value, StateClock& clock) {
    auto found = cells_.find(key);
    if (found == cells_.end()) found = add(UK(key), clock);
    Cell& cell = found->second;
    const std::size_t bytes = internal::heap_bytes(value);
    account(bytes - internal::heap_bytes(cell.value), clock);
    size_ += cell.present ? 0 : 1;
    cell = {std::move(value), clock.epoch, true};
  }
  void remove(KeyView<UK> key, bool stored, StateClock& clock) {
    const auto found = cells_.find(key);
    if (found == cells_.end() || !found->second.present) return;
    --size_;
    if (!stored) return erase(found, clock);
    account(std::size_t{0} - internal::heap_bytes(found->second.value), clock);
    found->second = {UV(), clock.epoch, false};
  }
  void clear(StateClock& clock) {
    for (auto& [key, cell] : cells_) {
      if (!cell.present) continue;
      account(std::size_t{0} - internal::heap_bytes(cell.value), clock);
      cell = {UV(), clock.epoch, false};
    }
    size_ = 0;
  }
  // From the backend or a snapshot.
  void restore(UK key, UV value, StateClock& clock) {
    account(internal::heap_bytes(value), clock);
    add(std::move(key), clock)->second = {std::move(value), 0, true};
    ++size_;
  }
  // Frees what only says that a user key was deleted, when an applied cut says so too.
  void free_absent(StateClock& clock) {
    for (auto cell = cells_.begin(); cell != cells_.end();) {
      const auto next = std::next(cell);
      if (!cell->second.present && cell->second.epoch < std::min(clock.base, clock.applied))
        erase(cell, clock);
      cell = next;
    }
  }

  std::size_t heap_bytes() const { return heap_bytes_; }

  void emit(int table, std::string& key, bool /*present*/, EmitScope scope, std::string& scratch,
            SnapshotOutput& output) const {
    const std::size_t prefix = key.size();
    for (const auto& [user_key, cell] : cells_) {
      if (scope.changes_only ? cell.epoch < scope.since : !cell.present) continue;
      Codec<UK>::encode(user_key, key);
      if (cell.present) {
        scratch.clear();
        Codec<UV>::encode(cell.value, scratch);
        output.put(table, key, scratch);
      } else {
        output.erase(table, key);
      }
      key.resize(prefix);
    }
  }

 private:
  static constexpr std::size_t kNodeBytes = sizeof(UK) + sizeof(Cell) + 40;

  typename Cells::iterator add(UK key, StateClock& clock) {
    account(kNodeBytes + internal::heap_bytes(key), clock);
    return cells_.try_emplace(std::move(key)).first;
  }
  void erase(typename Cells::iterator cell, StateClock& clock) {
    account(std::size_t{0} - kNodeBytes - internal::heap_bytes(cell->first) -
                internal::heap_bytes(cell->second.value),
            clock);
    cells_.erase(cell);
  }
  void account(std::size_t change, StateClock& clock) {  // may be negative, modulo 2^64
    heap_bytes_ += change;
    clock.memory_bytes += change;
  }

  Cells cells_;
  std::size_t size_ = 0;
  std::size_t heap_bytes_ = 0;
};

// One state's content for the current key, found once per key: reading and then changing it is one
// lookup. Implemented by the table, which knows the key's type.
template <typename Content>
class Cursor {
 public:
  explicit Cursor(StateClock& clock) : clock_(clock) {}
  Cursor(const Cursor&) = delete;
  Cursor& operator=(const Cursor&) = delete;
  virtual ~Cursor() = default;

  // nullptr if the key has none.
  Content* get() {
    if (version_ != clock_.cursor_version) [[unlikely]]
      locate_now();
    return content_;
  }
  // To be changed; made when the key has none. Call account() afterwards.
  Content& modify() {
    if (get() == nullptr) {
      create();
    } else if (header_->epoch != clock_.epoch) {
      touch();
    }
    return *content_;
  }
  bool stored() const { return header_->is(EntryHeader::kStored); }
  void erase() {
    if (get() != nullptr) drop();
    content_ = nullptr;
    version_ = 0;
  }
  StateClock& clock() { return clock_; }

 protected:
  // Each sets header_, and content_ when the entry is present.
  virtual void locate() = 0;
  virtual void create() = 0;
  virtual void touch() = 0;
  virtual void drop() = 0;
  void forget() { version_ = 0; }

  EntryHeader* header_ = nullptr;
  Content* content_ = nullptr;

 private:
  void locate_now() {
    header_ = nullptr;
    content_ = nullptr;
    locate();
    version_ = clock_.cursor_version;
  }

  StateClock& clock_;
  std::uint64_t version_ = 0;  // of the clock when the entry was found
};

}  // namespace weir::internal
