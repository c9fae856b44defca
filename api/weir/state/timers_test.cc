#include "weir/state/timers.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "weir/state/keyed_state.h"
#include "weir/state/testing/map_backend.h"

namespace weir {
namespace {

constexpr int kMaxParallelism = 128;
constexpr KeyGroupRange kAllGroups{0, kMaxParallelism - 1};

TEST(TimersTest, EachTimerFiresOnceInTheOrderOfTime) {
  NoBackend backend;
  KeyedState<std::string> state(backend, kAllGroups, kMaxParallelism);
  TimerQueue<std::string>& timers = state.timers("event-timers");
  state.set_current_key("a");
  timers.register_timer(30);
  timers.register_timer(10);
  timers.register_timer(10);
  state.set_current_key("b");
  timers.register_timer(20, 7);
  timers.register_timer(25);
  timers.delete_timer(25);
  timers.delete_timer(26);
  EXPECT_EQ(timers.size(), 3u);
  EXPECT_EQ(timers.next_time(), 10);
  EXPECT_EQ(timers.pop_until(9), std::nullopt);
  EXPECT_EQ(timers.pop_until(20), (Timer<std::string>{10, 0, "a"}));
  EXPECT_EQ(timers.pop_until(20), (Timer<std::string>{20, 7, "b"}));
  EXPECT_EQ(timers.pop_until(20), std::nullopt);
  EXPECT_EQ(timers.pop_until(30), (Timer<std::string>{30, 0, "a"}));
  EXPECT_EQ(timers.next_time(), std::nullopt);
}

TEST(TimersTest, EveryMalformedTimerIsRefused) {
  NoBackend backend;
  KeyedState<std::string> state(backend, kAllGroups, kMaxParallelism);
  TimerQueue<std::string>& timers = state.timers("event-timers");
  state.set_current_key("key");
  timers.register_timer(1000, -1);
  RecordingOutput output;
  state.begin_snapshot(output);
  EXPECT_TRUE(state.snapshot_some(10));
  const std::string bytes = output.puts.begin()->first.second;
  KeyedState<std::string> other(backend, kAllGroups, kMaxParallelism);
  other.timers("event-timers");
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_THROW(other.restore(0, bytes.substr(0, size), ""), Error);
  }
  EXPECT_THROW(other.restore(0, bytes + "x", ""), Error);
  EXPECT_THROW(other.restore(0, bytes, "x"), Error);
  other.restore(0, bytes, "");
  EXPECT_THROW(other.restore(0, bytes, ""), Error);
}

// Random use beside a std::set, with cuts, failures and restores.
class Drill {
 public:
  // Timers are at most `span` ahead.
  Drill(int seed, bool incremental, std::size_t budget = StateBackend::kUnbounded, int span = 50)
      : random_(static_cast<unsigned>(seed)),
        incremental_(incremental),
        span_(span),
        disk_(budget) {
    disk_.wait = [this] { apply(); };
    open();
  }

  void run(int steps) {
    for (int i = 0; i < steps; ++i) step();
    fire(1'000'000);
    EXPECT_TRUE(model_.empty());
  }
  const MapBackend& disk() const { return disk_; }
  std::size_t most_bytes() const { return most_bytes_; }

 private:
  using Model =
      std::set<std::tuple<Timestamp, std::int64_t, std::int64_t>>;  // time, namespace, key

  std::int64_t pick(std::int64_t below) {
    return static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(below));
  }
  void open() {
    StateBackend& backend = incremental_ ? static_cast<StateBackend&>(disk_) : memory_;
    state_ = std::make_unique<KeyedState<std::int64_t>>(backend, kAllGroups, kMaxParallelism);
    timers_ = &state_->timers("timers");
  }

  void step() {
    const std::int64_t what = pick(1000);
    if (what < 5) {
      begin_cut();
    } else if (what < 100) {
      if (cut_open_ && state_->snapshot_some(static_cast<std::size_t>(pick(10)))) apply();
    } else if (what < 103) {
      if (cut_open_) disk_.abandon();
      state_->abandon_snapshot();
      cut_open_ = false;
    } else if (what < 106) {
      restart();
    } else if (what < 200) {
      fire(now_ += pick(20));
    } else if (what < 700) {
      const auto [time, name_space, key] = random_timer();
      timers_->register_timer(time, name_space);
      model_.insert({time, name_space, key});
    } else {
      const auto [time, name_space, key] = random_timer();
      timers_->delete_timer(time, name_space);
      model_.erase({time, name_space, key});
    }
    if (cut_open_ && output_->finished) apply();  // the budget had it finished
    if (pick(span_) == 0) {
      ASSERT_EQ(timers_->size(), model_.size());
    }
  }

