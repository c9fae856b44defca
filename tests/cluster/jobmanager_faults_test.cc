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
    {.name = "AllAcknowledgedNotPublished",
     .victim = kVictim,
     .faults = at_checkpoint("job.before_publish=kill@N")},
    {.name = "ManifestWritten",
     .victim = kVictim,
     .faults = at_checkpoint("job.manifest_written=kill@N")},
    {.name = "LedgerWritten",
     .victim = kVictim,
     .faults = at_checkpoint("job.ledger_written=kill@N")},
    {.name = "BeforeThePointer",
     .victim = kVictim,
     .faults = at_checkpoint("job.before_pointer=kill@N")},
    {.name = "PointerWritten",
     .victim = kVictim,
     .faults = at_checkpoint("job.pointer_written=kill@N"),
     .committed_by_recovery = kBoth},
    {.name = "PublishedNobodyNotified",
     .victim = kVictim,
     .faults = at_checkpoint("job.before_notify=kill@N"),
     .committed_by_recovery = kBoth},
    // Hit 11 is the first TaskManager's notification of the sixth checkpoint.
    {.name = "OneNotified",
     .victim = kVictim,
     .faults = "job.notified_one=delay:5000@11",
     .committed_by_recovery = {1, 2}},
};

INSTANTIATE_TEST_SUITE_P(Rows, JobManagerFaultsTest, ::testing::ValuesIn(kRows),
                         [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace weir::cluster_test
