#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "weir/codec.h"
#include "weir/key_group.h"
#include "weir/state/backend.h"
#include "weir/state/content.h"
#include "weir/state/entry_table.h"
#include "weir/state/state_key.h"

namespace weir::internal {

// What the tables of one KeyedState share.
struct StateCore {
  StateBackend& backend;
  KeyGroupRange range;
  int max_parallelism;
  StateClock clock;
  SnapshotOutput* output = nullptr;  // of the open cut
  std::function<void()> make_room;   // if the tables are over their budget
  std::string key_bytes;             // reused for what is emitted
  std::string value_bytes;

  EmitScope scope() const { return {clock.tracks_changes, clock.base}; }
};

// A key as spans hold it.
template <typename K>
using StoredKeyView = std::conditional_t<std::is_same_v<K, std::string>, std::string_view, K>;

template <typename K>
struct CurrentKey {
  K key{};
  std::uint64_t hash = 0;
};

// A table as a snapshot, a restore and the memory budget see it.
class TableBase {
 public:
  TableBase(StateCore& core, int index, StateTable description)
      : core_(core), index_(index), description_(std::move(description)) {}
  TableBase(const TableBase&) = delete;
  TableBase& operator=(const TableBase&) = delete;
  virtual ~TableBase() = default;

  const StateTable& description() const { return description_; }

  // See EntryTable.
  virtual void begin_cut() = 0;
  virtual bool emit_some(std::size_t& budget) = 0;
  virtual void finish_cut() = 0;
  virtual void abandon_cut() = 0;
  virtual void change_again(CutNumber applied) = 0;
  virtual void free_absent(CutNumber applied, std::size_t& budget) = 0;
  virtual void evict(std::size_t target_bytes, CutNumber applied, bool write) = 0;

  // An entry of a snapshot. Throws Error if it makes no sense.
  virtual void restore(std::string_view key, std::string_view value) = 0;
  // The backend has been filled.
  virtual void attach_backend() = 0;

 protected:
  StateCore& core_;
  const int index_;
  const StateTable description_;
};

template <typename K>
class KeyedTable : public TableBase {
 public:
  using TableBase::TableBase;
  // Brings what belongs to the keys near: into the processor's cache, and into memory.
  virtual void prefetch(std::span<const StoredKeyView<K>> keys,
                        std::span<const std::uint64_t> hashes) = 0;
};

// Hands evicted entries to the backend.
class BackendOutput final : public SnapshotOutput {
 public:
  explicit BackendOutput(StateBackend& backend) : backend_(backend) {}
  void put(int table, std::string_view key, std::string_view value) override {
    backend_.put(table, key, value);
  }
  void erase(int table, std::string_view key) override { backend_.erase(table, key); }
  void finish() override {}

 private:
  StateBackend& backend_;
};

// (namespace, K) → Content: an EntryTable for each namespace, in their order, so that a window is
// fired and dropped as a whole. A table without namespaces has just one.
template <typename K, typename Content>
class Table final : public KeyedTable<K>, public Cursor<Content> {
 public:
  using Entries = EntryTable<K, Content, Table>;
  using Entry = typename Entries::Entry;

  Table(StateCore& core, int index, StateTable description, const CurrentKey<K>& current_key)
      : KeyedTable<K>(core, index, std::move(description)),
        Cursor<Content>(core.clock),
        current_key_(current_key) {
    if (!this->description_.namespaced) entries_ = &at_namespace(0);
  }

  // The namespace that the cursor looks in.
  void select(std::int64_t name_space) {
    if (entries_ != nullptr && name_space == namespace_) return;
    const auto found = namespaces_.find(name_space);
    namespace_ = name_space;
    entries_ = found == namespaces_.end() ? nullptr : &found->second;
    this->forget();
  }

  std::optional<std::int64_t> first_namespace() const {
    return first_with_keys(namespaces_.begin());
  }
  std::optional<std::int64_t> namespace_after(std::int64_t name_space) const {
    return first_with_keys(namespaces_.upper_bound(name_space));
  }

