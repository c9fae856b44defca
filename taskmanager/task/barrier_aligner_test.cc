#include "taskmanager/task/barrier_aligner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Channel = BarrierAligner::Channel;
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

TEST(BarrierAlignerTest, TheFirstBarrierAheadOfRecordsTakesTheSnapshot) {
  BarrierAligner aligner(3, Mode::kExactlyOnce);
  const auto first = aligner.on_barrier(1, k1, true);
  EXPECT_TRUE(first.accepted && first.unaligned);
  EXPECT_EQ(first.taken, k1);
  EXPECT_EQ(first.recorded, std::nullopt);
  EXPECT_TRUE(aligner.records(0) && !aligner.records(1) && aligner.records(2));
  EXPECT_FALSE(aligner.blocked(0) || aligner.blocked(1) || aligner.blocked(2));
  EXPECT_EQ(aligner.on_barrier(0, k1, true).recorded, std::nullopt);
  EXPECT_FALSE(aligner.records(0));
  EXPECT_EQ(aligner.on_barrier(2, k1).recorded, k1);
}

TEST(BarrierAlignerTest, ABarrierAheadOnTheLastChannelLeavesNothingToRecordAfterwards) {
  BarrierAligner aligner(2, Mode::kExactlyOnce);
  aligner.on_barrier(0, k1);
  const auto last = aligner.on_barrier(1, k1, true);
  EXPECT_EQ(last.taken, k1);
  EXPECT_TRUE(last.unaligned);
  EXPECT_EQ(last.recorded, k1);
  EXPECT_THAT(last.unblocked, ElementsAre(0, 1));
}

TEST(BarrierAlignerTest, ATimeoutEndsTheAlignment) {
  BarrierAligner aligner(2, Mode::kExactlyOnce);
  aligner.on_barrier(0, k1);
  const auto decision = aligner.on_timeout(k1);
  EXPECT_EQ(decision.taken, k1);
  EXPECT_TRUE(decision.unaligned);
  EXPECT_THAT(decision.unblocked, ElementsAre(0));
  EXPECT_TRUE(aligner.records(1));
  EXPECT_EQ(aligner.on_timeout(k1).taken, std::nullopt);
}

TEST(BarrierAlignerTest, ABarrierThatIsSentAheadAfterItCameIsATimeout) {
  BarrierAligner aligner(2, Mode::kExactlyOnce);
  aligner.on_barrier(0, k1);
  const auto again = aligner.on_barrier(0, k1, true);
  EXPECT_FALSE(again.accepted);
  EXPECT_EQ(again.taken, k1);
  EXPECT_TRUE(again.unaligned);
}

TEST(BarrierAlignerTest, ChannelsThatKeepTheirOrderAreWaitedForWhileTheOthersAreBlocked) {
  BarrierAligner aligner({Channel::kOvertakable, Channel::kInOrder, Channel::kOvertakable},
                         Mode::kExactlyOnce);
  EXPECT_EQ(aligner.on_barrier(0, k1, true).taken, std::nullopt);
  EXPECT_TRUE(aligner.blocked(0));
  const auto decision = aligner.on_barrier(1, k1);
  EXPECT_EQ(decision.taken, k1);
  EXPECT_TRUE(decision.unaligned);
  EXPECT_THAT(decision.unblocked, ElementsAre(0));
  EXPECT_TRUE(aligner.records(2));
}

TEST(BarrierAlignerTest, ANewerBarrierGivesUpWhatIsBeingRecorded) {
  BarrierAligner aligner(2, Mode::kExactlyOnce);
  aligner.on_barrier(0, k1, true);
  const auto decision = aligner.on_barrier(0, k2, true);
  EXPECT_THAT(decision.aborted, ElementsAre(k1));
  EXPECT_EQ(decision.taken, k2);
  EXPECT_FALSE(aligner.on_barrier(1, k1).accepted);
  EXPECT_EQ(aligner.on_barrier(1, k2).recorded, k2);
}

TEST(BarrierAlignerTest, AnOlderBarrierThatWasOvertakenIsIgnored) {
  BarrierAligner aligner(1, Mode::kExactlyOnce);
  EXPECT_EQ(aligner.on_barrier(0, k2, true).taken, k2);
  EXPECT_FALSE(aligner.on_barrier(0, k1).accepted);
  EXPECT_FALSE(aligner.blocked(0));
}

TEST(BarrierAlignerTest, AnAbortEndsTheRecording) {
  BarrierAligner aligner(2, Mode::kExactlyOnce);
  aligner.on_barrier(0, k1, true);
  EXPECT_THAT(aligner.on_abort(k1).aborted, ElementsAre(k1));
  EXPECT_FALSE(aligner.records(1));
  EXPECT_FALSE(aligner.on_barrier(1, k1).accepted);
}

TEST(BarrierAlignerTest, TheEndOfTheLastMissingChannelEndsTheRecording) {
  BarrierAligner aligner(2, Mode::kExactlyOnce);
  aligner.on_barrier(0, k1, true);
  EXPECT_EQ(aligner.on_end_of_channel(1).recorded, k1);
}

}  // namespace
}  // namespace weir
