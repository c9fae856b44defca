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
     .faults = "task.before_start=kill",
     .at_kill = AtKill::kNothing},
    {.name = "BeforeTheFirstCheckpoint",
     .victim = kVictim,
     .faults = "sink.record_produced=kill@300",
     .checkpoint_interval = "2s"},
    // The other one acknowledges meanwhile.
    {.name = "WhileBarriersTravel",
     .victim = kVictim,
     .faults = at_checkpoint("task.barrier_received=delay:500@N,sink.before_flush=kill@N")},
    {.name = "FlushedNotAcknowledged",
     .victim = kVictim,
     .faults = at_checkpoint("sink.flushed_not_acked=kill@N")},
    {.name = "SnapshotNotAcknowledged",
     .victim = kVictim,
     .faults = at_checkpoint("task.snapshot_before_ack=kill@N")},
    {.name = "WhileTheAcknowledgementIsSent",
     .victim = kVictim,
     .faults = at_checkpoint("task.ack_sent=kill@N"),
     .committed_by_recovery = kEither},
    // The other one commits meanwhile.
    {.name = "NotifiedNotCommitted",
     .victim = kVictim,
     .faults =
         at_checkpoint("task.notified_before_commit=delay:500@N,committer.before_end_txn=kill@N"),
     .committed_by_recovery = kOne},
    {.name = "CommittedBeforeTheAnswer",
     .victim = kVictim,
     .faults = at_checkpoint("committer.after_end_txn=kill@N"),
     .committed_by_recovery = {0, 1},
     .at_kill = AtKill::kCommitted},
    {.name = "CommittedNotReported",
     .victim = kVictim,
     .faults = at_checkpoint("task.committed_not_reported=kill@N"),
     .committed_by_recovery = {0, 1},
     .at_kill = AtKill::kCommitted},
    {.name = "IdUsedAgainWhileRecordsFlow",
     .victim = kVictim,
     .faults = "task.commit_reported=delay:0@6,sink.record_produced=kill@3500",
     .committed_by_recovery = kEither,
     .id_used_again = true},
    {.name = "IdUsedAgainFlushed",
     .victim = kVictim,
     .faults = "sink.flushed_not_acked=kill@10",
     .id_used_again = true},
    {.name = "IdUsedAgainNotifiedNotCommitted",
     .victim = kVictim,
     .faults = "task.notified_before_commit=delay:500@10,committer.before_end_txn=kill@10",
     .committed_by_recovery = kOne,
     .id_used_again = true},
    {.name = "WhileAHandleIsMadeReady",
     .victim = kVictim,
     .faults = "sink.handle_ready=kill@4",
     .committed_by_recovery = kEither,
     .at_kill = AtKill::kNothing},
};

INSTANTIATE_TEST_SUITE_P(Rows, TaskManagerFaultsTest, ::testing::ValuesIn(kRows),
                         [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace weir::cluster_test
