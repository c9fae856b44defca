#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weir/codec.h"
#include "weir/element.h"
#include "weir/state/entry_table.h"
#include "weir/state/state_key.h"
#include "weir/state/table.h"
#include "weir/state/type_name.h"

namespace weir {

// When a key wants to be called. The namespace tells apart what the same key waits for: the end of
// a window; 0 in process functions.
template <typename K>
struct Timer {
  Timestamp time = 0;
  std::int64_t name_space = 0;
  K key{};
  bool operator==(const Timer&) const = default;
};

// The timers of all keys of one operator, in one kind of time. Each (time, key, namespace) is there
// once, however often it is registered. Part of the keyed state's snapshots, as a table whose
// namespace is the time. When memory is short the later ones are given up, and read again from the
// backend when it is their turn.
//
//   timers.register_timer(window_end);                       // of the current key
//   while (auto timer = timers.pop_until(watermark)) { … }   // the first of what is due, each once
//
// A binary heap of times over an EntryTable. Deleted timers stay in the heap until they come up, or
// are half of it.
template <typename K>
class TimerQueue final : public internal::KeyedTable<K> {
  // Holds no more than the timer, the entry's key.
  struct Content {
    std::size_t heap_bytes() const { return 0; }
    void clear(internal::StateClock&) {}
  };
  using Entries = internal::EntryTable<Timer<K>, Content, TimerQueue>;
  using Entry = typename Entries::Entry;

 public:
  static StateTable describe(const std::string& name) {
    StateTable table;
    table.name = name;
    table.kind = StateKind::kTimers;
    table.namespaced = true;
    table.key_type = type_name<K>();
    table.user_key_type = type_name<std::int64_t>();
    return table;
  }
  // By KeyedState::timers().
  TimerQueue(internal::StateCore& core, int index, StateTable description,
             const internal::CurrentKey<K>& current_key)
      : internal::KeyedTable<K>(core, index, std::move(description)),
        current_key_(current_key),
        entries_(core.clock, *this, 0) {}

  // Of the current key.
  void register_timer(Timestamp time, std::int64_t name_space = 0) {
    Entry& entry = find_or_insert({time, name_space, current_key_.key});
    if (entry.is(Entry::kPresent)) return;
    entries_.touch(entry);
    add(entry);
    if (ordered_) std::push_heap(heap_.begin(), heap_.end(), std::greater<>());
  }
  void delete_timer(Timestamp time, std::int64_t name_space = 0) {
    const Timer<K> timer{time, name_space, current_key_.key};
    if (is_unloaded(time)) {
      erase_unloaded(find_or_insert(timer));
      return;
    }
    Entry* entry = entries_.find(timer, hash_of(timer, current_key_.hash));
    if (entry == nullptr || !entry->is(Entry::kPresent)) return;
    remove(*entry);
    if (heap_.size() > 2 * size_ + 64) {
      std::erase_if(heap_, [this](const Item& item) { return find(item) == nullptr; });
      ordered_ = false;
    }
  }

  // Reads those that aren't in memory too.
  std::size_t size() {
    while (unloaded_from_) load_some();
    return size_;
  }
  std::optional<Timestamp> next_time() {
    const Entry* entry = first(kNever);
    if (entry == nullptr) return std::nullopt;
    return entry->key.time;
  }
  // Takes the first timer out, if it is due at `now`. What is registered meanwhile counts too.
  std::optional<Timer<K>> pop_until(Timestamp now) {
    Entry* entry = first(now);
    if (entry == nullptr || entry->key.time > now) return std::nullopt;
    Timer<K> timer = entry->key;
    remove(*entry);
    pop_item();
    return timer;
  }

