// Rows of the fault table in docs/exactly-once.md whose victim is a broker.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cluster/kill_drill.h"

namespace weir::cluster_test {
namespace {

struct Moment {
  std::string name;
  std::string fault;  // a delay, in which the broker dies
};

class BrokerFaultsTest : public ::testing::TestWithParam<Moment> {};

TEST_P(BrokerFaultsTest, LeaveTheOutputExact) {
  static KafkaFixture kafka;
  DrillOptions options;
  for (const char* name : {"taskmanager-1", "taskmanager-2"}) {
    options.cluster.environment[name] = {{"WEIR_FAULT", GetParam().fault}};
  }
  ProcessedDrill drill(kafka, options);
  MiniCluster& cluster = drill.cluster();
  drill.start();
  cluster.wait_until("the moment", [&] {
    return !cluster.faults_hit("taskmanager-1").empty() ||
           !cluster.faults_hit("taskmanager-2").empty();
  });
  kafka.kill(1);
  kafka.restart(1);
  // Of a job that is RUNNING again, whether it had to restart or not.
  cluster.wait_until("the job to run", [&] { return cluster.job_state(drill.job()) == "RUNNING"; });
  drill.wait_for_checkpoints(cluster.completed_checkpoints(drill.job()) + 3);
  drill.expect_exact();
  drill.expect_nothing_open_after_cancel();
}

INSTANTIATE_TEST_SUITE_P(
    Moments, BrokerFaultsTest,
    ::testing::Values(Moment{"WhileRecordsFlow", "sink.record_produced=delay:0@4000"},
                      Moment{"BeforeTheFlush", "sink.before_flush=delay:2000@6"},
                      Moment{"BeforeTheCommit", "committer.before_end_txn=delay:2000@6"},
                      Moment{"BeforeTheFirstRecovery", "recovery.before_commit=delay:2000"}),
    [](const auto& row) { return row.param.name; });

TEST(BrokerDuringRecoveryTest, IsWaitedForAndEverythingCommitted) {
  KafkaFixture kafka;
  DrillOptions options;
  options.cluster.environment["jobmanager-1"] = {{"WEIR_FAULT", kDiesBeforeNotifying}};
  ProcessedDrill drill(kafka, options);
  MiniCluster& cluster = drill.cluster();
  const std::vector<SinkTransaction> open = die_before_notifying(drill);
  const std::uint64_t generation = drill.generation();
  cluster.restart("jobmanager-1");
  for (const char* name : {"taskmanager-1", "taskmanager-2"}) {
    cluster.restart(name, {{"WEIR_FAULT", "recovery.between_commits=delay:2000"}});
  }
  cluster.wait_until("a recovery under way", [&] {
    return !cluster.faults_hit("taskmanager-1").empty() ||
           !cluster.faults_hit("taskmanager-2").empty();
  });
  kafka.kill(1);
  kafka.restart(1);
  drill.wait_for_commits_above(generation);
  EXPECT_EQ(drill.committed_of(open), 2);
  drill.expect_exact();
  drill.expect_nothing_open_after_cancel();
}

TEST(ThreeBrokersTest, TheTransactionCoordinatorsBrokerMayDie) {
  KafkaFixture kafka(3);
  ProcessedDrill drill(kafka, {});
  MiniCluster& cluster = drill.cluster();
  drill.start();
  drill.wait_for_checkpoints(5);
  const int victim = kafka.transaction_coordinator(drill.transactions().front().id);
  kafka.kill(victim);
  drill.wait_for_checkpoints(cluster.completed_checkpoints(drill.job()) + 5);
  kafka.restart(victim);
  drill.expect_exact();
  drill.expect_nothing_open_after_cancel();
}

}  // namespace
}  // namespace weir::cluster_test
