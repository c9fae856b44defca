// The row of the fault table in docs/exactly-once.md about recoveries that are killed themselves:
// a published checkpoint's transactions are open, nobody was told to commit them, everything is
// dead, and the next recovery dies at each of its steps.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>

#include "tests/cluster/kill_drill.h"

namespace weir::cluster_test {
namespace {

const std::string kTaskManagers[] = {"taskmanager-1", "taskmanager-2"};

// Both prepared transactions are committed, each once, and everything else is as ever.
void expect_recovery_of(ProcessedDrill& drill, const std::vector<SinkTransaction>& open) {
  EXPECT_EQ(drill.committed_of(open), 2);
  drill.expect_exact();
  drill.expect_exact_after_cancel();
}

// Both were given the fault; the other one would die of it in the next attempt.
void wait_for_a_death_and_restart(MiniCluster& cluster) {
  cluster.wait_until("a TaskManager to die", [&] {
    return !cluster.running(kTaskManagers[0]) || !cluster.running(kTaskManagers[1]);
  });
  for (const std::string& name : kTaskManagers) {
    if (!cluster.running(name)) {
      EXPECT_THAT(cluster.faults_hit(name), ::testing::SizeIs(1));
    }
    cluster.restart(name);
  }
}

struct Step {
  std::string name;
  std::string fault;  // of the coordinators' host, whichever that is
  Hit hit = {1, 1, 1};
};

void PrintTo(const Step& step, std::ostream* stream) {
  *stream << step.fault;
}

class RecoveryFaultsTest : public SharedKafkaTest, public ::testing::WithParamInterface<Step> {};

TEST_P(RecoveryFaultsTest, IsRepeatedWithTheSameResult) {
  const InterruptedCommit interrupted(KafkaFixture::shared(), {});
  ProcessedDrill& drill = *interrupted.drill;
  MiniCluster& cluster = drill.cluster();

  const std::string fault = at(GetParam().fault, GetParam().hit);
  cluster.restart("jobmanager-1");
  for (const std::string& name : kTaskManagers) cluster.restart(name, {{"WEIR_FAULT", fault}});
  wait_for_a_death_and_restart(cluster);
  drill.wait_for_commits_above(interrupted.generation);
  expect_recovery_of(drill, interrupted.open);
}

INSTANTIATE_TEST_SUITE_P(
    Steps, RecoveryFaultsTest,
    ::testing::Values(
        Step{"BeforeCommits", "recovery.before_commit=kill"},
        Step{"BeforeAnEndTxn", "committer.before_end_txn=kill", {2, 1, 2}},
        Step{"AfterAnEndTxn", "committer.after_end_txn=kill", {1, 1, 2}},
        Step{"BetweenCommits", "recovery.between_commits=kill"},
        Step{"CommittedNotReported", "coordinator.committed_not_reported=kill", {1, 1, 2}},
        Step{"CommittedNotFenced", "recovery.committed_not_fenced=kill"},
        Step{"BetweenFences", "recovery.between_fences=kill", {1, 1, 3}},
        Step{"Fenced", "recovery.fenced=kill"},
        Step{"RecoveredNotReported", "coordinator.recovered_not_reported=kill", {2, 1, 2}}),
    [](const auto& step) { return step.param.name; });

using RecoveryOfTheJobManagerTest = SharedKafkaTest;
TEST_F(RecoveryOfTheJobManagerTest, IsKilledWithItsRecovery) {
  const InterruptedCommit interrupted(KafkaFixture::shared(), {});
  ProcessedDrill& drill = *interrupted.drill;
  MiniCluster& cluster = drill.cluster();

  cluster.restart("jobmanager-1");
  for (const std::string& name : kTaskManagers) {
    cluster.restart(name, {{"WEIR_FAULT", "recovery.between_commits=delay:2000"}});
  }
  cluster.wait_until("a recovery under way", [&] {
    return !cluster.faults_hit("taskmanager-1").empty() ||
           !cluster.faults_hit("taskmanager-2").empty();
  });
  cluster.restart("jobmanager-1");
  drill.wait_for_commits_above(interrupted.generation);
  expect_recovery_of(drill, interrupted.open);
}

// The first attempt's coordinators, before anything was written.
class FirstAttemptTest : public SharedKafkaTest, public ::testing::WithParamInterface<Step> {};

TEST_P(FirstAttemptTest, DiesAndIsRepeated) {
  DrillOptions options;
  const std::string fault = at(GetParam().fault, GetParam().hit);
  for (const std::string& name : kTaskManagers) {
    options.cluster.environment[name] = {{"WEIR_FAULT", fault}};
  }
  ProcessedDrill drill(KafkaFixture::shared(), options);
  MiniCluster& cluster = drill.cluster();
  drill.start();
  wait_for_a_death_and_restart(cluster);
  drill.wait_for_checkpoints(cluster.completed_checkpoints(drill.job()) + 2);
  drill.expect_exact();
  drill.expect_exact_after_cancel();
}

INSTANTIATE_TEST_SUITE_P(
    Steps, FirstAttemptTest,
    ::testing::Values(Step{"OffsetsResolvedNotReported", "coordinator.resolved_not_reported=kill"},
                      Step{"RecoveredNotReported", "coordinator.recovered_not_reported=kill"},
                      Step{"CoordinatorSnapshotNotAcknowledged",
                           "coordinator.snapshot_before_ack=kill",
                           {6, 1, 12}}),
    [](const auto& step) { return step.param.name; });

}  // namespace
}  // namespace weir::cluster_test