  void prefetch(std::span<const internal::StoredKeyView<K>>,
                std::span<const std::uint64_t>) override {}
  void begin_cut() override { entries_.begin_cut(); }
  bool emit_some(std::size_t& budget) override { return entries_.emit_some(budget); }
  void finish_cut() override { entries_.finish_cut(); }
  void abandon_cut() override { entries_.abandon_cut(); }
  void change_again(CutNumber applied) override { entries_.change_again(applied); }
  void free_absent(CutNumber applied, std::size_t& budget) override {
    entries_.free_absent(applied, budget);
  }
  // Gives up the later half, and what says that one was deleted.
  void evict(std::size_t target_bytes, CutNumber applied, bool write) override {
    if (this->core_.clock.memory_bytes <= target_bytes) return;
    Timestamp last_kept = kNever;
    if (heap_.size() > kEvictedFrom) {
      const auto middle = heap_.begin() + static_cast<std::ptrdiff_t>(heap_.size() / 2);
      std::nth_element(heap_.begin(), middle, heap_.end());
      last_kept = middle->time;
    }
    entries_.for_each_used([&](Entry& entry) {
      const bool present = entry.is(Entry::kPresent);
      if (present && entry.key.time <= last_kept) return;
      if (entry.epoch >= applied && !write) return;
      if (entry.epoch >= applied) write_back(0, entry);
      if (present) {
        --size_;
        unloaded_from_ = std::min(unloaded_from_.value_or(kNever), last_kept + 1);
      }
      entries_.release(entry);
    });
    clean_heap();
  }

  void restore(std::string_view bytes, std::string_view value) override {
    if (!restore_unless_known(bytes, value)) {
      throw Error("timers '" + this->description_.name + "' have one that comes twice");
    }
  }
  void attach_backend() override { unloaded_from_ = std::numeric_limits<Timestamp>::min(); }

  // For EntryTable.
  void emit(std::int64_t, const Entry& entry) { write(entry, *this->core_.output); }
  void write_back(std::int64_t, const Entry& entry) {
    internal::BackendOutput output(this->core_.backend);
    write(entry, output);
  }

 private:
  static constexpr Timestamp kNever = std::numeric_limits<Timestamp>::max();
  static constexpr std::size_t kEvictedFrom = 16;  // of no more, none is given up

  struct Item {
    Timestamp time;
    std::uint32_t slot;
    auto operator<=>(const Item&) const = default;
  };

  static std::uint64_t hash_of(const Timer<K>& timer, std::uint64_t key_hash) {
    return mix_bits(key_hash + mix_bits(static_cast<std::uint64_t>(timer.time) +
                                        mix_bits(static_cast<std::uint64_t>(timer.name_space))));
  }

  bool is_unloaded(Timestamp time) const { return unloaded_from_ && time >= *unloaded_from_; }

  // Of the current key. One that may be in the backend only is taken to be there.
  Entry& find_or_insert(const Timer<K>& timer) {
    const std::uint64_t hash = hash_of(timer, current_key_.hash);
    if (Entry* const entry = entries_.find(timer, hash)) return *entry;
    Entry& entry = entries_.insert(timer, hash);
    if (is_unloaded(timer.time)) entries_.set_stored(entry);
    return entry;
  }

  void add(Entry& entry) {
    entries_.set_present(entry);
    heap_.push_back({entry.key.time, entry.slot});
    account_heap();
    ++size_;
  }
  void erase_unloaded(Entry& entry) {
    if (entry.is(Entry::kPresent)) --size_;
    entries_.remove(entry);
  }
  void remove(Entry& entry) {
    entries_.remove(entry);
    --size_;
  }
  // nullptr if the item's timer is gone. An item whose slot has another timer of the same time by
  // now does no harm: it finds that one.
  Entry* find(const Item& item) {
    Entry& entry = entries_.at(item.slot);
    const bool alive = entry.is(Entry::kUsed) && entry.is(Entry::kPresent);
    return alive && entry.key.time == item.time ? &entry : nullptr;
  }
  // The first of all timers, if it is due at `now`; otherwise that, or a later one, or nullptr.
  Entry* first(Timestamp now) {
    Entry* entry = first_in_memory();
    while (unloaded_from_ && *unloaded_from_ <= now &&
           (entry == nullptr || is_unloaded(entry->key.time))) {
      load_some();
      entry = first_in_memory();
    }
    return entry;
  }
  Entry* first_in_memory() {
    if (!ordered_) std::make_heap(heap_.begin(), heap_.end(), std::greater<>());
    ordered_ = true;
    while (!heap_.empty()) {
      if (Entry* entry = find(heap_.front())) return entry;
      pop_item();
    }
    return nullptr;
  }
  void clean_heap() {
    std::erase_if(heap_, [this](const Item& item) { return find(item) == nullptr; });
    // Not for each eviction, or the next timer would double it again.
    if (heap_.size() < heap_.capacity() / 4) heap_.shrink_to_fit();
    account_heap();
    ordered_ = false;
  }
  void account_heap() {
    const std::size_t bytes = heap_.capacity() * sizeof(Item);
    this->core_.clock.memory_bytes += bytes - heap_bytes_;
    heap_bytes_ = bytes;
  }
  void pop_item() {
    std::pop_heap(heap_.begin(), heap_.end(), std::greater<>());
    heap_.pop_back();
  }

