#include <gtest/gtest.h>

#include <string>

#include "common/status_matchers.h"
#include "taskmanager/state/testing/rocksdb_backend_fixture.h"

namespace weir {
namespace {

using LargerThanMemoryTest = RocksDbBackendTest;

TEST_F(LargerThanMemoryTest, ValuesStayWithinTheirMemory) {
  constexpr std::size_t kTableBytes = 4 * kMiB;
  auto backend = open(kTableBytes);
  KeyedState<std::int64_t> state(backend->state_backend(), {0, 127}, 128);
  auto value = state.get_state(ValueStateDescriptor<std::string>("value"));
  for (std::int64_t key = 0; key < 100'000; ++key) {
    state.set_current_key(key);
    value.update(std::string(100, static_cast<char>('a' + key % 26)));
    ASSERT_LE(state.memory_bytes(), kTableBytes + kTableBytes / 4);
    if (key == 50'000) {
      ASSERT_THAT(take(*backend, state, 1), IsOk());
    }
  }
  for (std::int64_t key = 0; key < 100'000; key += 7) {
    state.set_current_key(key);
    ASSERT_EQ(value.value_or(""), std::string(100, static_cast<char>('a' + key % 26))) << key;
  }
  EXPECT_LE(memory_->used_bytes(), 40 * kMiB);
}

TEST_F(LargerThanMemoryTest, TimersStayWithinTheirMemoryAndAllFireInTheirOrder) {
  constexpr std::size_t kTableBytes = 2 * kMiB;
  constexpr std::int64_t kTimers = 100'000;  // of more than 80 bytes in memory
  auto backend = open(kTableBytes);
  KeyedState<std::int64_t> state(backend->state_backend(), {0, 127}, 128);
  TimerQueue<std::int64_t>& timers = state.timers("timers");
  for (std::int64_t i = 0; i < kTimers; ++i) {
    state.set_current_key(i);
    timers.register_timer(i * 7919 % kTimers);
    ASSERT_LE(state.memory_bytes(), kTableBytes + kTableBytes / 4);
    if (i == kTimers / 2) {
      ASSERT_THAT(take(*backend, state, 1), IsOk());
    }
  }
  for (std::int64_t time = 0; time < kTimers; ++time) {
    const auto timer = timers.pop_until(time);
    ASSERT_TRUE(timer && timer->time == time && timer->key * 7919 % kTimers == time) << time;
    state.set_current_key(timer->key);
    ASSERT_LE(state.memory_bytes(), kTableBytes + kTableBytes / 4);
  }
  EXPECT_EQ(timers.next_time(), std::nullopt);
}

TEST_F(LargerThanMemoryTest, AWindowIsReadAndDroppedWithinTheMemory) {
  constexpr std::size_t kTableBytes = 2 * kMiB;
  constexpr std::int64_t kKeys = 100'000;
  auto backend = open(kTableBytes);
  KeyedState<std::int64_t> state(backend->state_backend(), {0, 127}, 128);
  auto sums = state.namespaced_state<std::int64_t>("sums");
  for (std::int64_t key = 0; key < kKeys; ++key) {
    state.set_current_key(key);
    sums.update(1000, [&](std::int64_t& sum, bool) { sum = key; });
  }
  ASSERT_THAT(take(*backend, state, 1), IsOk());
  std::int64_t seen = 0, total = 0;
  sums.for_each(1000, [&](std::int64_t, std::int64_t sum) {
    ++seen;
    total += sum;
  });
  EXPECT_EQ(seen, kKeys);
  EXPECT_EQ(total, kKeys * (kKeys - 1) / 2);
  EXPECT_LE(state.memory_bytes(), kTableBytes + kTableBytes / 4);
  sums.drop(1000);
  EXPECT_LE(state.memory_bytes(), kTableBytes + kTableBytes / 4);
  state.set_current_key(77);
  EXPECT_EQ(sums.value(1000), nullptr);
  const Result last = take(*backend, state, 2);
  ASSERT_THAT(last, IsOk());
  auto other = open(kTableBytes);
  KeyedState<std::int64_t> restored(other->state_backend(), {0, 127}, 128);
  auto none = restored.namespaced_state<std::int64_t>("sums");
  const RestoreSource source{.handle = &*last, .storage = &storage_};
  ASSERT_THAT(other->restore(restored, {&source, 1}, false), IsOk());
  EXPECT_EQ(none.first_namespace(), std::nullopt);
}

}  // namespace
}  // namespace weir
