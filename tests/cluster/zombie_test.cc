// The row of the fault table in docs/exactly-once.md about zombies: a TaskManager that stands still
// for longer than the heartbeat timeout, and goes on when another attempt runs without it.
#include <gtest/gtest.h>

#include "tests/cluster/kill_drill.h"

namespace weir::cluster_test {
namespace {

// Waits until the job runs without the stopped one and has committed, wakes that, and expects that
// the new attempt isn't disturbed.
void expect_harmless(ProcessedDrill& drill, const std::string& zombie, std::uint64_t generation) {
  MiniCluster& cluster = drill.cluster();
  drill.wait_for_commits_above(generation);
  const int restarts = drill.restarts();
  const int completed = cluster.completed_checkpoints(drill.job());
  cluster.resume(zombie);
  drill.wait_for_checkpoints(completed + 5);
  cluster.wait_until("the zombie to register anew",
                     [&] { return cluster.registered_taskmanagers() == 3; });
  EXPECT_EQ(drill.restarts(), restarts);
  drill.expect_exact();
  drill.expect_nothing_open_after_cancel();
}

struct StopPoint {
  std::string name;
  std::string fault;
  AtKill state = AtKill::kOpen;  // when it stops
  Hit hit = {};
};

class ZombieTest : public ::testing::TestWithParam<StopPoint> {};

TEST_P(ZombieTest, CannotDisturbTheAttemptThatReplacedIt) {
  DrillOptions options;
  options.cluster.faults_armed = false;
  options.cluster.environment["taskmanager-1"] = {
      {"WEIR_FAULT", at(GetParam().fault, GetParam().hit)}};
  ProcessedDrill drill(KafkaFixture::shared(), options);
  drill.start();
  arm(drill, Counts::kOnceBothSubtasksCommit);
  drill.cluster().wait_until("taskmanager-1 to stop",
                             [&] { return !drill.cluster().faults_hit("taskmanager-1").empty(); });
  expect_at_kill(GetParam().state, drill, "taskmanager-1");
  const std::uint64_t generation = drill.generation();
  drill.cluster().add_taskmanager();
  expect_harmless(drill, "taskmanager-1", generation);
}

INSTANTIATE_TEST_SUITE_P(
    StoppedAt, ZombieTest,
    ::testing::Values(
        StopPoint{"WritingRecords", "sink.record_produced=stop:300", AtKill::kOpen, {300, 1, 3000}},
        StopPoint{"MakingAHandle", "sink.handle_ready=stop", AtKill::kNothing},
        StopPoint{"FlushedNotAcknowledged", "sink.flushed_not_acked=stop"},
        StopPoint{"NotifiedNotCommitted", "task.notified_before_commit=stop", AtKill::kPublished},
        StopPoint{"Committing", "committer.before_end_txn=stop", AtKill::kPublished}),
    [](const auto& row) { return row.param.name; });

TEST(ZombieCoordinatorTest, InItsOwnRecoveryDoesNotDisturbTheNext) {
  const InterruptedCommit interrupted(KafkaFixture::shared(), {});
  ProcessedDrill& drill = *interrupted.drill;
  MiniCluster& cluster = drill.cluster();
  cluster.restart("jobmanager-1");
  for (const char* name : {"taskmanager-1", "taskmanager-2"}) {
    cluster.restart(name, {{"WEIR_FAULT", "recovery.before_commit=stop"}});
  }
  std::string zombie;
  cluster.wait_until("a recovery to stop", [&] {
    for (const char* name : {"taskmanager-1", "taskmanager-2"}) {
      if (!cluster.faults_hit(name).empty()) zombie = name;
    }
    return !zombie.empty();
  });
  // The other one would stop in the next recovery.
  cluster.restart(zombie == "taskmanager-1" ? "taskmanager-2" : "taskmanager-1");
  cluster.add_taskmanager();
  drill.wait_for_commits_above(interrupted.generation);
  EXPECT_EQ(drill.committed_of(interrupted.open), 2);
  expect_harmless(drill, zombie, interrupted.generation);
}

}  // namespace
}  // namespace weir::cluster_test
