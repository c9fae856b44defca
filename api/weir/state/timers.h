#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
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
// namespace is the time; in memory with every backend.
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
    const Timer<K> timer{time, name_space, current_key_.key};
    const std::uint64_t hash = hash_of(timer, current_key_.hash);
    Entry* entry = entries_.find(timer, hash);
    if (entry == nullptr) entry = &entries_.insert(timer, hash);
    if (entry->is(Entry::kPresent)) return;
    entries_.touch(*entry);
    add(*entry);
    if (ordered_) std::push_heap(heap_.begin(), heap_.end(), std::greater<>());
  }
  void delete_timer(Timestamp time, std::int64_t name_space = 0) {
    const Timer<K> timer{time, name_space, current_key_.key};
    Entry* entry = entries_.find(timer, hash_of(timer, current_key_.hash));
    if (entry == nullptr || !entry->is(Entry::kPresent)) return;
    remove(*entry);
    if (heap_.size() > 2 * size_ + 64) {
      std::erase_if(heap_, [this](const Item& item) { return find(item) == nullptr; });
      ordered_ = false;
    }
  }

  std::size_t size() const { return size_; }
  std::optional<Timestamp> next_time() {
    const Entry* entry = first();
    if (entry == nullptr) return std::nullopt;
    return entry->key.time;
  }
  // Takes the first timer out, if it is due at `now`. What is registered meanwhile counts too.
  std::optional<Timer<K>> pop_until(Timestamp now) {
    Entry* entry = first();
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
  void finish_cut() override {
    entries_.finish_cut();
    entries_.free_absent(this->core_.clock.epoch);  // nothing is ever looked for in the backend
  }
  void abandon_cut() override { entries_.abandon_cut(); }
  void free_absent(CutNumber) override { entries_.free_absent(this->core_.clock.base); }
  void evict(std::size_t, CutNumber, bool) override {}

  void restore(std::string_view bytes, std::string_view value) override {
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
    if (entries_.find(timer, hash) != nullptr) {
      throw Error("timers '" + this->description_.name + "' have one that comes twice");
    }
    Entry& entry = entries_.insert(timer, hash);
    entry.flags |= Entry::kStored;
    add(entry);
    ordered_ = false;
  }
  void attach_backend() override {
    for (int group = this->core_.range.first; group <= this->core_.range.last; ++group) {
      std::string prefix;
      internal::append_key_group(group, prefix);
      this->core_.backend.scan(this->index_, prefix, internal::end_of_prefix(prefix),
                               [this](std::string_view key, std::string_view value) {
                                 restore(key, value);
                                 return true;
                               });
    }
  }

  // For EntryTable.
  void emit(std::int64_t, const Entry& entry) {
    std::string& bytes = this->core_.key_bytes;
    bytes.clear();
    const Timer<K>& timer = entry.key;
    internal::append_key_group(key_group_of(hash_key<K>(timer.key), this->core_.max_parallelism),
                               bytes);
    internal::append_namespace(timer.time, bytes);
    Codec<K>::encode(timer.key, bytes);
    Codec<std::int64_t>::encode(timer.name_space, bytes);
    if (entry.is(Entry::kPresent)) {
      this->core_.output->put(this->index_, bytes, {});
    } else {
      this->core_.output->erase(this->index_, bytes);
    }
  }
  void write_back(std::int64_t, const Entry&) {}

 private:
  struct Item {
    Timestamp time;
    std::uint32_t slot;
    auto operator<=>(const Item&) const = default;
  };

  static std::uint64_t hash_of(const Timer<K>& timer, std::uint64_t key_hash) {
    return mix_bits(key_hash + mix_bits(static_cast<std::uint64_t>(timer.time) +
                                        mix_bits(static_cast<std::uint64_t>(timer.name_space))));
  }

  void add(Entry& entry) {
    entries_.set_present(entry);
    heap_.push_back({entry.key.time, entry.slot});
    ++size_;
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
  Entry* first() {
    if (!ordered_) std::make_heap(heap_.begin(), heap_.end(), std::greater<>());
    ordered_ = true;
    while (!heap_.empty()) {
      if (Entry* entry = find(heap_.front())) return entry;
      pop_item();
    }
    return nullptr;
  }
  void pop_item() {
    std::pop_heap(heap_.begin(), heap_.end(), std::greater<>());
    heap_.pop_back();
  }

  const internal::CurrentKey<K>& current_key_;
  Entries entries_;
  std::vector<Item> heap_;
  bool ordered_ = true;  // heap_ is one
  std::size_t size_ = 0;
};

}  // namespace weir
