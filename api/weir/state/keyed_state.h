#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weir/state/backend.h"
#include "weir/state/state.h"
#include "weir/state/table.h"
#include "weir/state/timers.h"
#include "weir/state/type_name.h"

namespace weir {

// All keyed state of one operator in one subtask, as the task sees it.
//
// A snapshot is a cut: begin_snapshot() takes constant time, records go on at once, and between
// them snapshot_some() hands out the cut in slices. What a record changes before its slice comes is
// handed out as it was at the cut. The output outlives the snapshot.
//
//   keyed_state.begin_snapshot(output);              // at the barrier
//   while (!keyed_state.snapshot_some(1000)) { … }   // records between; the end is output.finish()
//
// With a backend that holds_entries() the cut has what changed since the last finished cut, deleted
// entries too; without, everything.
//
// Thread rule: the task's thread only. The backend outlives it.
class KeyedStateBase {
 public:
  KeyedStateBase(StateBackend& backend, KeyGroupRange range, int max_parallelism);
  KeyedStateBase(const KeyedStateBase&) = delete;
  KeyedStateBase& operator=(const KeyedStateBase&) = delete;
  virtual ~KeyedStateBase();

  KeyGroupRange key_groups() const { return core_.range; }
  int max_parallelism() const { return core_.max_parallelism; }
  // By number.
  std::vector<StateTable> tables() const;
  // About; of all tables.
  std::size_t memory_bytes() const { return core_.clock.memory_bytes; }

  // Finishes a snapshot that is still open first.
  CutNumber begin_snapshot(SnapshotOutput& output);
  bool snapshot_open() const { return core_.clock.cut_open; }
  // Whether the next slice needn't wait until what was handed out is stored.
  bool snapshot_ready() const { return core_.output == nullptr || core_.output->ready(); }
  // At most so many entries, fewer if they are large; true when all are handed out.
  bool snapshot_some(std::size_t entries);
  // What was handed out counts for nothing: it is in the next snapshot again.
  void abandon_snapshot();

  // After the states are declared and before the first record. Either each entry of a snapshot
  // (throws Error for what makes no sense), or, when the backend was filled, its announcement.
  void restore(int table, std::string_view key, std::string_view value);
  void attach_backend();

 protected:
  // Refuses a name that is taken, with FatalError.
  int next_table(const std::string& name) const;
  void add_table(std::unique_ptr<internal::TableBase> table);
  void make_room_if_needed() {
    if (core_.clock.memory_bytes > eviction_bytes_) [[unlikely]]
      make_room();
  }

  internal::StateCore core_;

 private:
  void change_again();
  void make_room();
  void take_memory();
  void evict(std::size_t target_bytes, bool write);

  std::vector<std::unique_ptr<internal::TableBase>> tables_;
  std::size_t eviction_bytes_;  // memory at which make_room() is called next
};

// State by windows or other namespaces, for the current key: see KeyedState::namespaced_state().
template <typename K, typename V>
class NamespacedState {
 public:
  using Content = internal::ValueContent<V>;
  using Table = internal::Table<K, Content>;

  NamespacedState() = default;
  explicit NamespacedState(Table& table) : table_(&table) {}

  // nullptr if the current key has none there.
  const V* value(std::int64_t name_space) const {
    table_->select(name_space);
    const Content* content = table_->get();
    return content == nullptr ? nullptr : &content->value;
  }
  // f(V&, bool is_new), on V{} when the current key has none.
  template <typename F>
  void update(std::int64_t name_space, F f) {
    table_->select(name_space);
    const bool is_new = table_->get() == nullptr;
    Content& content = table_->modify();
    f(content.value, is_new);
    content.account(table_->clock());
  }
  void clear(std::int64_t name_space) {
    table_->select(name_space);
    table_->erase();
  }

  // Of all keys. After a restore from a backend, one whose last key is gone may be told too.
  std::optional<std::int64_t> first_namespace() const { return table_->first_namespace(); }
  std::optional<std::int64_t> namespace_after(std::int64_t name_space) const {
    return table_->namespace_after(name_space);
  }
  // f(const K&, const V&) for each key, in no order. f must not use the keyed state.
  template <typename F>
  void for_each(std::int64_t name_space, F f) {
    table_->for_each(name_space,
                     [&](const K& key, const Content& content) { f(key, content.value); });
  }
  void drop(std::int64_t name_space) { table_->drop(name_space); }

