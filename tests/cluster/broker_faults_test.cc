// Rows of the fault table in docs/exactly-once.md whose victim is a broker.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "tests/cluster/kill_drill.h"

namespace weir::cluster_test {
namespace {

struct Moment {
  std::string name;
  std::string fault;             // a delay, in which the broker dies
  AtKill state = AtKill::kOpen;  // of who waits there
  Hit hit = {};
  Counts counts = Counts::kOnceBothSubtasksCommit;
};

const char* const kTaskManagers[] = {"taskmanager-1", "taskmanager-2"};

// The first one to reach its fault point.
std::string wait_for_fault(MiniCluster& cluster) {
  std::string first;
  cluster.wait_until("the moment", [&] {
    for (const char* name : kTaskManagers) {
      if (!cluster.faults_hit(name).empty()) first = name;
    }
    return !first.empty();
  });
  return first;
}

// Kills it a while after a moment's beginning, and lets it come back after another.
void kill_and_restart(KafkaFixture& kafka) {
  const auto pause = [] {
    std::this_thread::sleep_for(std::chrono::milliseconds(drawn(0, 0, 1500)));
  };
  pause();
  kafka.kill(1);
  pause();
  kafka.restart(1);
}

class BrokerFaultsTest : public ::testing::TestWithParam<Moment> {};

TEST_P(BrokerFaultsTest, LeaveTheOutputExact) {
  static KafkaFixture kafka;
  DrillOptions options;
  const Moment& moment = GetParam();
  const std::string fault = at(moment.fault, moment.hit);
  for (const char* name : kTaskManagers) {
    options.cluster.environment[name] = {{"WEIR_FAULT", fault}};
  }
  options.cluster.faults_armed = moment.counts == Counts::kFromTheStart;
  ProcessedDrill drill(kafka, options);
  MiniCluster& cluster = drill.cluster();
  drill.start();
  arm(drill, moment.counts);
  expect_at_kill(moment.state, drill, wait_for_fault(cluster));
  kill_and_restart(kafka);
  // Of a job that is RUNNING again, whether it had to restart or not.
  cluster.wait_until("the job to run", [&] { return cluster.job_state(drill.job()) == "RUNNING"; });
  drill.wait_for_checkpoints(cluster.completed_checkpoints(drill.job()) + 3);
  drill.expect_exact();
  drill.expect_nothing_open_after_cancel();
}

INSTANTIATE_TEST_SUITE_P(
    Moments, BrokerFaultsTest,
    ::testing::Values(
        Moment{
            "WhileRecordsFlow", "sink.record_produced=delay:2000", AtKill::kOpen, {300, 1, 3000}},
        Moment{"BeforeTheFlush", "sink.before_flush=delay:2000"},
        Moment{"BeforeTheCommit", "committer.before_end_txn=delay:2000", AtKill::kPublished},
        Moment{"BeforeTheFirstRecovery",
               "recovery.before_commit=delay:2000",
               AtKill::kNothing,
               {1, 1, 1},
               Counts::kFromTheStart}),
    [](const auto& row) { return row.param.name; });

TEST(BrokerDuringRecoveryTest, IsWaitedForAndEverythingCommitted) {
  KafkaFixture kafka;
  const InterruptedCommit interrupted(kafka, {});
  ProcessedDrill& drill = *interrupted.drill;
  MiniCluster& cluster = drill.cluster();
  cluster.restart("jobmanager-1");
  for (const char* name : kTaskManagers) {
    cluster.restart(name, {{"WEIR_FAULT", "recovery.between_commits=delay:2000"}});
  }
  wait_for_fault(cluster);
  EXPECT_EQ(drill.committed_of(interrupted.open), 1);
  kill_and_restart(kafka);
  drill.wait_for_commits_above(interrupted.generation);
  EXPECT_EQ(drill.committed_of(interrupted.open), 2);
  drill.expect_exact();
  drill.expect_nothing_open_after_cancel();
}

TEST(ThreeBrokersTest, TheTransactionCoordinatorsBrokerMayDie) {
  KafkaFixture kafka(3);
  ProcessedDrill drill(kafka, {});
  MiniCluster& cluster = drill.cluster();
  drill.start();
  drill.wait_for_checkpoints(drawn(5, 2, 15));
  const int victim = kafka.transaction_coordinator(drill.transactions().front().id);
  kafka.kill(victim);
  drill.wait_for_checkpoints(cluster.completed_checkpoints(drill.job()) + 5);
  kafka.restart(victim);
  drill.expect_exact();
  drill.expect_nothing_open_after_cancel();
}

}  // namespace
}  // namespace weir::cluster_test
