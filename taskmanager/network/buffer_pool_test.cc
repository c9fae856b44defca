#include "taskmanager/network/buffer_pool.h"

#include <gmock/gmock.h>

#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "common/status_matchers.h"

namespace weir {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr int64_t kTenBuffers = 10 * static_cast<int64_t>(kBufferBytes);

class RecordingListener final : public BufferQuota::Listener {
 public:
  void on_recycled(int tag) override { tags.push_back(tag); }
  std::vector<int> tags;
};

TEST(BufferPoolTest, SetsAsideAsManyAsThereAre) {
  BufferPool pool(kTenBuffers);
  auto first = pool.reserve("first", 2, 7);
  auto second = pool.reserve("second", 2, 7);
  ASSERT_THAT(first, IsOk());
  ASSERT_THAT(second, IsOk());
  EXPECT_EQ((*first)->size(), 7);
  EXPECT_EQ((*second)->size(), 3);
  EXPECT_EQ(pool.available(), 0);
}

TEST(BufferPoolTest, ARefusalNamesTheOwnerAndTheRemedyAndTakesNothing) {
  BufferPool pool(kTenBuffers);
  EXPECT_THAT(pool.reserve("Map (1/2)", 11, 20),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       HasSubstr("'Map (1/2)' needs 11 network buffers of 32 kb, 10 of 10 are "
                                 "free: raise taskmanager.memory.network")));
  EXPECT_EQ(pool.available(), 10);
}

TEST(BufferPoolTest, AQuotaGivesOutNoMoreThanItsSize) {
  BufferPool pool(kTenBuffers);
  auto quota = *pool.reserve("task", 1, 2);
  Buffer first = quota->try_take();
  Buffer second = quota->try_take();
  EXPECT_TRUE(first);
  EXPECT_TRUE(second);
  EXPECT_FALSE(quota->try_take());
  first = Buffer();
  EXPECT_TRUE(quota->try_take());
}

TEST(BufferPoolTest, AnOverdraftTakesWhatNobodyHasSetAsideAndGivesItBack) {
  BufferPool pool(kTenBuffers);
  auto quota = *pool.reserve("task", 1, 7);
  quota->allow_overdraft(2);
  std::vector<Buffer> taken;
  while (taken.size() < 9) taken.push_back(quota->take());
  EXPECT_EQ(pool.available(), 1);
  EXPECT_FALSE(quota->try_take());
  taken.pop_back();
  EXPECT_EQ(pool.available(), 2);
  EXPECT_FALSE(quota->try_take());
  auto other = *pool.reserve("other", 1, 2);
  std::thread releasing([&] { taken.resize(6); });
  const Buffer waited = quota->take();  // nothing is left to overdraw
  releasing.join();
  EXPECT_TRUE(waited);
  taken.clear();
  other.reset();
  quota.reset();
  EXPECT_EQ(pool.available(), 9);
}

TEST(BufferPoolTest, ABufferComesBackWhenItsLastCopyGoes) {
  BufferPool pool(kTenBuffers);
  auto quota = *pool.reserve("task", 1, 1);
  auto listener = std::make_shared<RecordingListener>();
  quota->set_listener(listener);
  Buffer buffer = quota->try_take(7);
  Buffer copy = buffer;
  buffer = Buffer();
  EXPECT_FALSE(quota->try_take());
  EXPECT_THAT(listener->tags, ElementsAre());
  Buffer moved = std::move(copy);
  moved = Buffer();
  EXPECT_THAT(listener->tags, ElementsAre(7));
  EXPECT_EQ(quota->in_use(), 0);
}

TEST(BufferPoolTest, WhatIsHeldBeyondAQuotasEndReturnsToThePoolOneByOne) {
  BufferPool pool(kTenBuffers);
  auto quota = *pool.reserve("task", 4, 4);
  Buffer held = quota->try_take();
  Buffer held_too = quota->try_take();
  quota.reset();
  EXPECT_EQ(pool.available(), 8);
  held = Buffer();
  EXPECT_EQ(pool.available(), 9);
  held_too = Buffer();
  EXPECT_EQ(pool.available(), 10);
}

TEST(BufferPoolTest, BuffersMayOutliveThePool) {
  Buffer held;
  {
    BufferPool pool(kTenBuffers);
    held = (*pool.reserve("task", 1, 1))->try_take();
  }
  held.memory()[kBufferBytes - 1] = 'x';
  held.set_size(kBufferBytes);
  EXPECT_EQ(held.bytes().back(), 'x');
}

TEST(BufferPoolTest, AWaitEndsWithABufferThatAnotherThreadGivesBack) {
  BufferPool pool(kTenBuffers);
  auto quota = *pool.reserve("task", 1, 1);
  Buffer held = quota->try_take();
  std::thread waiting([&] { EXPECT_TRUE(quota->take()); });
  held = Buffer();
  waiting.join();
}

TEST(BufferPoolTest, CancelEndsAWaitWithNothing) {
  BufferPool pool(kTenBuffers);
  auto quota = *pool.reserve("task", 1, 1);
  Buffer held = quota->try_take();
  std::thread waiting([&] { EXPECT_FALSE(quota->take()); });
  quota->cancel();
  waiting.join();
  EXPECT_FALSE(quota->try_take());
}

TEST(BufferPoolTest, ThreadsThatPassCopiesOnLoseNoBuffer) {
  BufferPool pool(kTenBuffers);
  auto quota = *pool.reserve("task", 10, 10);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 2000; ++round) {
        Buffer buffer = quota->take();
        std::thread::id id = std::this_thread::get_id();
        std::memcpy(buffer.memory(), &id, sizeof(id));
        const Buffer copy = buffer;
        buffer = Buffer();
        EXPECT_EQ(std::memcmp(copy.bytes().data(), &id, sizeof(id)), 0);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(quota->in_use(), 0);
  quota.reset();
  EXPECT_EQ(pool.available(), 10);
}

}  // namespace
}  // namespace weir
