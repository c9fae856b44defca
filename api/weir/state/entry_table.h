#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "weir/error.h"
#include "weir/key_group.h"
#include "weir/state/backend.h"
#include "weir/state/heap_bytes.h"
#include "weir/state/slot_index.h"

namespace weir::internal {

// How far the cuts of one KeyedState are; its tables share it. An entry was last written in epoch
// e:
//   e < base           it is in a finished cut as it is
//   base <= e < epoch  the open cut holds it, if one is open; else it is changed
//   e == epoch         written after the open cut; without one, changed
struct StateClock {
  CutNumber epoch = 1;
  CutNumber base = 1;
  CutNumber applied = 1;  // the backend's last known applied cut
  bool cut_open = false;
  bool tracks_changes = false;       // a snapshot is of what changed
  std::size_t memory_bytes = 0;      // of all tables
  std::uint64_t cursor_version = 1;  // another one: cursors must look their entry up again
};

struct EntryHeader {
  enum Flag : std::uint32_t {
    kUsed = 1,
    kPresent = 2,      // otherwise the entry says that there is none, or was deleted
    kStored = 4,       // the backend may have it, so deleting it leaves a tombstone
    kReferenced = 8,   // since the evicting hand passed
    kEmitted = 16,     // as the last entry of its epoch, into the cut that ended it
    kListedEven = 32,  // in the list of changes of an even epoch
    kListedOdd = 64,
  };
  static constexpr std::uint32_t kListed = kListedEven | kListedOdd;

  std::uint32_t tag = 0;  // upper half of the hash; of a free slot: the next one
  CutNumber epoch = 0;
  std::uint32_t slot = 0;
  std::uint32_t flags = 0;

  bool is(Flag flag) const { return (flags & flag) != 0; }
};

// Key → Content in memory: an index over entries that stay where they are, in chunks of doubling
// size. A key's low hash bits choose its key group, so the index takes the upper ones.
//
// Knows how to hand out a cut of itself while it is written to: an entry of the cut is given to
// Owner::emit(namespace, entry) by emit_some(), or, if that comes later, right before its first
// change. Beginning a cut takes constant time.
//
//   Entry* entry = table.find(key, hash);
//   if (!entry) entry = &table.insert(key, hash);
//   table.touch(*entry);            // before every change
//   entry->content = …; table.set_present(*entry);
//
// Pointers to entries are valid until release(), remove() or evict() takes the entry.
template <typename Key, typename Content, typename Owner>
class EntryTable {
 public:
  struct Entry : EntryHeader {
    Entry() {}
    ~Entry() {}
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;
    union {
      Key key;
    };
    union {
      Content content;
    };
  };

  EntryTable(StateClock& clock, Owner& owner, std::int64_t name_space)
      : clock_(clock), owner_(owner), namespace_(name_space), index_(clock.memory_bytes) {}
  EntryTable(const EntryTable&) = delete;
  EntryTable& operator=(const EntryTable&) = delete;
  ~EntryTable() {
    for (std::uint32_t slot = 0; slot < slots_; ++slot) {
      if (Entry& entry = at(slot); entry.is(Entry::kUsed)) destroy(entry);
    }
    for (std::size_t i = 0; i < chunks_.size(); ++i) {
      ::operator delete(chunks_[i], std::align_val_t(kChunkAlignment));
    }
  }

  std::int64_t name_space() const { return namespace_; }
  std::size_t used() const { return used_; }
  // Whether no key has anything here, in the backend neither.
  bool is_empty() const { return complete_ && present_ == 0; }
  // Whatever isn't in this table doesn't exist. False once entries may be in the backend only.
  bool complete() const { return complete_; }
  void set_complete(bool complete) { complete_ = complete; }

  Entry* find(KeyView<Key> key, std::uint64_t hash) {
    return index_.find(tag_of(hash), [&](std::uint32_t slot) {
      Entry& entry = at(slot);
      return entry.key == key ? &entry : nullptr;
    });
  }

  // REQUIRES: an entry has had the slot; it may be free by now.
  Entry& at(std::uint32_t slot) {
    const std::uint32_t biased = slot + kFirstChunk;
    const int bits = std::bit_width(biased) - 1;
    return chunks_[static_cast<std::size_t>(bits - 4)][biased - (1u << bits)];
  }

  // For a batch: first all buckets, then all entries.
  void prefetch_bucket(std::uint64_t hash) const { index_.prefetch(tag_of(hash)); }
  void prefetch_entry(std::uint64_t hash) {
    const Entry* const first =
        index_.find(tag_of(hash), [&](std::uint32_t slot) { return &at(slot); });
    if (first != nullptr) prefetch(*first);
  }

  // An entry that isn't present and in no cut. REQUIRES: find() found none.
  Entry& insert(KeyView<Key> key, std::uint64_t hash) {
    Entry& entry = take_slot();
    new (&entry.key) Key(key);
    new (&entry.content) Content();
    entry.tag = tag_of(hash);
    entry.epoch = 0;
    entry.flags = Entry::kUsed | (entry.flags & Entry::kListed);
    index_.insert(entry.tag, entry.slot);
    ++used_;
    clock_.memory_bytes += sizeof(Entry) + heap_bytes(entry.key);
    return entry;
  }