  // Brings the keys' values near, from the backend too.
  void prefetch(std::int64_t name_space, std::span<const internal::StoredKeyView<K>> keys,
                std::span<const std::uint64_t> hashes) {
    table_->prefetch_in(name_space, keys, hashes);
  }

 private:
  Table* table_ = nullptr;
};

// The keyed state of an operator whose key is K: makes the handles, and says whose state they show.
//
//   KeyedState<std::int64_t> state(backend, range, max_parallelism);
//   auto count = state.get_state(ValueStateDescriptor<std::int64_t>("count"));
//   state.prefetch(keys_of_the_batch);       // optional: all lookups of the batch at once
//   state.set_current_key(7);
//   count.update(count.value_or(0) + 1);
template <typename K>
class KeyedState final : public KeyedStateBase {
 public:
  using KeyedStateBase::KeyedStateBase;

  // What handles returned by pointer or reference is no longer valid.
  void set_current_key(KeyView<K> key) { set_current_key(key, hash_key<K>(key)); }
  void set_current_key(KeyView<K> key, std::uint64_t hash) {
    make_room_if_needed();
    current_.key = key;
    current_.hash = hash;
    ++core_.clock.cursor_version;
  }
  const K& current_key() const { return current_.key; }

  // Of a batch of records about to be processed. Returns the keys' hashes, until the next call.
  std::span<const std::uint64_t> prefetch(std::span<const internal::StoredKeyView<K>> keys) {
    make_room_if_needed();
    hashes_.clear();
    for (const auto& key : keys) hashes_.push_back(hash_key<K>(key));
    for (internal::KeyedTable<K>* table : keyed_tables_) table->prefetch(keys, hashes_);
    ++core_.clock.cursor_version;
    return hashes_;
  }

  template <typename T>
  ValueState<T> get_state(const ValueStateDescriptor<T>& descriptor) {
    return ValueState<T>(add<internal::Table<K, internal::ValueContent<T>>>(
        describe<T>(descriptor.name, StateKind::kValue)));
  }
  template <typename T>
  ListState<T> get_list_state(const ListStateDescriptor<T>& descriptor) {
    using Elements = std::vector<T>;
    return ListState<T>(add<internal::Table<K, internal::ValueContent<Elements>>>(
        describe<Elements>(descriptor.name, StateKind::kList)));
  }
  template <typename UK, typename UV>
  MapState<UK, UV> get_map_state(const MapStateDescriptor<UK, UV>& descriptor) {
    StateTable table = describe<UV>(descriptor.name, StateKind::kMap);
    table.user_key_type = type_name<UK>();
    return MapState<UK, UV>(
        add<internal::Table<K, internal::MapContent<UK, UV>>>(std::move(table)));
  }
  template <typename T>
  ReducingState<T> get_reducing_state(const ReducingStateDescriptor<T>& descriptor) {
    return ReducingState<T>(add<internal::Table<K, internal::ValueContent<T>>>(
                                describe<T>(descriptor.name, StateKind::kReducing)),
                            descriptor.function);
  }
  template <typename F>
  AggregatingState<F> get_aggregating_state(const AggregatingStateDescriptor<F>& descriptor) {
    using Accumulator = typename F::Accumulator;
    return AggregatingState<F>(add<internal::Table<K, internal::ValueContent<Accumulator>>>(
                                   describe<Accumulator>(descriptor.name, StateKind::kAggregating)),
                               descriptor.function);
  }
  template <typename V>
  NamespacedState<K, V> namespaced_state(const std::string& name) {
    StateTable table = describe<V>(name, StateKind::kValue);
    table.namespaced = true;
    return NamespacedState<K, V>(
        add<internal::Table<K, internal::ValueContent<V>>>(std::move(table)));
  }
  // Event time and processing time have a queue each.
  TimerQueue<K>& timers(const std::string& name) {
    return add<TimerQueue<K>>(TimerQueue<K>::describe(name));
  }

 private:
  template <typename V>
  static StateTable describe(const std::string& name, StateKind kind) {
    StateTable table;
    table.name = name;
    table.kind = kind;
    table.key_type = type_name<K>();
    table.value_type = type_name<V>();
    return table;
  }
  template <typename Table>
  Table& add(StateTable description) {
    const int index = next_table(description.name);
    auto table = std::make_unique<Table>(core_, index, std::move(description), current_);
    auto& result = *table;
    keyed_tables_.push_back(&result);
    add_table(std::move(table));
    return result;
  }

  internal::CurrentKey<K> current_;
  std::vector<internal::KeyedTable<K>*> keyed_tables_;
  std::vector<std::uint64_t> hashes_;
};

}  // namespace weir