  // An entry of a snapshot, or of the backend; false if memory has one of that timer already.
  bool restore_unless_known(std::string_view bytes, std::string_view value) {
    const int group = internal::take_key_group(bytes);
    Timer<K> timer;
    timer.time = internal::take_namespace(bytes);
    timer.key = Codec<K>::decode(bytes);
    timer.name_space = decode<std::int64_t>(bytes);
    const std::uint64_t key_hash = hash_key<K>(timer.key);
    const internal::StateCore& core = this->core_;
    if (group != key_group_of(key_hash, core.max_parallelism) || !core.range.contains(group) ||
        !value.empty()) {
      throw Error("timers '" + this->description_.name + "' have one in key group " +
                  std::to_string(group) + " that makes no sense");
    }
    const std::uint64_t hash = hash_of(timer, key_hash);
    if (entries_.find(timer, hash) != nullptr) return false;
    Entry& entry = entries_.insert(timer, hash);
    entries_.set_stored(entry);
    add(entry);
    ordered_ = false;
    return true;
  }

  // Reads the next timers of all key groups, of a group so many as a sixteenth of the budget has
  // room for, and those of the same time.
  void load_some() {
    const internal::StateCore& core = this->core_;
    const std::size_t at_once = core.backend.memory_budget_bytes() / 16 / kBytesInMemory /
                                static_cast<std::size_t>(core.range.size());
    Timestamp last = kNever;
    scan_unloaded(
        [&, left = std::size_t{0}](bool new_group, std::string_view key, std::string_view) mutable {
          left = new_group ? std::max<std::size_t>(at_once, 2) : left;
          internal::take_key_group(key);
          const Timestamp time = internal::take_namespace(key);
          if (--left == 0) last = std::min(last, time);
          return left > 0 && time < last;
        });
    scan_unloaded([&](bool, std::string_view key, std::string_view value) {
      std::string_view rest = key;
      internal::take_key_group(rest);
      if (internal::take_namespace(rest) > last) return false;
      restore_unless_known(key, value);
      return true;
    });
    unloaded_from_ = last == kNever ? std::nullopt : std::optional(last + 1);
  }
  // visit(is the first of its group, key, value) → whether to go on in the group.
  template <typename F>
  void scan_unloaded(F visit) {
    for (int group = this->core_.range.first; group <= this->core_.range.last; ++group) {
      std::string first;
      internal::append_key_group(group, first);
      const std::string last = internal::end_of_prefix(first);
      internal::append_namespace(*unloaded_from_, first);
      bool new_group = true;
      this->core_.backend.scan(this->index_, first, last,
                               [&](std::string_view key, std::string_view value) {
                                 return visit(std::exchange(new_group, false), key, value);
                               });
    }
  }

  void write(const Entry& entry, SnapshotOutput& output) {
    std::string& bytes = this->core_.key_bytes;
    bytes.clear();
    const Timer<K>& timer = entry.key;
    internal::append_key_group(key_group_of(hash_key<K>(timer.key), this->core_.max_parallelism),
                               bytes);
    internal::append_namespace(timer.time, bytes);
    Codec<K>::encode(timer.key, bytes);
    Codec<std::int64_t>::encode(timer.name_space, bytes);
    if (entry.is(Entry::kPresent)) {
      output.put(this->index_, bytes, {});
    } else {
      output.erase(this->index_, bytes);
    }
  }

  static constexpr std::size_t kBytesInMemory = sizeof(Entry) + 2 * sizeof(Item);

  const internal::CurrentKey<K>& current_key_;
  Entries entries_;
  std::vector<Item> heap_;
  std::size_t heap_bytes_ = 0;
  bool ordered_ = true;                     // heap_ is one
  std::size_t size_ = 0;                    // in memory
  std::optional<Timestamp> unloaded_from_;  // from here on not all are in memory
};

}  // namespace weir