  std::tuple<Timestamp, std::int64_t, std::int64_t> random_timer() {
    const std::int64_t key = pick(20);
    state_->set_current_key(key);
    most_bytes_ = std::max(most_bytes_, state_->memory_bytes());
    return {now_ + pick(span_), pick(3), key};
  }

  void fire(Timestamp now) {
    while (auto timer = timers_->pop_until(now)) {
      ASSERT_LE(timer->time, now);
      ASSERT_EQ(timer->time, std::get<0>(*model_.begin()));
      ASSERT_EQ(model_.erase({timer->time, timer->name_space, timer->key}), 1u);
    }
    ASSERT_TRUE(model_.empty() || std::get<0>(*model_.begin()) > now);
    ASSERT_EQ(timers_->next_time().has_value(), !model_.empty());
  }

  void begin_cut() {
    if (cut_open_ && state_->snapshot_some(1'000'000)) apply();
    output_ = std::make_unique<RecordingOutput>();
    disk_.begin();
    cut_ = state_->begin_snapshot(*output_);
    cut_open_ = true;
    at_cut_ = model_;
    now_at_cut_ = now_;
  }
  void apply() {
    cut_open_ = false;
    if (!incremental_) disk_.entries.clear();
    disk_.apply(*output_, cut_);
    StateEntries expected;
    for (const auto& [time, name_space, key] : at_cut_) {
      std::string bytes;
      internal::append_key_group(key_group_of(hash_key<std::int64_t>(key), kMaxParallelism), bytes);
      internal::append_namespace(time, bytes);
      expected[{0, bytes + encode(key) + encode(name_space)}] = "";
    }
    ASSERT_EQ(disk_.entries, expected);
    snapshot_ = disk_.entries;
    durable_ = at_cut_;
    durable_now_ = now_at_cut_;
  }
  void restart() {
    if (cut_open_) return;
    model_ = durable_;
    now_ = durable_now_;
    disk_.entries = snapshot_;
    disk_.reset();
    open();
    if (incremental_) return state_->attach_backend();
    for (const auto& [where, bytes] : disk_.entries) {
      state_->restore(where.first, where.second, bytes);
    }
  }

  std::mt19937 random_;
  const bool incremental_;
  const int span_;
  NoBackend memory_;
  MapBackend disk_;
  StateEntries snapshot_;
  std::size_t most_bytes_ = 0;
  std::unique_ptr<KeyedState<std::int64_t>> state_;
  TimerQueue<std::int64_t>* timers_ = nullptr;
  std::unique_ptr<RecordingOutput> output_;
  Model model_, at_cut_, durable_;
  Timestamp now_ = 0, now_at_cut_ = 0, durable_now_ = 0;
  CutNumber cut_ = 0;
  bool cut_open_ = false;
};

TEST(TimersTest, MoreTimersOfOneTimeThanThereIsMemoryForAreRefused) {
  MapBackend backend(1 << 20);
  KeyedState<std::int64_t> state(backend, kAllGroups, kMaxParallelism);
  TimerQueue<std::int64_t>& timers = state.timers("timers");
  const auto fill = [&] {
    for (std::int64_t key = 0; key < 2'000'000; ++key) {
      state.set_current_key(key);
      timers.register_timer(1000);
    }
  };
  EXPECT_THROW(fill(), Error);
  EXPECT_LT(state.memory_bytes(), 80u << 20);
}

class TimersDrill : public ::testing::TestWithParam<int> {};

TEST_P(TimersDrill, DoesAsASetDoesWithFullCuts) {
  Drill(GetParam(), false).run(4000);
}
TEST_P(TimersDrill, DoesAsASetDoesWithCutsOfChanges) {
  Drill(GetParam(), true).run(4000);
}
TEST_P(TimersDrill, DoesAsASetDoesWhenMemoryHasRoomForAFewOnly) {
  Drill drill(GetParam(), true, 20'000, 5000);
  drill.run(8000);
  EXPECT_GT(drill.disk().writes, 0u);
  EXPECT_LT(drill.most_bytes(), 60'000u);
}

INSTANTIATE_TEST_SUITE_P(Seeds, TimersDrill, ::testing::Range(1, 11));

}  // namespace
}  // namespace weir
