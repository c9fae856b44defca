#include "connectors/kafka/sink/transaction_pool.h"

#include <gtest/gtest.h>

#include <deque>

namespace weir::kafka {
namespace {

using State = TransactionPool::State;

// Takes the pool from nothing ready to one prepared transaction.
int run_one_transaction(TransactionPool& pool) {
  const std::optional<int> slot = pool.start_preparing();
  EXPECT_TRUE(slot.has_value());
  EXPECT_TRUE(pool.init_succeeded(*slot, 1));
  EXPECT_EQ(pool.open(), slot);
  return pool.prepare();
}

TEST(TransactionPoolTest, HoldsTheConcurrentCheckpointsAndThreeMore) {
  EXPECT_EQ(TransactionPool(1).capacity(), 4);
  EXPECT_EQ(TransactionPool(3).capacity(), 6);
}

TEST(TransactionPoolTest, MakesOneHandleReadyAtATime) {
  TransactionPool pool(1);
  EXPECT_EQ(pool.start_preparing(), 0);
  EXPECT_EQ(pool.start_preparing(), std::nullopt);
  EXPECT_EQ(pool.open(), std::nullopt);
  EXPECT_TRUE(pool.init_succeeded(0, 1));
  EXPECT_EQ(pool.start_preparing(), std::nullopt);
  EXPECT_EQ(pool.open(), 0);
  EXPECT_EQ(pool.start_preparing(), 1);  // while transaction 0 is written
}

TEST(TransactionPoolTest, WaitsForAReleaseWhenEveryIdAwaitsItsCommit) {
  TransactionPool pool(1);
  for (int slot = 0; slot < 4; ++slot) EXPECT_EQ(run_one_transaction(pool), slot);
  EXPECT_TRUE(pool.exhausted());
  EXPECT_EQ(pool.start_preparing(), std::nullopt);
  pool.release(2);
  EXPECT_FALSE(pool.exhausted());
  EXPECT_EQ(pool.state(2), State::kFree);
  EXPECT_EQ(pool.start_preparing(), 2);
}

TEST(TransactionPoolTest, AReleasedIdIsOpenedOnlyAfterAFreshInit) {
  TransactionPool pool(1);
  pool.release(run_one_transaction(pool));
  EXPECT_EQ(pool.open(), std::nullopt);
  EXPECT_EQ(pool.start_preparing(), 0);
  EXPECT_TRUE(pool.init_succeeded(0, 1));
  EXPECT_EQ(pool.open(), 0);
}

TEST(TransactionPoolTest, AnInitThatWasRepeatedRetiresTheIdAndANewNumberTakesItsPlace) {
  TransactionPool pool(1);
  EXPECT_EQ(pool.start_preparing(), 0);
  EXPECT_FALSE(pool.init_succeeded(0, 2));
  EXPECT_EQ(pool.open(), std::nullopt);
  EXPECT_EQ(pool.start_preparing(), 1);
  pool.init_failed(1);
  for (int slot = 2; slot < 6; ++slot) EXPECT_EQ(run_one_transaction(pool), slot);
  EXPECT_TRUE(pool.exhausted());
  EXPECT_EQ(pool.slot_count(), 6);
  EXPECT_EQ(pool.state(0), State::kRetired);
}

TEST(TransactionPoolTest, IdsDoNotGrowWithCheckpoints) {
  TransactionPool pool(1);
  std::deque<int> prepared;
  for (int checkpoint = 0; checkpoint < 1000; ++checkpoint) {
    prepared.push_back(run_one_transaction(pool));
    if (prepared.size() < 3) continue;
    pool.release(prepared.front());
    prepared.pop_front();
  }
  EXPECT_LE(pool.slot_count(), pool.capacity());
}

TEST(TransactionPoolDeathTest, ForbiddenStepsAbort) {
  TransactionPool pool(1);
  EXPECT_DEATH(pool.prepare(), "no transaction is open");
  EXPECT_DEATH(pool.release(0), "slot 0 of 0");
  const int slot = run_one_transaction(pool);
  pool.release(slot);
  EXPECT_DEATH(pool.release(slot), "is in state");
}

}  // namespace
}  // namespace weir::kafka