  void touch(Entry& entry) {
    if (entry.epoch != clock_.epoch) [[unlikely]]
      touch_first(entry);
  }

  void set_present(Entry& entry) {
    present_ += entry.is(Entry::kPresent) ? 0 : 1;
    entry.flags |= Entry::kPresent;
  }

  // The entry is one that the backend has, if it holds entries.
  void set_stored(Entry& entry) {
    if (clock_.tracks_changes) entry.flags |= Entry::kStored;
  }

  // Deletes the key's entry; what the backend must hear of stays as one that isn't present.
  void remove(Entry& entry) {
    touch(entry);
    if (!entry.is(Entry::kStored)) return release(entry);
    entry.content.clear(clock_);
    set_absent(entry);
  }

  // Forgets the entry.
  void release(Entry& entry) {
    index_.erase(entry.tag, entry.slot);
    set_absent(entry);
    destroy(entry);
    entry.flags &= Entry::kListed;
    entry.tag = first_free_;
    first_free_ = entry.slot;
    --used_;
  }

  template <typename F>
  void for_each_present(F f) {
    for (std::uint32_t slot = 0; slot < slots_; ++slot) {
      Entry& entry = at(slot);
      if (entry.is(Entry::kUsed) && entry.is(Entry::kPresent)) f(entry);
    }
  }
  template <typename F>
  void for_each_used(F f) {
    for (std::uint32_t slot = 0; slot < slots_; ++slot) {
      if (Entry& entry = at(slot); entry.is(Entry::kUsed)) f(entry);
    }
  }

  // The clock's epoch has just begun.
  void begin_cut() {
    position_ = 0;
    cut_slots_ = slots_;
    cut_list_.swap(changes_);
    changes_.clear();
  }

  // Emits at most `budget` entries, fewer if they are large, and takes them off it; true when none
  // is left.
  bool emit_some(std::size_t& budget) {
    const std::size_t end = clock_.tracks_changes ? cut_list_.size() : cut_slots_;
    for (; position_ < end && budget > 0; ++position_) {
      if (clock_.tracks_changes && position_ + kPrefetchDistance < end) {
        prefetch(at(cut_list_[position_ + kPrefetchDistance]));
      }
      Entry& entry =
          at(clock_.tracks_changes ? cut_list_[position_] : static_cast<std::uint32_t>(position_));
      if (clock_.tracks_changes) entry.flags &= ~listed_flag(clock_.epoch - 1);
      std::size_t cost = 1;
      if (entry.is(Entry::kUsed) && in_open_cut(entry)) {
        emit(entry);
        cost += (heap_bytes(entry.key) + entry.content.heap_bytes()) / kBytesLikeAnEntry;
        if (clock_.tracks_changes) {
          entry.epoch = clock_.epoch - 1;
          entry.flags |= Entry::kEmitted;
        }
      }
      if (clock_.tracks_changes && is_absent(entry)) absent_.push_back(entry.slot);
      budget -= std::min(budget, cost);
    }
    return position_ == end;
  }

  // Every entry of the cut is emitted.
  void finish_cut() { cut_list_.clear(); }

  // Frees what says that a key was deleted, once that is in an applied cut; at most `budget`, and
  // takes them off it.
  void free_absent(CutNumber applied, std::size_t& budget) {
    for (; freed_ < absent_.size() && budget > 0; ++freed_, --budget) {
      Entry& entry = at(absent_[freed_]);
      if (!is_absent(entry)) continue;
      if (entry.epoch >= applied) return;  // and what was deleted after it
      release(entry);
    }
    if (freed_ < absent_.size()) return;
    absent_.clear();
    freed_ = 0;
  }

  // What the cut held is changed again.
  void abandon_cut() {
    for (const std::uint32_t slot : cut_list_) {
      Entry& entry = at(slot);
      entry.flags &= ~listed_flag(clock_.epoch - 1);
      if (entry.is(Entry::kUsed) && entry.epoch >= clock_.base && entry.epoch < clock_.epoch) {
        list(entry);
      }
    }
    cut_list_.clear();
  }

  // What finished cuts held that aren't applied and never will be is changed again.
  void change_again(CutNumber applied) {
    for_each_used([&](Entry& entry) {
      if (entry.epoch >= applied) list(entry);
    });
  }

