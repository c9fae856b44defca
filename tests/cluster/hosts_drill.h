#pragma once

// What the drills on several hosts share: hosts and a Kafka for all tests of a program, and jobs
// with a TaskManager of one slot on each host.

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/cluster/host_network.h"
#include "tests/cluster/keyed_jobs.h"
#include "tests/cluster/processed_drill.h"

namespace weir::cluster_test {

// Its tests are skipped where hosts can't be made.
class HostsDrillTest : public ::testing::Test {
 public:
  static void SetUpTestSuite();
  static void TearDownTestSuite();
  void SetUp() override;

  static HostNetwork& network() { return *network_; }
  static KafkaFixture& kafka() { return *kafka_; }  // at the bridge
  static constexpr int kHosts = 4;

  // examples/keyed_count with parallelism 3 on this many hosts.
  static DrillOptions keyed_drill(int hosts);
  // It runs, and has completed some checkpoints.
  static std::unique_ptr<ProcessedDrill> start_keyed_drill(int hosts);

 private:
  static std::string why_not_;
  static std::unique_ptr<HostNetwork> network_;
  static std::unique_ptr<KafkaFixture> kafka_;
};

// "host-1" of "taskmanager-1".
std::string host_of(const std::string& taskmanager);

// Waits until it has given up the JobManager and its last task has ended, as its log says.
void wait_for_end_of_tasks(MiniCluster& cluster, const std::string& taskmanager);

// Of the job's last failure.
std::string last_cause(MiniCluster& cluster, const std::string& job);

}  // namespace weir::cluster_test
