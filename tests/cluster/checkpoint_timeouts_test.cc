// The row of the fault table in docs/exactly-once.md about checkpoints that fail while transactions
// are prepared: they are carried on and committed by the next one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/cluster/kill_drill.h"

namespace weir::cluster_test {
namespace {

DrillOptions impatient(const std::string& faults) {
  DrillOptions options;
  options.library = "tests/jobs/tunable";
  options.job_arguments = {"--checkpoint-timeout", "1s", "--tolerable-failures", "100"};
  options.cluster.faults_armed = false;
  options.cluster.environment["taskmanager-1"] = {{"WEIR_FAULT", faults}};
  return options;
}

int failed_checkpoints(ProcessedDrill& drill) {
  return drill.cluster().rest("/jobs/" + drill.job() + "/checkpoints")["counts"]["failed"];
}

TEST(CheckpointTimeoutTest, TheNextCheckpointCommitsWhatTheFailedOnesPrepared) {
  const int first = drawn(2, 1, 8);
  const std::string fault = "task.snapshot_before_ack=delay:2500@";
  ProcessedDrill drill(KafkaFixture::shared(),
                       impatient(fault + std::to_string(first) + "," + fault +
                                 std::to_string(first + drawn(5, 1, 8))));
  MiniCluster& cluster = drill.cluster();
  drill.start();
  arm(drill, Counts::kOnceBothSubtasksCommit);
  cluster.wait_until("both delays",
                     [&] { return cluster.faults_hit("taskmanager-1").size() == 2; });
  cluster.wait_until("a failed checkpoint for each",
                     [&] { return failed_checkpoints(drill) >= 2; });
  drill.wait_for_checkpoints(cluster.completed_checkpoints(drill.job()) + 5);
  EXPECT_EQ(drill.restarts(), 0);
  drill.expect_exact();
  drill.expect_nothing_open_after_cancel();
}

TEST(CheckpointTimeoutTest, AKillMeanwhileLeavesTheOutputExact) {
  // It prepares a transaction, and dies long after its checkpoint has timed out.
  ProcessedDrill drill(KafkaFixture::shared(), impatient(at("task.snapshot_before_ack=kill:2500")));
  drill.start();
  arm(drill, Counts::kOnceBothSubtasksCommit);
  wait_for_death(drill.cluster(), "taskmanager-1");
  // What it had prepared, and more of the subtask that went on.
  EXPECT_THAT(drill.open_transactions(), ::testing::SizeIs(::testing::Ge(3U)));
  EXPECT_GE(failed_checkpoints(drill), 1);
  const std::uint64_t generation = drill.generation();
  drill.cluster().restart("taskmanager-1");
  drill.wait_for_commits_above(generation);
  drill.expect_exact();
  drill.expect_nothing_open_after_cancel();
}

}  // namespace
}  // namespace weir::cluster_test
