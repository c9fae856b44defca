// Rows of the fault table in docs/exactly-once.md with a job whose records change tasks by key, and
// whose state is cut, stored and restored beside Kafka's transactions.
#include <gtest/gtest.h>

#include "tests/cluster/keyed_jobs.h"
#include "tests/cluster/kill_drill.h"

namespace weir::cluster_test {
namespace {

const char kVictim[] = "taskmanager-1";

// With a slot for each subtask, so that the job waits for the victim.
DrillOptions one_slot_each(DrillOptions options) {
  options.cluster.slots = 1;
  return options;
}
DrillOptions on(const std::string& backend) {
  return one_slot_each(keyed_count_drill(backend));
}
DrillOptions windows_on(const std::string& backend) {
  return one_slot_each(window_sum_drill(backend, {1000, 1000}));
}

class KeyedFaultsTest : public SharedKafkaTest, public ::testing::WithParamInterface<KillRow> {};

TEST_P(KeyedFaultsTest, LeavesTheOutputExact) {
  run_kill_row(KafkaFixture::shared(), GetParam());
}

const KillRow kRows[] = {
    {.name = "WhileRecordsTravel",
     .victim = kVictim,
     .fault = "source.polled=kill",
     .hit = {50, 1, 200},
     .committed_by_recovery = kAny,
     .drill = on("rocksdb")},
    {.name = "BarrierReceived",
     .victim = kVictim,
     .fault = "task.barrier_received=kill",
     .drill = on("rocksdb")},
    {.name = "WhileTheCutIsHandedOut",
     .victim = kVictim,
     .fault = "task.state_slice=kill",
     .drill = windows_on("hashmap")},
    {.name = "BeforeStateIsWritten",
     .victim = kVictim,
     .fault = "keyed_state.before_write=kill",
     .drill = on("hashmap")},
    {.name = "WhileFilesAreUploaded",
     .victim = kVictim,
     .fault = "keyed_state.before_upload=kill",
     .drill = on("rocksdb")},
    {.name = "StoredNotAcknowledged",
     .victim = kVictim,
     .fault = "task.snapshot_before_ack=kill",
     .drill = windows_on("rocksdb")},
    {.name = "AcknowledgedNotCommitted",
     .victim = kVictim,
     .fault = "task.notified_before_commit=kill:500",
     .at_kill = AtKill::kPublished,
     .committed_by_recovery = kOne,
     .drill = on("rocksdb")},
    {.name = "BeforeThePointer",
     .victim = "jobmanager-1",
     .fault = "job.before_pointer=kill",
     .drill = on("rocksdb")},
    {.name = "PublishedNobodyNotified",
     .victim = "jobmanager-1",
     .fault = "job.before_notify=kill",
     .committed_by_recovery = kBoth,
     .drill = windows_on("rocksdb")},
};

INSTANTIATE_TEST_SUITE_P(Rows, KeyedFaultsTest, ::testing::ValuesIn(kRows),
                         [](const auto& row) { return row.param.name; });

// The first kill makes the other one restore its state anew, and die of that.
class KeyedRestoreTest : public SharedKafkaTest,
                         public ::testing::WithParamInterface<const char*> {};

TEST_P(KeyedRestoreTest, DiesAndIsRepeated) {
  const std::string other = "taskmanager-2";
  DrillOptions options = on(GetParam());
  options.cluster.environment[other] = {{"WEIR_FAULT", at("task.restoring_state=kill", {1, 1, 1})}};
  ProcessedDrill drill(KafkaFixture::shared(), options);
  MiniCluster& cluster = drill.cluster();
  drill.start();
  arm(drill, Counts::kOnceBothSubtasksCommit);
  cluster.restart(kVictim);
  wait_for_death(cluster, other);
  cluster.restart(other);
  drill.wait_for_progress();
  drill.expect_exact();
  drill.expect_exact_after_cancel();
}

INSTANTIATE_TEST_SUITE_P(Backends, KeyedRestoreTest, ::testing::Values("hashmap", "rocksdb"),
                         [](const auto& backend) { return std::string(backend.param); });

}  // namespace
}  // namespace weir::cluster_test
