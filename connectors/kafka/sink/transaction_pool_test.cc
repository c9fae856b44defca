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

TEST(TransactionPoolTest, MakesOneHandleReadyAtATime) {
  TransactionPool pool;
  EXPECT_EQ(pool.start_preparing(), 0);
  EXPECT_EQ(pool.start_preparing(), std::nullopt);
  EXPECT_EQ(pool.open(), std::nullopt);
  EXPECT_TRUE(pool.init_succeeded(0, 1));
  EXPECT_EQ(pool.start_preparing(), std::nullopt);
  EXPECT_EQ(pool.open(), 0);
  EXPECT_EQ(pool.start_preparing(), 1);  // while transaction 0 is written
}

TEST(TransactionPoolTest, TakesANewNumberOnlyWhenNoneIsFree) {
  TransactionPool pool;
  for (int slot = 0; slot < 10; ++slot) EXPECT_EQ(run_one_transaction(pool), slot);
  pool.release(2);
  EXPECT_EQ(pool.state(2), State::kFree);
  EXPECT_EQ(run_one_transaction(pool), 2);
  EXPECT_EQ(run_one_transaction(pool), 10);
}

TEST(TransactionPoolTest, AReleasedIdIsOpenedOnlyAfterAFreshInit) {
  TransactionPool pool;
  pool.release(run_one_transaction(pool));
  EXPECT_EQ(pool.open(), std::nullopt);
  EXPECT_EQ(pool.start_preparing(), 0);
  EXPECT_TRUE(pool.init_succeeded(0, 1));
  EXPECT_EQ(pool.open(), 0);
}

TEST(TransactionPoolTest, AnInitThatWasRepeatedRetiresTheIdAndANewNumberTakesItsPlace) {
  TransactionPool pool;
  EXPECT_EQ(pool.start_preparing(), 0);
  EXPECT_FALSE(pool.init_succeeded(0, 2));
  EXPECT_EQ(pool.open(), std::nullopt);
  EXPECT_EQ(pool.start_preparing(), 1);
  pool.init_failed(1);
  for (int slot = 2; slot < 6; ++slot) EXPECT_EQ(run_one_transaction(pool), slot);
  EXPECT_EQ(pool.slot_count(), 6);
  EXPECT_EQ(pool.state(0), State::kRetired);
}

TEST(TransactionPoolTest, IdsDoNotGrowWithCheckpoints) {
  TransactionPool pool;
  std::deque<int> prepared;
  for (int checkpoint = 0; checkpoint < 1000; ++checkpoint) {
    prepared.push_back(run_one_transaction(pool));
    if (prepared.size() < 3) continue;
    pool.release(prepared.front());
    prepared.pop_front();
  }
  EXPECT_EQ(pool.slot_count(), 3);
}

TEST(TransactionPoolDeathTest, ForbiddenStepsAbort) {
  TransactionPool pool;
  EXPECT_DEATH(pool.prepare(), "no transaction is open");
  EXPECT_DEATH(pool.release(0), "slot 0 of 0");
  const int slot = run_one_transaction(pool);
  pool.release(slot);
  EXPECT_DEATH(pool.release(slot), "is in state");
}

}  // namespace
}  // namespace weir::kafka
