#include "jobmanager/checkpoint/checkpoint_coordinator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/check.h"
#include "common/status_matchers.h"
#include "jobmanager/metadata/fake_metadata_store.h"

namespace weir {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

template <typename Decision>
std::vector<Decision> only(const CheckpointDecisions& decisions) {
  std::vector<Decision> found;
  for (const auto& decision : decisions) {
    if (const auto* match = std::get_if<Decision>(&decision)) found.push_back(*match);
  }
  return found;
}

template <typename Decision>
bool has(const CheckpointDecisions& decisions) {
  return !only<Decision>(decisions).empty();
}

class CheckpointCoordinatorTest : public testing::Test {
 protected:
  void make(CheckpointOptions options) {
    coordinator_.emplace(options, CheckpointId(1), CheckpointId(1000));
  }
  CheckpointDecisions start(bool trigger_now = false) {
    return coordinator_->start(attempt_, tasks_, {"lines"}, trigger_now, now_);
  }
  CheckpointDecisions ack_task(int64_t id, TaskIndex task) {
    return coordinator_->on_task_acknowledged(attempt_, task, CheckpointId(id),
                                              {pb::OperatorState()}, now_);
  }
  // The decisions of the last acknowledgement.
  CheckpointDecisions ack_all(int64_t id) {
    for (TaskIndex task : tasks_) ack_task(id, task);
    return coordinator_->on_coordinator_acknowledged(attempt_, "lines", CheckpointId(id), "s",
                                                     now_);
  }
  // A permit the only way there is: by publishing to a store.
  CommitPermit permit(int64_t id) {
    FakeMetadataStore store;
    pb::JobRecord record;
    record.add_checkpoints()->set_checkpoint_id(id);
    absl::StatusOr<CommitPermit::Published> published = CommitPermit::publish(store, {}, record);
    WEIR_CHECK(published.ok());
    return published->permit;
  }
  CheckpointDecisions published(int64_t id) {
    return coordinator_->on_publication(CheckpointId(id), permit(id), now_);
  }
  CheckpointDecisions at(std::chrono::nanoseconds later) {
    now_ += later;
    return coordinator_->on_time(now_);
  }

