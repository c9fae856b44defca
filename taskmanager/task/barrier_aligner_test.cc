#include "taskmanager/task/barrier_aligner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Mode = BarrierAligner::Mode;

constexpr CheckpointId k1(1);
constexpr CheckpointId k2(2);
constexpr CheckpointId k3(3);

TEST(BarrierAlignerTest, OneChannelTakesEachBarrierAtOnce) {
  BarrierAligner aligner(1, Mode::kExactlyOnce);
  EXPECT_EQ(aligner.on_barrier(0, k1).taken, k1);
  EXPECT_FALSE(aligner.blocked(0));
  EXPECT_EQ(aligner.on_barrier(0, k2).taken, k2);
}

TEST(BarrierAlignerTest, ExactlyOnceBlocksChannelsUntilAllBarriersHaveCome) {
  BarrierAligner aligner(3, Mode::kExactlyOnce);
  EXPECT_EQ(aligner.on_barrier(1, k1).taken, std::nullopt);
  EXPECT_TRUE(aligner.blocked(1));
  EXPECT_EQ(aligner.on_barrier(0, k1).taken, std::nullopt);
  EXPECT_FALSE(aligner.blocked(2));
  const auto decision = aligner.on_barrier(2, k1);
  EXPECT_EQ(decision.taken, k1);
  EXPECT_THAT(decision.unblocked, ElementsAre(0, 1));
  EXPECT_FALSE(aligner.blocked(0) || aligner.blocked(1) || aligner.blocked(2));
}

TEST(BarrierAlignerTest, AtLeastOnceBlocksNothing) {
  BarrierAligner aligner(2, Mode::kAtLeastOnce);
  aligner.on_barrier(0, k1);
  EXPECT_FALSE(aligner.blocked(0));
  aligner.on_barrier(0, k2);
  EXPECT_EQ(aligner.on_barrier(1, k1).taken, k1);
  EXPECT_EQ(aligner.on_barrier(1, k2).taken, k2);
}

TEST(BarrierAlignerTest, ANewerBarrierAbortsTheOneThatAligns) {
  BarrierAligner aligner(2, Mode::kExactlyOnce);
  aligner.on_barrier(0, k1);
  const auto decision = aligner.on_barrier(1, k2);
  EXPECT_THAT(decision.aborted, ElementsAre(k1));
  EXPECT_THAT(decision.unblocked, ElementsAre(0));
  EXPECT_TRUE(aligner.blocked(1));
  EXPECT_EQ(aligner.on_barrier(0, k2).taken, k2);
}

TEST(BarrierAlignerTest, ABarrierThatAnotherChannelHasSkippedIsNeverTaken) {
  for (const Mode mode : {Mode::kExactlyOnce, Mode::kAtLeastOnce}) {
    BarrierAligner aligner(2, mode);
    aligner.on_barrier(0, k2);
    const auto decision = aligner.on_barrier(1, k1);
    EXPECT_THAT(decision.aborted, ElementsAre(k1));
    EXPECT_EQ(decision.taken, std::nullopt);
    EXPECT_FALSE(aligner.blocked(1));
    EXPECT_EQ(aligner.on_barrier(1, k2).taken, k2);
  }
}

TEST(BarrierAlignerTest, AnAbortUnblocksAndLateBarriersOfItAreIgnored) {
  BarrierAligner aligner(2, Mode::kExactlyOnce);
  aligner.on_barrier(0, k1);
  const auto decision = aligner.on_abort(k1);
  EXPECT_THAT(decision.aborted, ElementsAre(k1));
  EXPECT_THAT(decision.unblocked, ElementsAre(0));
  EXPECT_EQ(aligner.on_barrier(1, k1).taken, std::nullopt);
  EXPECT_FALSE(aligner.blocked(1));
  aligner.on_barrier(0, k2);
  EXPECT_EQ(aligner.on_barrier(1, k2).taken, k2);
}

TEST(BarrierAlignerTest, AnAbortMayComeBeforeTheBarriers) {
  BarrierAligner aligner(2, Mode::kExactlyOnce);
  EXPECT_THAT(aligner.on_abort(k2).aborted, ElementsAre(k2));
  EXPECT_THAT(aligner.on_abort(k2).aborted, IsEmpty());
  aligner.on_barrier(0, k1);
  EXPECT_EQ(aligner.on_barrier(1, k1).taken, k1);
  aligner.on_barrier(0, k2);
  EXPECT_FALSE(aligner.blocked(0));
  EXPECT_EQ(aligner.on_barrier(1, k2).taken, std::nullopt);
}

TEST(BarrierAlignerTest, AnAbortOfWhatIsTakenIsIgnored) {
  BarrierAligner aligner(1, Mode::kExactlyOnce);
  aligner.on_barrier(0, k1);
  EXPECT_THAT(aligner.on_abort(k1).aborted, IsEmpty());
}

TEST(BarrierAlignerTest, TheEndOfAChannelCompletesWhatWaitedForItAlone) {
  BarrierAligner aligner(2, Mode::kExactlyOnce);
  aligner.on_barrier(0, k1);
  const auto decision = aligner.on_end_of_channel(1);
  EXPECT_EQ(decision.taken, k1);
  EXPECT_THAT(decision.unblocked, ElementsAre(0));
  EXPECT_EQ(aligner.on_barrier(0, k2).taken, k2);
}

TEST(BarrierAlignerTest, OfSeveralCompletedByAnEndTheNewestIsTaken) {
  BarrierAligner aligner(2, Mode::kAtLeastOnce);
  aligner.on_barrier(0, k1);
  aligner.on_barrier(0, k2);
  const auto decision = aligner.on_end_of_channel(1);
  EXPECT_THAT(decision.aborted, ElementsAre(k1));
  EXPECT_EQ(decision.taken, k2);
  EXPECT_EQ(aligner.on_barrier(0, k3).taken, k3);
}

}  // namespace
}  // namespace weir
