#include "weir/state/keyed_state.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "weir/state/testing/map_backend.h"

namespace weir {
namespace {

constexpr int kMaxParallelism = 128;
constexpr KeyGroupRange kAllGroups{0, kMaxParallelism - 1};

struct Average {
  using Input = std::int64_t;
  using Accumulator = std::pair<std::int64_t, std::int64_t>;
  using Result = double;
  Accumulator create_accumulator() const { return {0, 0}; }
  void add(std::int64_t value, Accumulator& sum) const {
    sum.first += value;
    ++sum.second;
  }
  Result get_result(const Accumulator& sum) const {
    return sum.second == 0 ? 0 : static_cast<double>(sum.first) / static_cast<double>(sum.second);
  }
};

TEST(KeyedStateTest, EveryKeyHasItsOwnValue) {
  NoBackend backend;
  KeyedState<std::int64_t> state(backend, kAllGroups, kMaxParallelism);
  auto count = state.get_state(ValueStateDescriptor<std::int64_t>("count"));
  for (int i = 0; i < 1000; ++i) {
    state.set_current_key(i % 100);
    count.update(count.value_or(0) + 1);
  }
  state.set_current_key(7);
  EXPECT_EQ(*count.value(), 10);
  count.clear();
  EXPECT_EQ(count.value(), nullptr);
  state.set_current_key(8);
  EXPECT_EQ(*count.value(), 10);
  state.set_current_key(100);
  EXPECT_EQ(count.value(), nullptr);
}

TEST(KeyedStateTest, ListsMapsReducingAndAggregatingStateDoAsInFlink) {
  NoBackend backend;
  KeyedState<std::string> state(backend, kAllGroups, kMaxParallelism);
  auto list = state.get_list_state(ListStateDescriptor<std::string>("list"));
  auto map = state.get_map_state(MapStateDescriptor<std::string, double>("map"));
  auto largest = state.get_reducing_state(ReducingStateDescriptor<std::int64_t>(
      "largest", [](std::int64_t a, std::int64_t b) { return std::max(a, b); }));
  auto average = state.get_aggregating_state(AggregatingStateDescriptor("average", Average()));
  state.set_current_key("a");
  EXPECT_TRUE(list.get().empty());
  EXPECT_EQ(largest.get(), nullptr);
  EXPECT_EQ(average.get(), 0);
  list.add("x");
  list.add_all({"y", "z"});
  map.put("one", 1);
  map.put("two", 2);
  map.put("two", 2.5);
  map.remove("one");
  for (const int value : {3, 9, 6}) {
    largest.add(value);
    average.add(value);
  }
  state.set_current_key("b");
  EXPECT_TRUE(map.is_empty());
  state.set_current_key("a");
  EXPECT_EQ(list.get(), (std::vector<std::string>{"x", "y", "z"}));
  EXPECT_EQ(map.size(), 1u);
  EXPECT_EQ(*map.get("two"), 2.5);
  EXPECT_FALSE(map.contains("one"));
  EXPECT_EQ(*largest.get(), 9);
  EXPECT_EQ(average.get(), 6);
  list.update({});
  EXPECT_TRUE(list.get().empty());
}

TEST(KeyedStateTest, NamespacesAreSeenInTheirOrderAndDroppedWhole) {
  NoBackend backend;
  KeyedState<std::int64_t> state(backend, kAllGroups, kMaxParallelism);
  auto sums = state.namespaced_state<std::int64_t>("sums");
  for (std::int64_t key = 0; key < 10; ++key) {
    for (const std::int64_t window : {300, -100, 200}) {
      state.set_current_key(key);
      sums.update(window, [&](std::int64_t& sum, bool is_new) {
        EXPECT_TRUE(is_new);
        sum += key;
      });
    }
  }
  EXPECT_EQ(sums.first_namespace(), -100);
  EXPECT_EQ(sums.namespace_after(-100), 200);
  std::int64_t total = 0;
  sums.for_each(-100, [&](std::int64_t, std::int64_t sum) { total += sum; });
  EXPECT_EQ(total, 45);
  sums.drop(-100);
  EXPECT_EQ(sums.first_namespace(), 200);
  EXPECT_EQ(sums.value(-100), nullptr);
  EXPECT_EQ(*sums.value(200), 9);
  for (std::int64_t key = 0; key < 10; ++key) {
    state.set_current_key(key);
    sums.clear(200);
  }
  EXPECT_EQ(sums.first_namespace(), 300);
}

TEST(KeyedStateTest, WhatWasRestoredAndIsDeletedLeavesNothingInMemory) {
  NoBackend backend;
  RecordingOutput output;
  const auto fill = [](KeyedState<std::int64_t>& state, RecordingOutput& cut) {
    auto value = state.get_state(ValueStateDescriptor<std::int64_t>("value"));
    TimerQueue<std::int64_t>& timers = state.timers("timers");
    for (std::int64_t key = 0; key < 1000; ++key) {
      state.set_current_key(key);
      value.update(key);
      timers.register_timer(key);
    }
    state.begin_snapshot(cut);
    ASSERT_TRUE(state.snapshot_some(10'000));
  };
  {
    KeyedState<std::int64_t> state(backend, kAllGroups, kMaxParallelism);
    fill(state, output);
  }
  KeyedState<std::int64_t> state(backend, kAllGroups, kMaxParallelism);
  auto value = state.get_state(ValueStateDescriptor<std::int64_t>("value"));
  TimerQueue<std::int64_t>& timers = state.timers("timers");
  const std::size_t empty_bytes = state.memory_bytes();
  for (const auto& [where, bytes] : output.puts) state.restore(where.first, where.second, bytes);
  const std::size_t full_bytes = state.memory_bytes();
  EXPECT_GT(full_bytes, empty_bytes + 1000 * 2 * sizeof(std::int64_t));
  while (timers.pop_until(1000)) {
  }
  for (std::int64_t key = 0; key < 1000; ++key) {
    state.set_current_key(key);
    value.clear();
  }
  EXPECT_LT(state.memory_bytes(), full_bytes / 2);  // the rest is the indexes'
  RecordingOutput last;
  state.begin_snapshot(last);
  EXPECT_TRUE(state.snapshot_some(10'000));
  EXPECT_TRUE(last.puts.empty());
}

TEST(KeyedStateTest, ASliceHasFewerEntriesWhenTheyAreLarge) {
  NoBackend backend;
  KeyedState<std::int64_t> state(backend, kAllGroups, kMaxParallelism);
  auto value = state.get_state(ValueStateDescriptor<std::string>("value"));
  for (std::int64_t key = 0; key < 10; ++key) {
    state.set_current_key(key);
    value.update(std::string(100'000, 'x'));
  }
  RecordingOutput output;
  state.begin_snapshot(output);
  EXPECT_FALSE(state.snapshot_some(100));
  EXPECT_EQ(output.puts.size(), 1u);
  EXPECT_TRUE(state.snapshot_some(10'000));
  EXPECT_EQ(output.puts.size(), 10u);
}

TEST(KeyedStateTest, MisuseIsToldInOneLine) {
  NoBackend backend;
  KeyedState<std::int64_t> state(backend, {0, 0}, kMaxParallelism);
  state.get_state(ValueStateDescriptor<std::int64_t>("x"));
  EXPECT_THROW(state.get_state(ValueStateDescriptor<std::int64_t>("x")), FatalError);
  EXPECT_THROW(ValueState<std::int64_t>().value(), Error);
}

TEST(KeyedStateTest, TypesAreNamedByHowTheyAreEncoded) {
  EXPECT_EQ(type_name<std::int64_t>(), "i64");
  EXPECT_EQ(type_name<float>(), "f32");
  using Nested = std::vector<std::pair<std::string, std::optional<std::uint8_t>>>;
  EXPECT_EQ(type_name<Nested>(), "vector<{string,optional<u8>}>");
  EXPECT_EQ((type_name<std::map<bool, std::tuple<char16_t>>>()), "map<bool,{u16}>");
}

TEST(KeyedStateTest, EveryMalformedEntryIsRefused) {
  NoBackend backend;
  KeyedState<std::string> state(backend, kAllGroups, kMaxParallelism);
  auto map = state.get_map_state(MapStateDescriptor<std::string, std::string>("map"));
  auto value = state.get_state(ValueStateDescriptor<std::string>("value"));
  state.set_current_key("key");
  map.put("user key", "a");
  value.update("b");
  RecordingOutput output;
  state.begin_snapshot(output);
  EXPECT_TRUE(state.snapshot_some(10));
  ASSERT_EQ(output.puts.size(), 2u);
  for (const auto& [where, bytes] : output.puts) {
    for (std::size_t size = 0; size < where.second.size() + bytes.size(); ++size) {
      KeyedState<std::string> other(backend, kAllGroups, kMaxParallelism);
      other.get_map_state(MapStateDescriptor<std::string, std::string>("map"));
      other.get_state(ValueStateDescriptor<std::string>("value"));
      const std::string both = where.second + bytes;
      const std::size_t key_size = std::min(size, where.second.size());
      EXPECT_THROW(other.restore(where.first, both.substr(0, key_size),
                                 both.substr(key_size, size - key_size)),
                   Error);
    }
    KeyedState<std::string> narrow(backend, {0, 0}, kMaxParallelism);
    narrow.get_map_state(MapStateDescriptor<std::string, std::string>("map"));
    narrow.get_state(ValueStateDescriptor<std::string>("value"));
    EXPECT_THROW(narrow.restore(where.first, where.second, bytes), Error);
  }
}

// Every kind of state at random, with a model beside it that is copied at each cut.
template <typename K>
class Drill {
 public:
  Drill(int seed, bool incremental, std::size_t budget)
      : random_(static_cast<unsigned>(seed)), incremental_(incremental), disk_(budget) {
    disk_.wait = [this] { apply(); };
    open();
  }

  void run(int steps) {
    for (int i = 0; i < steps; ++i) step();
    finish_cut();
    apply();
    check_all();
  }
  const MapBackend& disk() const { return disk_; }

 private:
  struct Model {
    std::map<K, std::string> values;
    std::map<K, std::vector<std::int32_t>> lists;
    std::map<std::pair<K, std::string>, std::int64_t> maps;
    std::map<std::pair<std::int64_t, K>, std::int64_t> windows;
  };

  std::size_t pick(std::size_t below) { return random_() % below; }
  static K key(std::size_t i) {
    if constexpr (std::is_same_v<K, std::string>) {
      return std::string(i % 40, 'k') + std::to_string(i);
    } else {
      return static_cast<K>(i);
    }
  }

  void open() {
    StateBackend& backend = incremental_ ? static_cast<StateBackend&>(disk_) : memory_;
    state_ = std::make_unique<KeyedState<K>>(backend, kAllGroups, kMaxParallelism);
    value_ = state_->get_state(ValueStateDescriptor<std::string>("value"));
    list_ = state_->get_list_state(ListStateDescriptor<std::int32_t>("list"));
    map_ = state_->get_map_state(MapStateDescriptor<std::string, std::int64_t>("map"));
    windows_ = state_->template namespaced_state<std::int64_t>("windows");
  }

  void step() {
    const std::size_t what = pick(1000);
    if (what < 20) {
      prefetch();
    } else if (what < 25) {
      begin_cut();
    } else if (what < 100) {
      if (cut_open_ && state_->snapshot_some(1 + pick(20))) cut_done();
    } else if (what < 103) {
      abandon();
    } else if (what < 110) {
      apply();
    } else if (what < 112) {
      drop_window();
    } else if (what < 113) {
      restart();
    } else {
      write();
    }
    if (cut_open_ && output_->finished) cut_done();  // the budget had it finished
  }

  void write() {
    const K k = key(pick(300));
    state_->set_current_key(k);
    switch (pick(12)) {
      case 0:
        value_.clear();
        model_.values.erase(k);
        break;
      case 1:
        list_.clear();
        model_.lists.erase(k);
        break;
      case 2:
        clear_map(k);
        break;
      case 3: {
        const std::int64_t window = static_cast<std::int64_t>(pick(6)) - 3;
        windows_.clear(window);
        model_.windows.erase({window, k});
        break;
      }
      case 4:
      case 5:
        value_.update(model_.values[k] = std::string(pick(60), 'v') + std::to_string(random_()));
        break;
      case 6:
        list_.add(static_cast<std::int32_t>(random_()));
        model_.lists[k] = list_.get();
        break;
      case 7:
      case 8: {
        const std::string user_key = std::to_string(pick(5));
        map_.put(user_key, model_.maps[{k, user_key}] = static_cast<std::int64_t>(random_()));
        break;
      }
      case 9: {
        const std::string user_key = std::to_string(pick(5));
        map_.remove(user_key);
        model_.maps.erase({k, user_key});
        break;
      }
      case 10: {
        const std::int64_t window = static_cast<std::int64_t>(pick(6)) - 3;
        windows_.update(window, [](std::int64_t& sum, bool) { ++sum; });
        ++model_.windows[{window, k}];
        break;
      }
      default:
        check(k);
    }
  }

  void clear_map(const K& k) {
    map_.clear();
    std::erase_if(model_.maps, [&](const auto& entry) { return entry.first.first == k; });
  }

  void prefetch() {
    std::vector<internal::StoredKeyView<K>> views;
    std::vector<K> keys;
    for (int i = 0; i < 10; ++i) keys.push_back(key(pick(400)));
    for (const K& k : keys) views.push_back(k);
    const auto hashes = state_->prefetch(views);
    windows_.prefetch(static_cast<std::int64_t>(pick(6)) - 3, views, hashes);
    for (std::size_t i = 0; i < keys.size(); ++i) {
      state_->set_current_key(keys[i], hashes[i]);
      check(keys[i]);
    }
  }

  void drop_window() {
    const std::int64_t window = static_cast<std::int64_t>(pick(6)) - 3;
    std::map<K, std::int64_t> seen, expected;
    windows_.for_each(window, [&](const K& k, std::int64_t sum) { seen[k] = sum; });
    for (const auto& [where, sum] : model_.windows) {
      if (where.first == window) expected[where.second] = sum;
    }
    ASSERT_EQ(seen, expected);
    windows_.drop(window);
    std::erase_if(model_.windows, [&](const auto& entry) { return entry.first.first == window; });
    ASSERT_EQ(windows_.value(window), nullptr);
    std::set<std::int64_t> told;
    for (auto next = windows_.first_namespace(); next; next = windows_.namespace_after(*next)) {
      told.insert(*next);
    }
    ASSERT_FALSE(told.contains(window));
    for (const auto& [where, sum] : model_.windows) ASSERT_TRUE(told.contains(where.first));
  }

  void begin_cut() {
    finish_cut();
    if (incremental_ && unapplied_ && pick(4) == 0) {
      disk_.lose();
      unapplied_ = false;
    }
    apply();
    output_ = std::make_unique<RecordingOutput>();
    disk_.begin();
    cut_ = state_->begin_snapshot(*output_);
    cut_open_ = true;
    at_cut_ = model_;
  }
  void finish_cut() {
    if (cut_open_ && state_->snapshot_some(1'000'000)) cut_done();
  }
  void cut_done() {
    EXPECT_TRUE(output_->finished);
    EXPECT_FALSE(state_->snapshot_open());
    cut_open_ = false;
    unapplied_ = true;
  }
  void abandon() {
    if (!cut_open_) return;
    state_->abandon_snapshot();
    disk_.abandon();
    cut_open_ = false;
  }
  // Now the backend must have exactly what the model had at the cut.
  void apply() {
    if (cut_open_ && output_->finished) cut_done();
    if (!unapplied_) return;
    unapplied_ = false;
    if (!incremental_) {
      disk_.entries.clear();
      EXPECT_TRUE(output_->erased.empty());
    }
    disk_.apply(*output_, cut_);
    ASSERT_EQ(disk_.entries, entries_of(at_cut_));
    durable_ = at_cut_;
    snapshot_ = disk_.entries;
  }

  // As after a failure: from the last snapshot.
  void restart() {
    if (cut_open_) return;
    apply();
    disk_.entries = snapshot_;
    model_ = durable_;
    open();
    if (incremental_) {
      disk_.reset();
      state_->attach_backend();
    } else {
      for (const auto& [where, bytes] : snapshot_) {
        state_->restore(where.first, where.second, bytes);
      }
    }
  }

  static StateEntries entries_of(const Model& model) {
    StateEntries entries;
    const auto state_key = [](const K& k, std::optional<std::int64_t> name_space) {
      std::string bytes;
      internal::append_key_group(key_group_of(hash_key<K>(k), kMaxParallelism), bytes);
      if (name_space) internal::append_namespace(*name_space, bytes);
      return bytes + encode(k);
    };
    for (const auto& [k, v] : model.values) entries[{0, state_key(k, {})}] = encode(v);
    for (const auto& [k, v] : model.lists) entries[{1, state_key(k, {})}] = encode(v);
    for (const auto& [k, v] : model.maps) {
      entries[{2, state_key(k.first, {}) + encode(k.second)}] = encode(v);
    }
    for (const auto& [k, v] : model.windows) {
      entries[{3, state_key(k.second, k.first)}] = encode(v);
    }
    return entries;
  }

  // What the current key's handles show.
  void check(const K& k) {
    const auto value = model_.values.find(k);
    ASSERT_EQ(value_.value() != nullptr, value != model_.values.end());
    if (value != model_.values.end()) {
      ASSERT_EQ(*value_.value(), value->second);
    }
    const auto list = model_.lists.find(k);
    ASSERT_EQ(list_.get(), list == model_.lists.end() ? std::vector<std::int32_t>() : list->second);
    std::map<std::pair<K, std::string>, std::int64_t> map, expected;
    map_.for_each([&](const std::string& user_key, std::int64_t v) { map[{k, user_key}] = v; });
    for (int i = 0; i < 5; ++i) {
      const auto entry = model_.maps.find({k, std::to_string(i)});
      if (entry != model_.maps.end()) expected.insert(*entry);
    }
    ASSERT_EQ(map, expected);
    ASSERT_EQ(map_.size(), expected.size());
    for (std::int64_t window = -3; window < 3; ++window) {
      const auto sum = model_.windows.find({window, k});
      ASSERT_EQ(windows_.value(window) != nullptr, sum != model_.windows.end());
      if (sum != model_.windows.end()) {
        ASSERT_EQ(*windows_.value(window), sum->second);
      }
    }
  }
  void check_all() {
    for (std::size_t i = 0; i < 400; ++i) {
      state_->set_current_key(key(i));
      check(key(i));
    }
  }

  std::mt19937 random_;
  const bool incremental_;
  NoBackend memory_;
  MapBackend disk_;
  std::unique_ptr<KeyedState<K>> state_;
  ValueState<std::string> value_;
  ListState<std::int32_t> list_;
  MapState<std::string, std::int64_t> map_;
  NamespacedState<K, std::int64_t> windows_;

  Model model_, at_cut_, durable_;
  StateEntries snapshot_;
  std::unique_ptr<RecordingOutput> output_;
  CutNumber cut_ = 0;
  bool cut_open_ = false;
  bool unapplied_ = false;
};

class KeyedStateDrill : public ::testing::TestWithParam<int> {};

TEST_P(KeyedStateDrill, AFullCutIsTheStateAtTheBarrierWhateverIsWrittenMeanwhile) {
  Drill<std::int64_t>(GetParam(), false, 0).run(4000);
  Drill<std::string>(GetParam(), false, 0).run(4000);
}

TEST_P(KeyedStateDrill, ChangesAppliedToTheLastCutThatIsntLostAreTheStateAtTheBarrier) {
  Drill<std::int64_t>(GetParam(), true, StateBackend::kUnbounded).run(4000);
  Drill<std::string>(GetParam(), true, StateBackend::kUnbounded).run(4000);
}

TEST_P(KeyedStateDrill, WhatIsEvictedComesBackAndNothingYoungerThanACutReachesTheBackendBeforeIt) {
  Drill<std::int64_t> numbers(GetParam(), true, 40'000);
  numbers.run(4000);
  EXPECT_GT(numbers.disk().reads, 100u);
  EXPECT_GT(numbers.disk().writes, 0u);
  Drill<std::string>(GetParam(), true, 60'000).run(4000);
}

INSTANTIATE_TEST_SUITE_P(Seeds, KeyedStateDrill, ::testing::Range(1, 6));

}  // namespace
}  // namespace weir