  const CheckpointOptions every_second_{.interval = seconds(1), .timeout = seconds(10)};
  const std::vector<TaskIndex> tasks_{{0, 0}, {0, 1}};
  const Attempt attempt_{3};
  MonotonicTime now_{std::chrono::hours(1)};
  std::optional<CheckpointCoordinator> coordinator_;
};

TEST_F(CheckpointCoordinatorTest, IsTriggeredEveryInterval) {
  make(every_second_);
  EXPECT_FALSE(has<TriggerDecision>(start()));
  EXPECT_EQ(coordinator_->next_wakeup(), now_ + seconds(1));
  EXPECT_FALSE(has<TriggerDecision>(at(milliseconds(999))));
  const auto triggered = only<TriggerDecision>(at(milliseconds(1)));
  ASSERT_EQ(triggered.size(), 1u);
  EXPECT_EQ(triggered[0].checkpoint, CheckpointId(1));
  ack_all(1);
  published(1);
  EXPECT_EQ(only<TriggerDecision>(at(seconds(1))).at(0).checkpoint, CheckpointId(2));
}

TEST_F(CheckpointCoordinatorTest, OneIsTriggeredAtOnceAfterARestore) {
  make(every_second_);
  EXPECT_TRUE(has<TriggerDecision>(start(true)));
}

TEST_F(CheckpointCoordinatorTest, WithoutAnIntervalOnlyOnDemand) {
  make({});
  EXPECT_FALSE(has<TriggerDecision>(start(true)));
  EXPECT_EQ(coordinator_->next_wakeup(), std::nullopt);
  CheckpointDecisions decisions;
  ASSERT_TRUE(coordinator_->request(CheckpointKind::kCheckpoint, "", now_, decisions).ok());
  EXPECT_TRUE(has<TriggerDecision>(decisions));
}

TEST_F(CheckpointCoordinatorTest, IsPublishedWhenAllTasksAndCoordinatorsAcknowledged) {
  make(every_second_);
  start(true);
  EXPECT_TRUE(ack_task(1, {0, 0}).empty());
  EXPECT_TRUE(ack_task(1, {0, 1}).empty());
  const auto publish = only<PublishDecision>(
      coordinator_->on_coordinator_acknowledged(attempt_, "lines", CheckpointId(1), "s", now_));
  ASSERT_EQ(publish.size(), 1u);
  EXPECT_EQ(publish[0].operators.size(), 2u);
  EXPECT_EQ(publish[0].coordinators.size(), 1u);
}

TEST_F(CheckpointCoordinatorTest, SinksAreNotifiedOnlyAfterThePublication) {
  make(every_second_);
  start(true);
  EXPECT_FALSE(has<NotifyDecision>(ack_all(1)));
  const auto decisions = published(1);
  ASSERT_EQ(only<NotifyDecision>(decisions).size(), 1u);
  EXPECT_EQ(only<NotifyDecision>(decisions)[0].permit.checkpoint(), CheckpointId(1));
  EXPECT_TRUE(has<CompletedDecision>(decisions));
}

TEST_F(CheckpointCoordinatorTest, DuplicateUnknownAndForeignAcknowledgementsChangeNothing) {
  make(every_second_);
  start(true);
  ack_task(1, {0, 0});
  EXPECT_TRUE(ack_task(1, {0, 0}).empty());
  EXPECT_TRUE(ack_task(9, {0, 1}).empty());
  EXPECT_TRUE(ack_task(1, {7, 1}).empty());
  EXPECT_TRUE(
      coordinator_->on_task_acknowledged(Attempt(2), {0, 1}, CheckpointId(1), {}, now_).empty());
  EXPECT_EQ(coordinator_->tasks_missing(CheckpointId(1)), (std::vector<TaskIndex>{{0, 1}}));
}

TEST_F(CheckpointCoordinatorTest, ADeclinedOneIsAbortedAndCountsAsAFailure) {
  make(every_second_);
  start(true);
  const auto decisions =
      coordinator_->on_declined(attempt_, {0, 0}, CheckpointId(1), "flush failed", now_);
  EXPECT_TRUE(has<AbortDecision>(decisions));
  ASSERT_TRUE(has<FailAttemptDecision>(decisions));
  EXPECT_THAT(only<FailAttemptDecision>(decisions)[0].cause, testing::HasSubstr("flush failed"));
  EXPECT_FALSE(has<PublishDecision>(ack_all(1)));
}

TEST_F(CheckpointCoordinatorTest, OnlyConsecutiveFailuresAddUp) {
  CheckpointOptions options = every_second_;
  options.tolerable_failures = 1;
  make(options);
  start(true);
  EXPECT_FALSE(has<FailAttemptDecision>(
      coordinator_->on_declined(attempt_, {0, 0}, CheckpointId(1), "x", now_)));
  at(seconds(1));
  ack_all(2);
  published(2);
  at(seconds(1));
  EXPECT_FALSE(has<FailAttemptDecision>(
      coordinator_->on_declined(attempt_, {0, 0}, CheckpointId(3), "x", now_)));
  at(seconds(1));
  EXPECT_TRUE(has<FailAttemptDecision>(
      coordinator_->on_declined(attempt_, {0, 0}, CheckpointId(4), "x", now_)));
}

TEST_F(CheckpointCoordinatorTest, ExpiresAfterTheTimeoutAndLateAcknowledgementsAreIgnored) {
  CheckpointOptions options = every_second_;
  options.tolerable_failures = 5;
  make(options);
  start(true);
  const auto decisions = at(seconds(10));
  EXPECT_THAT(only<AbortDecision>(decisions).at(0).cause, testing::HasSubstr("expired"));
  EXPECT_FALSE(has<PublishDecision>(ack_all(1)));
}

TEST_F(CheckpointCoordinatorTest, NoMoreThanMaxConcurrentAreUnderWay) {
  make(every_second_);
  start(true);
  EXPECT_FALSE(has<TriggerDecision>(at(seconds(3))));
  ack_all(1);
  EXPECT_FALSE(has<TriggerDecision>(at(seconds(1))));  // still being published
  EXPECT_TRUE(has<TriggerDecision>(published(1)));     // overdue
}

TEST_F(CheckpointCoordinatorTest, NothingIsTriggeredWhileAnUnalignedOneIsntAcknowledged) {
  make({.interval = seconds(1), .unaligned = true});
  start();
  ASSERT_TRUE(has<TriggerDecision>(at(seconds(1))));
  CheckpointDecisions decisions;
  ASSERT_TRUE(coordinator_->request(CheckpointKind::kSavepoint, "/s", now_, decisions).ok());
  EXPECT_FALSE(has<TriggerDecision>(decisions));
  ack_all(1);
  const auto triggered = only<TriggerDecision>(published(1));
  ASSERT_EQ(triggered.size(), 1u);
  EXPECT_EQ(triggered[0].kind, CheckpointKind::kSavepoint);
}

TEST_F(CheckpointCoordinatorTest, TheMinimumPauseCountsFromTheCompletion) {
  CheckpointOptions options = every_second_;
  options.min_pause = milliseconds(700);
  make(options);
  start(true);
  ack_all(1);
  now_ += milliseconds(900);
  published(1);
  EXPECT_FALSE(has<TriggerDecision>(at(milliseconds(699))));
  EXPECT_TRUE(has<TriggerDecision>(at(milliseconds(1))));
}

TEST_F(CheckpointCoordinatorTest, ACompletedOneDropsOlderPendingOnes) {
  CheckpointOptions options = every_second_;
  options.max_concurrent = 2;
  make(options);
  start(true);
  at(seconds(1));
  ack_all(2);
  const auto decisions = published(2);
  ASSERT_EQ(only<AbortDecision>(decisions).size(), 1u);
  EXPECT_EQ(only<AbortDecision>(decisions)[0].checkpoint, CheckpointId(1));
  EXPECT_FALSE(has<FailAttemptDecision>(decisions));
}

TEST_F(CheckpointCoordinatorTest, RecoveryPointsArePublishedOneAfterTheOther) {
  CheckpointOptions options = every_second_;
  options.max_concurrent = 2;
  make(options);
  start(true);
  at(seconds(1));
  EXPECT_TRUE(has<PublishDecision>(ack_all(1)));
  EXPECT_FALSE(has<PublishDecision>(ack_all(2)));
  EXPECT_EQ(only<PublishDecision>(published(1)).at(0).checkpoint, CheckpointId(2));
}

TEST_F(CheckpointCoordinatorTest, APlainSavepointNotifiesNobodyAndDropsNothing) {
  make(every_second_);
  start(true);
  CheckpointDecisions decisions;
  const auto id = coordinator_->request(CheckpointKind::kSavepoint, "/s", now_, decisions);
  ASSERT_EQ(*id, CheckpointId(2));
  EXPECT_TRUE(has<TriggerDecision>(decisions));
  EXPECT_EQ(only<PublishDecision>(ack_all(2)).at(0).directory, "/s");
  decisions = coordinator_->on_publication(*id, SavepointWritten{}, now_);
  EXPECT_TRUE(has<CompletedDecision>(decisions));
  EXPECT_FALSE(has<NotifyDecision>(decisions));
  EXPECT_FALSE(has<AbortDecision>(decisions));
}

TEST_F(CheckpointCoordinatorTest, AFailedSavepointDoesNotFailTheJob) {
  make({});
  start();
  CheckpointDecisions decisions;
  ASSERT_TRUE(coordinator_->request(CheckpointKind::kSavepoint, "/s", now_, decisions).ok());
  ack_all(1);
  decisions = coordinator_->on_publication(CheckpointId(1), PublicationFailed{"full"}, now_);
  EXPECT_TRUE(has<AbortDecision>(decisions));
  EXPECT_FALSE(has<FailAttemptDecision>(decisions));
}

TEST_F(CheckpointCoordinatorTest, AFailedStopFailsTheAttemptBecauseItsSourcesHaveStopped) {
  CheckpointOptions options = every_second_;
  options.tolerable_failures = 5;
  make(options);
  start();
  CheckpointDecisions decisions;
  ASSERT_TRUE(coordinator_->request(CheckpointKind::kStopSavepoint, "", now_, decisions).ok());
  EXPECT_FALSE(coordinator_->request(CheckpointKind::kSavepoint, "", now_, decisions).ok());
  EXPECT_FALSE(has<TriggerDecision>(at(seconds(2))));  // nothing behind the last one
  EXPECT_TRUE(has<FailAttemptDecision>(
      coordinator_->on_declined(attempt_, {0, 0}, CheckpointId(1), "x", now_)));
}

TEST_F(CheckpointCoordinatorTest, AFinalOneIsTriedAgainWhileFailuresAreTolerated) {
  make({.tolerable_failures = 1});
  start();
  CheckpointDecisions decisions;
  ASSERT_TRUE(coordinator_->request(CheckpointKind::kFinal, "", now_, decisions).ok());
  decisions = coordinator_->on_declined(attempt_, {0, 0}, CheckpointId(1), "x", now_);
  EXPECT_EQ(only<TriggerDecision>(decisions).at(0).checkpoint, CheckpointId(2));
  decisions = coordinator_->on_declined(attempt_, {0, 0}, CheckpointId(2), "x", now_);
  EXPECT_TRUE(has<FailAttemptDecision>(decisions));
}

TEST_F(CheckpointCoordinatorTest, AnUnknownOutcomeStaysOpenUntilItIsReadBack) {
  make(every_second_);
  start(true);
  ack_all(1);
  EXPECT_TRUE(coordinator_->on_publication(CheckpointId(1), PublicationUnknown{}, now_).empty());
  EXPECT_TRUE(coordinator_->publishing());
  EXPECT_TRUE(has<NotifyDecision>(published(1)));
  EXPECT_FALSE(coordinator_->publishing());
}

TEST_F(CheckpointCoordinatorTest, APublicationThatOutlivesItsAttemptNotifiesNobody) {
  make(every_second_);
  start(true);
  ack_all(1);
  coordinator_->stop("failure");
  const auto decisions = published(1);
  EXPECT_FALSE(has<NotifyDecision>(decisions));
  EXPECT_TRUE(has<CompletedDecision>(decisions));
}

TEST_F(CheckpointCoordinatorTest, StoppingAbortsWhatIsPendingAndIdsAreNeverUsedAgain) {
  make(every_second_);
  start(true);
  EXPECT_EQ(only<AbortDecision>(coordinator_->stop("failure")).at(0).checkpoint, CheckpointId(1));
  EXPECT_EQ(only<TriggerDecision>(start(true)).at(0).checkpoint, CheckpointId(2));
}

TEST_F(CheckpointCoordinatorTest, NoIdIsUsedThatIsNotReservedDurably) {
  coordinator_.emplace(every_second_, CheckpointId(7), CheckpointId(7));
  const auto decisions = start(true);
  EXPECT_FALSE(has<TriggerDecision>(decisions));
  const auto reserve = only<ReserveIdsDecision>(decisions);
  ASSERT_EQ(reserve.size(), 1u);
  const auto after = coordinator_->on_ids_reserved(reserve[0].end, now_);
  EXPECT_EQ(only<TriggerDecision>(after).at(0).checkpoint, CheckpointId(7));
}

TEST_F(CheckpointCoordinatorTest, ARescaleIsARecoveryPointWhoseFailureHarmsNothing) {
  make(every_second_);
  start();
  CheckpointDecisions decisions;
  ASSERT_THAT(coordinator_->request(CheckpointKind::kRescale, "", now_, decisions), IsOk());
  ASSERT_TRUE(has<TriggerDecision>(decisions));
  decisions = coordinator_->on_declined(attempt_, {0, 1}, CheckpointId(1), "disk full", now_);
  EXPECT_EQ(only<AbortDecision>(decisions)[0].kind, CheckpointKind::kRescale);
  EXPECT_FALSE(has<FailAttemptDecision>(decisions));

  ASSERT_THAT(coordinator_->request(CheckpointKind::kRescale, "", now_, decisions), IsOk());
  EXPECT_TRUE(has<PublishDecision>(ack_all(2)));
  decisions = published(2);
  EXPECT_TRUE(has<NotifyDecision>(decisions));
  EXPECT_EQ(only<CompletedDecision>(decisions)[0].kind, CheckpointKind::kRescale);
}

TEST_F(CheckpointCoordinatorTest, ARescaleThatALaterCheckpointOvertakesIsGivenUp) {
  make({.max_concurrent = 2});
  start();
  CheckpointDecisions decisions;
  ASSERT_THAT(coordinator_->request(CheckpointKind::kRescale, "", now_, decisions), IsOk());
  ASSERT_THAT(coordinator_->request(CheckpointKind::kCheckpoint, "", now_, decisions), IsOk());
  ack_all(2);
  decisions = published(2);
  ASSERT_EQ(only<AbortDecision>(decisions).size(), 1u);
  EXPECT_EQ(only<AbortDecision>(decisions)[0].checkpoint, CheckpointId(1));
}

// Its manifest would say that it was taken at the new parallelism.
TEST_F(CheckpointCoordinatorTest, BehindARescaleNothingMoreOfTheAttemptIsPublishedOrTriggered) {
  make(every_second_);
  start();
  CheckpointDecisions decisions;
  ASSERT_THAT(coordinator_->request(CheckpointKind::kRescale, "", now_, decisions), IsOk());
  ASSERT_TRUE(has<PublishDecision>(ack_all(1)));
  ASSERT_TRUE(has<TriggerDecision>(at(seconds(1))));
  EXPECT_FALSE(has<PublishDecision>(ack_all(2)));
  now_ += seconds(1);
  decisions = published(1);
  EXPECT_TRUE(has<CompletedDecision>(decisions));
  EXPECT_FALSE(has<PublishDecision>(decisions));
  EXPECT_FALSE(has<TriggerDecision>(decisions));
  EXPECT_TRUE(has<AbortDecision>(coordinator_->stop("the attempt ends")));
}

TEST_F(CheckpointCoordinatorTest, WhatCompletesWhileSomeTasksRestartIsNotifiedToTheOthers) {
  make(every_second_);
  start(true);
  ASSERT_TRUE(has<PublishDecision>(ack_all(1)));
  EXPECT_FALSE(has<FailAttemptDecision>(coordinator_->stop("a region restarts", true)));
  CheckpointDecisions decisions = published(1);
  EXPECT_TRUE(has<NotifyDecision>(decisions));
  EXPECT_FALSE(has<TriggerDecision>(decisions));
}

TEST_F(CheckpointCoordinatorTest, AStopThatARestartOfSomeTasksInterruptsRestartsAll) {
  make(every_second_);
  start();
  CheckpointDecisions decisions;
  ASSERT_THAT(coordinator_->request(CheckpointKind::kStopSavepoint, "", now_, decisions), IsOk());
  decisions = coordinator_->stop("a region restarts", true);
  EXPECT_TRUE(has<AbortDecision>(decisions));
  EXPECT_TRUE(has<FailAttemptDecision>(decisions));
}

TEST_F(CheckpointCoordinatorTest, AStopThatIsNotPublishedWhileSomeTasksRestartRestartsAll) {
  make(every_second_);
  start();
  CheckpointDecisions decisions;
  ASSERT_THAT(coordinator_->request(CheckpointKind::kStopSavepoint, "", now_, decisions), IsOk());
  ack_all(1);
  coordinator_->stop("a region restarts", true);
  decisions = coordinator_->on_publication(CheckpointId(1), PublicationFailed{"disk full"}, now_);
  EXPECT_TRUE(has<FailAttemptDecision>(decisions));
}

}  // namespace
}  // namespace weir
