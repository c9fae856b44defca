#include "jobmanager/checkpoint/transaction_age.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::IsEmpty;

OldestPrepared since(int64_t ms) {
  return {ms, "t0-7", "out", 7};
}

TEST(TransactionAgeTest, SaysNothingBeforeHalfOfTheTimeout) {
  TransactionAge age;
  age.set_timeout("out", seconds(60));
  EXPECT_THAT(age.check(since(1'000), true, 30'999).warning, IsEmpty());
  EXPECT_FALSE(age.check(since(1'000), true, 30'999).checkpoint);
  EXPECT_THAT(age.check(std::nullopt, true, 90'000).warning, IsEmpty());
}

TEST(TransactionAgeTest, FromHalfOfTheTimeoutOnItWarnsAndAsksForACheckpoint) {
  TransactionAge age;
  age.set_timeout("out", seconds(60));
  const auto verdict = age.check(since(1'000), true, 31'000);
  EXPECT_TRUE(verdict.checkpoint);
  EXPECT_THAT(verdict.warning, HasSubstr("transaction t0-7 of sink 'out', checkpoint 7"));
  EXPECT_THAT(verdict.warning, HasSubstr("prepared at 1970-01-01 00:00:01 UTC"));
  EXPECT_THAT(verdict.warning, HasSubstr("lost at 1970-01-01 00:01:01 UTC"));
  EXPECT_THAT(verdict.warning, HasSubstr("60000 ms"));
  EXPECT_EQ(age.check(since(1'000), true, 35'000).warning, verdict.warning);
}

TEST(TransactionAgeTest, BeginsAndEndsOnceHoweverManyTransactionsAreLate) {
  TransactionAge age;
  age.set_timeout("out", seconds(60));
  EXPECT_FALSE(age.check(since(0), true, 29'999).begins);
  EXPECT_TRUE(age.check(since(0), true, 30'000).begins);
  const auto next = age.check(OldestPrepared{1'000, "t1-8", "out", 8}, true, 31'000);
  EXPECT_THAT(next.warning, HasSubstr("t1-8"));
  EXPECT_FALSE(next.begins || next.ends);
  EXPECT_TRUE(age.check(std::nullopt, true, 32'000).ends);
  EXPECT_FALSE(age.check(std::nullopt, true, 33'000).ends);
  EXPECT_TRUE(age.check(since(30'000), true, 70'000).begins);
}

TEST(TransactionAgeTest, SaysSoIfNoCheckpointCarriesItYet) {
  TransactionAge age;
  age.set_timeout("out", seconds(60));
  EXPECT_THAT(age.check(OldestPrepared{0}, true, 40'000).warning,
              HasSubstr("what no completed checkpoint carries yet, prepared at 1970-01-01"));
}

TEST(TransactionAgeTest, AsksForNoCheckpointWhileOneIsUnderWayOrWasJustTaken) {
  TransactionAge age;
  age.set_timeout("out", seconds(80));
  EXPECT_FALSE(age.check(since(0), false, 40'000).checkpoint);
  EXPECT_TRUE(age.check(since(0), true, 41'000).checkpoint);
  EXPECT_FALSE(age.check(since(0), true, 50'999).checkpoint);
  EXPECT_TRUE(age.check(since(0), true, 51'000).checkpoint);
}

TEST(TransactionAgeTest, TheSmallestTimeoutOfAllSinksCounts) {
  TransactionAge age;
  EXPECT_EQ(age.timeout(), std::nullopt);
  EXPECT_THAT(age.check(since(0), true, 1'000'000).warning, IsEmpty());
  age.set_timeout("a", minutes(15));
  age.set_timeout("b", minutes(1));
  age.set_timeout("c", seconds(0));  // never runs out
  EXPECT_EQ(age.timeout(), minutes(1));
  EXPECT_EQ(age.check_interval(), milliseconds(3750));
  age.set_timeout("b", minutes(20));
  EXPECT_EQ(age.timeout(), minutes(15));
  EXPECT_EQ(age.check_interval(), seconds(5));
}

}  // namespace
}  // namespace weir