  // Gives up entries that weren't used lately, until the tables have `target_bytes` or the hand has
  // gone round: what all applied cuts hold (epoch < applied) is released, and with `write` the
  // others too after Owner::write_back(). REQUIRES: with `write`, no cut is open.
  void evict(std::size_t target_bytes, CutNumber applied, bool write) {
    for (std::uint64_t steps = 2 * std::uint64_t{slots_};
         steps > 0 && clock_.memory_bytes > target_bytes; --steps) {
      hand_ = hand_ + 1 < slots_ ? hand_ + 1 : 0;
      Entry& entry = at(hand_);
      if (!entry.is(Entry::kUsed)) continue;
      if (entry.is(Entry::kReferenced)) {
        entry.flags &= ~static_cast<std::uint32_t>(Entry::kReferenced);
        continue;
      }
      if (entry.epoch >= applied) {
        if (!write) continue;
        owner_.write_back(namespace_, entry);
      }
      complete_ = complete_ && !entry.is(Entry::kPresent);  // one that isn't is nowhere
      release(entry);
    }
  }

 private:
  static constexpr std::uint32_t kNoSlot = 0xffffffff;
  static constexpr std::uint32_t kFirstChunk = 16;  // entries
  static constexpr std::uint32_t kMostSlots = 1u << 31;
  static constexpr std::size_t kChunkAlignment = std::max<std::size_t>(64, alignof(Entry));

  static constexpr std::size_t kBytesLikeAnEntry = 256;  // take as long to emit as one more
  static constexpr std::size_t kPrefetchDistance = 12;   // of changed entries, which are far apart

  static void prefetch(const Entry& first) {
    const char* const entry = reinterpret_cast<const char*>(&first);
    __builtin_prefetch(entry);
    if constexpr (kChunkAlignment % sizeof(Entry) != 0) {
      __builtin_prefetch(entry + sizeof(Entry) - 1);
    }
  }
  static std::uint32_t tag_of(std::uint64_t hash) { return static_cast<std::uint32_t>(hash >> 32); }
  static std::uint32_t listed_flag(CutNumber epoch) {
    return epoch % 2 == 0 ? Entry::kListedEven : Entry::kListedOdd;
  }

  Entry& take_slot() {
    if (first_free_ != kNoSlot) {
      Entry& entry = at(first_free_);
      first_free_ = entry.tag;
      return entry;
    }
    if (slots_ == kMostSlots)
      throw Error("a table of state has more than 2^31 keys: raise the parallelism");
    const std::uint32_t biased = slots_ + kFirstChunk;
    if (std::has_single_bit(biased)) {
      chunks_.push_back(static_cast<Entry*>(
          ::operator new(biased * sizeof(Entry), std::align_val_t(kChunkAlignment))));
    }
    const std::uint32_t slot = slots_++;
    Entry& entry = *new (&at(slot)) Entry();
    entry.slot = slot;
    return entry;
  }

  void set_absent(Entry& entry) {
    present_ -= entry.is(Entry::kPresent) ? 1 : 0;
    entry.flags &= ~static_cast<std::uint32_t>(Entry::kPresent);
  }

  void destroy(Entry& entry) {
    clock_.memory_bytes -= sizeof(Entry) + heap_bytes(entry.key) + entry.content.heap_bytes();
    entry.content.~Content();
    entry.key.~Key();
  }

  void touch_first(Entry& entry) {
    if (clock_.cut_open && in_open_cut(entry)) emit(entry);
    if (clock_.tracks_changes) list(entry);
    entry.epoch = clock_.epoch;
    entry.flags &= ~static_cast<std::uint32_t>(Entry::kEmitted);
  }

  void list(Entry& entry) {
    const std::uint32_t flag = listed_flag(clock_.epoch);
    if ((entry.flags & flag) != 0) return;
    entry.flags |= flag;
    changes_.push_back(entry.slot);
  }

  static bool is_absent(const Entry& entry) {
    return entry.is(Entry::kUsed) && !entry.is(Entry::kPresent);
  }
  bool was_emitted(const Entry& entry) const {
    return entry.is(Entry::kEmitted) && entry.epoch + 1 == clock_.epoch;
  }
  // And isn't emitted yet.
  bool in_open_cut(const Entry& entry) const {
    if (entry.epoch >= clock_.epoch) return false;
    if (clock_.tracks_changes) return entry.epoch >= clock_.base && !was_emitted(entry);
    return entry.is(Entry::kPresent) && entry.slot >= position_;
  }
  void emit(Entry& entry) {
    owner_.emit(namespace_, entry);
    set_stored(entry);
  }

  StateClock& clock_;
  Owner& owner_;
  const std::int64_t namespace_;
  bool complete_ = true;

  SlotIndex index_;
  std::vector<Entry*> chunks_;
  std::uint32_t slots_ = 0;  // ever taken
  std::uint32_t first_free_ = kNoSlot;
  std::size_t used_ = 0;
  std::size_t present_ = 0;
  std::uint32_t hand_ = 0;  // of evict()

  std::vector<std::uint32_t> changes_;   // slots written in this epoch, and in an abandoned one
  std::vector<std::uint32_t> cut_list_;  // the open cut's
  std::vector<std::uint32_t> absent_;    // deleted in finished cuts, in their order
  std::size_t freed_ = 0;                // of them
  std::size_t position_ = 0;             // of emit_some() in them, or among the slots
  std::uint32_t cut_slots_ = 0;
};

}  // namespace weir::internal
