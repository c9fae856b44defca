#include "jobmanager/checkpoint/adopt_savepoint.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

constexpr std::uint64_t kGeneration = 3;

pb::JobRecord record(std::int64_t checkpoint, std::int64_t savepoint) {
  pb::JobRecord record;
  record.set_generation(kGeneration);
  if (checkpoint > 0) record.add_checkpoints()->set_checkpoint_id(checkpoint);
  if (savepoint > 0) {
    record.add_savepoints()->set_checkpoint_id(savepoint);
    record.mutable_savepoints(0)->set_path("/savepoint");
  }
  return record;
}

// The recovery point afterwards; 0: none.
std::int64_t adopted(pb::JobRecord record, std::optional<std::uint64_t> generation) {
  adopt_last_savepoint(record, [&](const std::string& path) {
    EXPECT_EQ(path, "/savepoint");
    return generation;
  });
  const int count = record.checkpoints_size();
  return count == 0 ? 0 : record.checkpoints(count - 1).checkpoint_id();
}

TEST(AdoptSavepointTest, ANewerSavepointOfTheLastAttemptBecomesTheRecoveryPoint) {
  EXPECT_EQ(adopted(record(5, 6), kGeneration), 6);
  EXPECT_EQ(adopted(record(0, 1), kGeneration), 1);
}

TEST(AdoptSavepointTest, AnOlderOneAndOneOfAnEarlierAttemptAreLeftAlone) {
  EXPECT_EQ(adopted(record(7, 6), kGeneration), 7);
  EXPECT_EQ(adopted(record(6, 6), kGeneration), 6);
  EXPECT_EQ(adopted(record(5, 6), kGeneration - 1), 5);
}

TEST(AdoptSavepointTest, OneThatTheUserHasDeletedIsPassedOver) {
  EXPECT_EQ(adopted(record(5, 6), std::nullopt), 5);
  EXPECT_EQ(adopted(record(5, 0), kGeneration), 5);
}

}  // namespace
}  // namespace weir