  // f(key, content) for each key of the namespace, in no order. f must not use the state.
  template <typename F>
  void for_each(std::int64_t name_space, F f) {
    const auto found = namespaces_.find(name_space);
    if (found == namespaces_.end()) return;
    Entries& entries = found->second;
    entries.for_each_present(
        [&](Entry& entry) { f(std::as_const(entry.key), std::as_const(entry.content)); });
    if (entries.complete()) return;
    Content content;
    for_each_stored(
        entries,
        [&](const K& key, std::uint64_t hash, std::string_view value) {
          if (entries.find(key, hash) != nullptr) return;
          content.value = decode<typename Content::Value>(value);
          f(key, std::as_const(content));
        },
        [] {});
  }

  // Deletes the namespace with all keys.
  void drop(std::int64_t name_space) {
    const auto found = namespaces_.find(name_space);
    if (found == namespaces_.end()) return;
    const StateClock& clock = this->core_.clock;
    if (clock.tracks_changes || clock.cut_open) {
      Entries& entries = found->second;
      entries.for_each_present([&](Entry& entry) { entries.remove(entry); });
      if (!entries.complete()) drop_stored(entries);
      if (entries.used() == 0) forget_namespace(found);
    } else {
      forget_namespace(found);
    }
    this->forget();
  }

  void prefetch(std::span<const StoredKeyView<K>> keys,
                std::span<const std::uint64_t> hashes) override {
    if (!this->description_.namespaced) prefetch_in(0, keys, hashes);
  }
  // The same in one namespace.
  void prefetch_in(std::int64_t name_space, std::span<const StoredKeyView<K>> keys,
                   std::span<const std::uint64_t> hashes) {
    const auto found = namespaces_.find(name_space);
    if (found == namespaces_.end()) return;
    Entries& entries = found->second;
    for (const std::uint64_t hash : hashes) entries.prefetch_bucket(hash);
    for (const std::uint64_t hash : hashes) entries.prefetch_entry(hash);
    if constexpr (!Content::kPerUserKey) {
      if (!entries.complete()) load_missing(entries, keys, hashes);
    }
  }

  void begin_cut() override {
    cut_namespace_.reset();
    for (auto& [name_space, entries] : namespaces_) entries.begin_cut();
  }
  bool emit_some(std::size_t& budget) override {
    auto next = cut_namespace_ ? namespaces_.lower_bound(*cut_namespace_) : namespaces_.begin();
    for (; next != namespaces_.end(); ++next) {
      cut_namespace_ = next->first;
      if (!next->second.emit_some(budget)) return false;
    }
    return true;
  }
  void finish_cut() override {
    for (auto& [name_space, entries] : namespaces_) entries.finish_cut();
  }
  void abandon_cut() override {
    for (auto& [name_space, entries] : namespaces_) entries.abandon_cut();
  }
  void change_again(CutNumber applied) override {
    for (auto& [name_space, entries] : namespaces_) entries.change_again(applied);
  }
  void free_absent(CutNumber applied, std::size_t& budget) override {
    for (auto next = namespaces_.begin(); next != namespaces_.end() && budget > 0;) {
      const auto found = next++;
      found->second.free_absent(applied, budget);
      if (found->second.used() == 0 && found->second.complete()) forget_namespace(found);
    }
    this->forget();
  }
  void evict(std::size_t target_bytes, CutNumber applied, bool write) override {
    const std::size_t& memory_bytes = this->core_.clock.memory_bytes;
    for (std::size_t i = namespaces_.size(); i > 0 && memory_bytes > target_bytes; --i) {
      auto next = namespaces_.upper_bound(evicted_namespace_);
      if (next == namespaces_.end()) next = namespaces_.begin();
      evicted_namespace_ = next->first;
      next->second.evict(target_bytes, applied, write);
    }
  }

  void restore(std::string_view key, std::string_view value) override {
    std::uint64_t hash = 0;
    Entries* entries = nullptr;
    const K decoded = take_key(key, hash, entries);
    Entry* entry = entries->find(decoded, hash);
    if constexpr (!Content::kPerUserKey) {
      if (entry != nullptr)
        throw Error("a key of state '" + this->description_.name + "' comes twice");
    }
    if (entry == nullptr) entry = &entries->insert(decoded, hash);
    fill(*entries, *entry, key, value);
  }

  void attach_backend() override {
    if (!this->description_.namespaced) return entries_->set_complete(false);
    for (int group = this->core_.range.first; group <= this->core_.range.last; ++group) {
      std::optional<std::int64_t> name_space = stored_namespace(group, std::nullopt);
      for (; name_space; name_space = stored_namespace(group, name_space)) {
        at_namespace(*name_space).set_complete(false);
      }
    }
  }

