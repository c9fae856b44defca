// Rows of the fault table in docs/exactly-once.md whose victim is the JobManager.
#include <gtest/gtest.h>

#include "tests/cluster/kill_drill.h"

namespace weir::cluster_test {
namespace {

const char kVictim[] = "jobmanager-1";

class JobManagerFaultsTest : public SharedKafkaTest,
                             public ::testing::WithParamInterface<KillRow> {};

TEST_P(JobManagerFaultsTest, LeavesTheOutputExact) {
  run_kill_row(KafkaFixture::shared(), GetParam());
}

const KillRow kRows[] = {
    {.name = "AllAcknowledgedNotPublished", .victim = kVictim, .fault = "job.before_publish=kill"},
    {.name = "ManifestWritten", .victim = kVictim, .fault = "job.manifest_written=kill"},
    {.name = "LedgerWritten", .victim = kVictim, .fault = "job.ledger_written=kill"},
    {.name = "BeforeThePointer", .victim = kVictim, .fault = "job.before_pointer=kill"},
    {.name = "PointerWritten",
     .victim = kVictim,
     .fault = "job.pointer_written=kill",
     .committed_by_recovery = kBoth},
    {.name = "PublishedNobodyNotified",
     .victim = kVictim,
     .fault = "job.before_notify=kill",
     .committed_by_recovery = kBoth},
    // Of two: the other's transaction waits for the recovery, the notified one's perhaps too.
    {.name = "OneNotified",
     .victim = kVictim,
     .fault = "job.notified_one=delay:5000",
     .at_kill = AtKill::kNothing,
     .committed_by_recovery = {1, 2}},
};

INSTANTIATE_TEST_SUITE_P(Rows, JobManagerFaultsTest, ::testing::ValuesIn(kRows),
                         [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace weir::cluster_test
