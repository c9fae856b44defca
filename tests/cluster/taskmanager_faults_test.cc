// Rows of the fault table in docs/exactly-once.md whose victim is a TaskManager.
#include <gtest/gtest.h>

#include "tests/cluster/kill_drill.h"

namespace weir::cluster_test {
namespace {

const char kVictim[] = "taskmanager-1";

class TaskManagerFaultsTest : public SharedKafkaTest,
                              public ::testing::WithParamInterface<KillRow> {};

TEST_P(TaskManagerFaultsTest, LeavesTheOutputExact) {
  run_kill_row(KafkaFixture::shared(), GetParam());
}

const KillRow kRows[] = {
    {.name = "BeforeTheTaskIsOpened",
     .victim = kVictim,
     .fault = "task.before_start=kill",
     .hit = {1, 1, 1},
     .counts = Counts::kFromTheStart,
     .at_kill = AtKill::kNothing},
    // The pause lets the records reach Kafka.
    {.name = "BeforeTheFirstCheckpoint",
     .victim = kVictim,
     .fault = "sink.record_produced=kill:300",
     .hit = {300, 1, 900},
     .counts = Counts::kFromTheStart,
     .at_kill = AtKill::kOpenNoneCommitted,
     .checkpoint_interval = "3s"},
    // The other one acknowledges meanwhile.
    {.name = "WhileBarriersTravel",
     .victim = kVictim,
     .fault = "sink.before_flush=kill:500",
     .at_kill = AtKill::kOpenOfBoth},
    {.name = "FlushedNotAcknowledged", .victim = kVictim, .fault = "sink.flushed_not_acked=kill"},
    {.name = "SnapshotNotAcknowledged",
     .victim = kVictim,
     .fault = "task.snapshot_before_ack=kill"},
    {.name = "WhileTheAcknowledgementIsSent",
     .victim = kVictim,
     .fault = "task.ack_sent=kill",
     .committed_by_recovery = kAny},
    // The other one commits meanwhile.
    {.name = "NotifiedNotCommitted",
     .victim = kVictim,
     .fault = "task.notified_before_commit=kill:500",
     .at_kill = AtKill::kPublished,
     .committed_by_recovery = kOne},
    {.name = "CommittedBeforeTheAnswer",
     .victim = kVictim,
     .fault = "committer.after_end_txn=kill",
     .at_kill = AtKill::kCommitted,
     .committed_by_recovery = kAny},
    {.name = "CommittedNotReported",
     .victim = kVictim,
     .fault = "task.committed_not_reported=kill",
     .at_kill = AtKill::kCommitted,
     .committed_by_recovery = kAny},
    {.name = "IdUsedAgainWhileRecordsFlow",
     .victim = kVictim,
     .fault = "sink.record_produced=kill:300",
     .hit = {300, 1, 1500},
     .counts = Counts::kOnceIdsAreUsedAgain,
     .at_kill = AtKill::kOpenUsedAgain,
     .committed_by_recovery = kAny},
    {.name = "IdUsedAgainFlushed",
     .victim = kVictim,
     .fault = "sink.flushed_not_acked=kill",
     .counts = Counts::kOnceIdsAreUsedAgain,
     .at_kill = AtKill::kOpenUsedAgain},
    {.name = "IdUsedAgainNotifiedNotCommitted",
     .victim = kVictim,
     .fault = "task.notified_before_commit=kill:500",
     .counts = Counts::kOnceIdsAreUsedAgain,
     .at_kill = AtKill::kOpenUsedAgain,
     .committed_by_recovery = kOne},
    {.name = "WhileAHandleIsMadeReady",
     .victim = kVictim,
     .fault = "sink.handle_ready=kill",
     .hit = {4, 1, 12},
     .counts = Counts::kFromTheStart,
     .at_kill = AtKill::kNothing,
     .committed_by_recovery = kAny},
};

INSTANTIATE_TEST_SUITE_P(Rows, TaskManagerFaultsTest, ::testing::ValuesIn(kRows),
                         [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace weir::cluster_test
