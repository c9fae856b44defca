// `processed` at parallelism 3 has three regions: what fails restarts, the others go on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/cluster/kill_drill.h"

namespace weir::cluster_test {
namespace {

constexpr int kRegions = 3;

// Each region on a TaskManager of its own, and this many to spare. The coordinators are beside
// subtask 0: its TaskManager is needed by all.
DrillOptions three_regions(int spare) {
  DrillOptions options;
  options.cluster.taskmanagers = kRegions + spare;
  options.cluster.slots = 1;
  options.parallelism = kRegions;
  options.partitions = kRegions;
  return options;
}

int attempt_of(ProcessedDrill& drill, int subtask) {
  return drill.subtask(subtask).at("attempt");
}

std::int64_t records_of(ProcessedDrill& drill, int subtask) {
  return drill.subtask(subtask).at("metrics").at("write-records");
}

void wait_for_attempt_above(ProcessedDrill& drill, int subtask, int attempt) {
  drill.cluster().wait_until("a new attempt of subtask " + std::to_string(subtask), [&] {
    return attempt_of(drill, subtask) > attempt &&
           drill.subtask(subtask).at("status") == "RUNNING" &&
           drill.cluster().job_state(drill.job()) == "RUNNING";
  });
}

class RegionFailoverTest : public SharedKafkaTest {};

TEST_F(RegionFailoverTest, AKilledTaskManagerTakesOnlyItsRegionWithIt) {
  ProcessedDrill drill(KafkaFixture::shared(), three_regions(1));
  MiniCluster& cluster = drill.cluster();
  drill.start();
  drill.wait_for_checkpoints(drawn(3, 1, 8));
  const int hit = drawn(1, 1, 2);
  const int other = 3 - hit;
  const std::uint64_t generation = drill.generation();
  const std::int64_t before = records_of(drill, other);
  cluster.kill(drill.taskmanager_of(hit));
  wait_for_attempt_above(drill, hit, 0);
  drill.wait_for_commits_above(generation);
  cluster.wait_until("the others to go on", [&] { return records_of(drill, other) > before; });
  for (const int unhurt : {0, other}) EXPECT_EQ(attempt_of(drill, unhurt), 0);
  drill.expect_exact();
  drill.expect_exact_after_cancel();
}

TEST_F(RegionFailoverTest, RegionsFailOneAfterAnotherAndWhileOthersRestore) {
  ProcessedDrill drill(KafkaFixture::shared(), three_regions(1));
  MiniCluster& cluster = drill.cluster();
  drill.start();
  drill.wait_for_checkpoints(drawn(3, 1, 8));
  for (const int hit : {1, 2}) {
    const int attempt = attempt_of(drill, hit);
    const std::string first = drill.taskmanager_of(hit);
    const std::string second = drill.taskmanager_of(3 - hit);
    cluster.kill(first);
    cluster.kill(second);
    cluster.restart(first);
    cluster.restart(second);
    wait_for_attempt_above(drill, hit, attempt);
    EXPECT_EQ(attempt_of(drill, 0), 0);
  }
  const int attempt = attempt_of(drill, 0);
  cluster.kill(drill.taskmanager_of(0));
  for (const int subtask : {0, 1, 2}) wait_for_attempt_above(drill, subtask, attempt);
  drill.expect_exact();
  drill.expect_exact_after_cancel();
}

TEST_F(RegionFailoverTest, AJobManagerThatDiesMeanwhileRestartsAll) {
  ProcessedDrill drill(KafkaFixture::shared(), three_regions(0));
  MiniCluster& cluster = drill.cluster();
  drill.start();
  drill.wait_for_checkpoints(drawn(3, 1, 8));
  const std::string victim = drill.taskmanager_of(1);
  cluster.kill(victim);
  cluster.wait_until("the region to wait for a slot",
                     [&] { return cluster.job_state(drill.job()) == "RESTARTING"; });
  cluster.restart("jobmanager-1");
  cluster.restart(victim);
  for (const int subtask : {0, 1, 2}) wait_for_attempt_above(drill, subtask, 0);
  drill.expect_exact();
  drill.expect_exact_after_cancel();
}

// The restarted region dies at a fault point, the others go on all the while.
class RegionFaultsTest : public SharedKafkaTest,
                         public ::testing::WithParamInterface<const char*> {};

TEST_P(RegionFaultsTest, LeavesTheOutputExact) {
  ProcessedDrill drill(KafkaFixture::shared(), three_regions(0));
  MiniCluster& cluster = drill.cluster();
  drill.start();
  drill.wait_for_checkpoints(drawn(3, 1, 8));
  const int hit = drawn(1, 1, 2);
  const std::string victim = drill.taskmanager_of(hit);
  cluster.restart(victim, {{"WEIR_FAULT", GetParam()}});
  wait_for_death(cluster, victim);
  cluster.restart(victim);
  drill.wait_for_progress();
  EXPECT_GE(attempt_of(drill, hit), 2);
  for (const int unhurt : {0, 3 - hit}) EXPECT_EQ(attempt_of(drill, unhurt), 0);
  drill.expect_exact();
  drill.expect_exact_after_cancel();
}

INSTANTIATE_TEST_SUITE_P(Rows, RegionFaultsTest,
                         ::testing::Values("task.deployed=kill", "sink.handle_ready=kill",
                                           "sink.record_produced=kill:300@300",
                                           "sink.flushed_not_acked=kill@2", "task.ack_sent=kill",
                                           "task.notified_before_commit=kill:500",
                                           "committer.after_end_txn=kill",
                                           "task.committed_not_reported=kill@2"),
                         [](const auto& fault) {
                           std::string name = fault.param;
                           name.resize(name.find('='));
                           std::replace(name.begin(), name.end(), '.', '_');
                           return name;
                         });

// The coordinators die while they recover for a region; those that follow may die there too.
class RegionRecoveryFaultsTest : public SharedKafkaTest,
                                 public ::testing::WithParamInterface<const char*> {};

TEST_P(RegionRecoveryFaultsTest, RestartsAllAndLeavesTheOutputExact) {
  DrillOptions options = three_regions(0);
  options.cluster.faults_armed = false;
  const Lines taskmanagers = {"taskmanager-1", "taskmanager-2", "taskmanager-3"};
  for (const std::string& each : taskmanagers) {
    options.cluster.environment[each] = {{"WEIR_FAULT", std::string(GetParam()) + "=kill"}};
  }
  ProcessedDrill drill(KafkaFixture::shared(), options);
  MiniCluster& cluster = drill.cluster();
  drill.start();
  drill.wait_for_checkpoints(drawn(3, 1, 8));
  const std::string victim = drill.taskmanager_of(drawn(1, 1, 2));
  const std::string coordinators = drill.taskmanager_of(0);
  cluster.arm_faults();
  cluster.restart(victim);
  wait_for_death(cluster, coordinators);
  cluster.wait_until("all to begin anew", [&] {
    for (const std::string& each : taskmanagers) {
      if (!cluster.running(each)) cluster.restart(each);
    }
    return attempt_of(drill, 0) > 0 && drill.subtask(0).at("status") == "RUNNING";
  });
  drill.expect_exact();
  drill.expect_exact_after_cancel();
}

INSTANTIATE_TEST_SUITE_P(Rows, RegionRecoveryFaultsTest,
                         ::testing::Values("recovery.before_commit",
                                           "recovery.committed_not_fenced",
                                           "recovery.between_fences",
                                           "coordinator.recovered_not_reported"),
                         [](const auto& fault) {
                           std::string name = fault.param;
                           std::replace(name.begin(), name.end(), '.', '_');
                           return name;
                         });

}  // namespace
}  // namespace weir::cluster_test