  // For EntryTable.
  void emit(std::int64_t name_space, const Entry& entry) {
    write(name_space, entry, *this->core_.output);
  }
  void write_back(std::int64_t name_space, const Entry& entry) {
    BackendOutput output(this->core_.backend);
    write(name_space, entry, output);
  }

 protected:
  void locate() override {
    if (entries_ == nullptr) return;
    Entry* entry = entries_->find(current_key_.key, current_key_.hash);
    if (entry == nullptr && !entries_->complete()) {
      entry = &load(*entries_, current_key_.key, current_key_.hash);
    }
    if (entry == nullptr) return;
    if (this->core_.clock.tracks_changes) entry->flags |= EntryHeader::kReferenced;
    this->header_ = entry;
    if (entry->is(EntryHeader::kPresent)) this->content_ = &entry->content;
  }
  void create() override {
    if (entries_ == nullptr) entries_ = &at_namespace(namespace_);
    if (this->header_ == nullptr) {
      this->header_ = &entries_->insert(current_key_.key, current_key_.hash);
      this->header_->flags |= EntryHeader::kReferenced;
    }
    touch();
    entries_->set_present(static_cast<Entry&>(*this->header_));
    this->content_ = &static_cast<Entry*>(this->header_)->content;
  }
  void touch() override {
    Entry& entry = static_cast<Entry&>(*this->header_);
    entries_->touch(entry);
    entry.content.free_absent(this->core_.clock);
  }
  void drop() override {
    entries_->remove(static_cast<Entry&>(*this->header_));
    if (this->description_.namespaced && entries_->used() == 0 && entries_->complete()) {
      forget_namespace(namespaces_.find(namespace_));
    }
  }

 private:
  using Namespaces = std::map<std::int64_t, Entries>;

  std::optional<std::int64_t> first_with_keys(typename Namespaces::const_iterator next) const {
    while (next != namespaces_.end() && next->second.is_empty()) ++next;
    if (next == namespaces_.end()) return std::nullopt;
    return next->first;
  }
  Entries& at_namespace(std::int64_t name_space) {
    return namespaces_.try_emplace(name_space, this->core_.clock, *this, name_space).first->second;
  }
  void forget_namespace(typename Namespaces::iterator found) {
    if (!this->description_.namespaced) return;
    if (entries_ == &found->second) entries_ = nullptr;
    namespaces_.erase(found);
  }

  void append_prefix(int group, std::int64_t name_space, std::string& out) const {
    append_key_group(group, out);
    if (this->description_.namespaced) append_namespace(name_space, out);
  }
  void append_key(std::int64_t name_space, const K& key, std::string& out) const {
    append_prefix(key_group_of(hash_key<K>(key), this->core_.max_parallelism), name_space, out);
    Codec<K>::encode(key, out);
  }

  // Takes group, namespace and key off the front of a snapshot's key.
  K take_key(std::string_view& bytes, std::uint64_t& hash, Entries*& entries) {
    const int group = take_key_group(bytes);
    const std::int64_t name_space = this->description_.namespaced ? take_namespace(bytes) : 0;
    K key = Codec<K>::decode(bytes);
    hash = hash_key<K>(key);
    if (group != key_group_of(hash, this->core_.max_parallelism) ||
        !this->core_.range.contains(group)) {
      throw Error("state '" + this->description_.name + "' has a key in key group " +
                  std::to_string(group) + ", where it doesn't belong");
    }
    entries = &at_namespace(name_space);
    return key;
  }

  void fill(Entries& entries, Entry& entry, std::string_view user_key, std::string_view value) {
    StateClock& clock = this->core_.clock;
    entries.set_present(entry);
    entries.set_stored(entry);
    if constexpr (Content::kPerUserKey) {
      using UserKey = typename Content::Cells::key_type;
      entry.content.restore(decode<UserKey>(user_key), decode<typename Content::Value>(value),
                            clock);
    } else {
      if (!user_key.empty())
        throw Error("state '" + this->description_.name + "' has a key with bytes too many");
      entry.content.value = decode<typename Content::Value>(value);
      entry.content.account(clock);
    }
  }

  void write(std::int64_t name_space, const Entry& entry, SnapshotOutput& output) {
    StateCore& core = this->core_;
    core.key_bytes.clear();
    append_key(name_space, entry.key, core.key_bytes);
    entry.content.emit(this->index_, core.key_bytes, entry.is(EntryHeader::kPresent), core.scope(),
                       core.value_bytes, output);
  }

  // The key's entry from the backend; one that isn't present if that has none.
  Entry& load(Entries& entries, KeyView<K> key, std::uint64_t hash) {
    Entry& entry = entries.insert(key, hash);
    std::string bytes;
    append_key(entries.name_space(), entry.key, bytes);
    if constexpr (Content::kPerUserKey) {
      this->core_.backend.scan(this->index_, bytes, end_of_prefix(bytes),
                               [&](std::string_view found, std::string_view value) {
                                 fill(entries, entry, found.substr(bytes.size()), value);
                                 return true;
                               });
    } else {
      const std::string_view view = bytes;
      this->core_.backend.multi_get(
          this->index_, {&view, 1},
          [&](std::size_t, std::string_view value) { fill(entries, entry, {}, value); });
    }
    return entry;
  }

  void load_missing(Entries& entries, std::span<const StoredKeyView<K>> keys,
                    std::span<const std::uint64_t> hashes) {
    std::string bytes;
    std::vector<std::size_t> ends;
    std::vector<Entry*> missing;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (entries.find(keys[i], hashes[i]) != nullptr) continue;
      missing.push_back(&entries.insert(keys[i], hashes[i]));
      append_key(entries.name_space(), missing.back()->key, bytes);
      ends.push_back(bytes.size());
    }
    if (missing.empty()) return;
    std::vector<std::string_view> wanted;
    for (std::size_t i = 0, start = 0; i < ends.size(); start = ends[i++]) {
      wanted.push_back(std::string_view(bytes).substr(start, ends[i] - start));
    }
    this->core_.backend.multi_get(this->index_, wanted, [&](std::size_t i, std::string_view value) {
      fill(entries, *missing[i], {}, value);
    });
    this->forget();
  }

  // visit(key, hash, value) for what the backend has of the namespace, with between() after some.
  template <typename F, typename G>
  void for_each_stored(Entries& entries, F visit, G between) {
    static_assert(!Content::kPerUserKey);
    for (int group = this->core_.range.first; group <= this->core_.range.last; ++group) {
      std::string next;
      append_prefix(group, entries.name_space(), next);
      const std::string last = end_of_prefix(next);
      while (!next.empty()) {
        std::string resume;
        std::size_t left = kStoredAtOnce;
        this->core_.backend.scan(this->index_, next, last,
                                 [&](std::string_view bytes, std::string_view value) {
                                   if (left-- == 0) {
                                     resume = bytes;
                                     return false;
                                   }
                                   std::uint64_t hash = 0;
                                   Entries* same = nullptr;
                                   const K key = take_key(bytes, hash, same);
                                   visit(key, hash, value);
                                   return true;
                                 });
        next = std::move(resume);
        between();
      }
    }
  }

  // Deletes what only the backend has: what says so needs room, too.
  void drop_stored(Entries& entries) {
    for_each_stored(
        entries,
        [&](const K& key, std::uint64_t hash, std::string_view) {
          if (entries.find(key, hash) != nullptr) return;
          Entry& entry = entries.insert(key, hash);
          entries.set_stored(entry);
          entries.remove(entry);
        },
        this->core_.make_room);
    entries.set_complete(true);
  }

  // The smallest namespace of the group in the backend that is larger than `after`.
  std::optional<std::int64_t> stored_namespace(int group, std::optional<std::int64_t> after) {
    std::string first;
    append_key_group(group, first);
    const std::string last = end_of_prefix(first);
    if (after) {
      append_namespace(*after, first);
      first = end_of_prefix(first);
    }
    std::optional<std::int64_t> found;
    this->core_.backend.scan(this->index_, first, last,
                             [&](std::string_view key, std::string_view) {
                               take_key_group(key);
                               found = take_namespace(key);
                               return false;
                             });
    return found;
  }

  static constexpr std::size_t kStoredAtOnce = 1000;

  const CurrentKey<K>& current_key_;
  Namespaces namespaces_;
  Entries* entries_ = nullptr;  // of namespace_; nullptr while there is none
  std::int64_t namespace_ = 0;
  std::optional<std::int64_t> cut_namespace_;  // that emit_some() is in
  std::int64_t evicted_namespace_ = 0;
};

}  // namespace weir::internal
