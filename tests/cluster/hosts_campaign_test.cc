// The long form of hosts_test: what takes its time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/cluster/hosts_drill.h"

namespace weir::cluster_test {
namespace {

using ::testing::HasSubstr;

class HostsCampaignTest : public HostsDrillTest {};

// Of all subtasks since they started.
int backpressured_ms(MiniCluster& cluster, const std::string& job) {
  const nlohmann::json details = cluster.rest("/jobs/" + job);
  int sum = 0;
  for (const nlohmann::json& vertex : details.at("vertices")) {
    sum += vertex.at("metrics").at("accumulated-backpressured-time").get<int>();
  }
  return sum;
}

TEST_F(HostsCampaignTest, ACutBetweenTwoTaskManagersThatLastsEndsTheJobAndIsItsCause) {
  DrillOptions options = keyed_drill(3);
  options.cluster.config["restart-strategy.fixed-delay.attempts"] = "2";
  ProcessedDrill drill(kafka(), options);
  MiniCluster& cluster = drill.cluster();
  drill.start();
  drill.wait_for_checkpoints(3);
  const HostNetwork::Fault lost = network().drop("host-2", "host-1");
  cluster.wait_until("the job to fail for good",
                     [&] { return cluster.job_state(drill.job()) == "FAILED"; });
  EXPECT_EQ(cluster.registered_taskmanagers(), 3);
  EXPECT_THAT(last_cause(cluster, drill.job()), HasSubstr("the TaskManager at 198.1"));
  EXPECT_THAT(cluster.weir({"status", drill.job()}).output, HasSubstr("the TaskManager at 198.1"));
  drill.stop_input();
  EXPECT_EQ(kafka().open_transactions(drill.prefix()), std::vector<std::string>{});
}

// Its connections aren't closed by anybody: the others must notice by themselves.
TEST_F(HostsCampaignTest, AHostThatIsSwitchedOffIsReplaced) {
  const auto drill = start_keyed_drill(4);
  MiniCluster& cluster = drill->cluster();
  const std::string victim = drill->taskmanager_of(0);
  const std::uint64_t generation = drill->generation();
  const HostNetwork::Fault cut = network().cut(host_of(victim));
  cluster.kill(victim);
  drill->wait_for_commits_above(generation);
  EXPECT_EQ(cluster.registered_taskmanagers(), 3);
  drill->expect_exact();
  drill->expect_nothing_open_after_cancel();
}

// Links that carry less than the input.
TEST_F(HostsCampaignTest, ASlowLinkHoldsTheSourcesUpAndLosesNothing) {
  DrillOptions options = keyed_drill(3);
  options.records_per_second = 20'000;
  options.cluster.config["heartbeat.timeout"] = "20 s";
  ProcessedDrill drill(kafka(), options);
  drill.start();
  drill.wait_for_checkpoints(3);
  const int restarts = drill.restarts();
  {
    const HostNetwork::Fault slow = network().limit("host-1", "500kbit");
    drill.cluster().wait_until("the slow link to hold sources up for seconds", [&] {
      return backpressured_ms(drill.cluster(), drill.job()) > 10'000;
    });
  }
  EXPECT_EQ(drill.restarts(), restarts);
  drill.expect_exact();
  drill.expect_nothing_open_after_cancel();
}

TEST_F(HostsCampaignTest, HostsComeAndGoWithRescales) {
  DrillOptions options = keyed_drill(2);
  options.parallelism = 2;
  ProcessedDrill drill(kafka(), options);
  MiniCluster& cluster = drill.cluster();
  const auto wait_for_taskmanagers = [&](int count) {
    cluster.wait_until("TaskManagers to come and go",
                       [&] { return cluster.registered_taskmanagers() == count; });
  };
  drill.start();
  drill.wait_for_progress();
  cluster.add_taskmanager();
  wait_for_taskmanagers(3);
  drill.rescale(3);
  drill.wait_for_progress();
  drill.rescale(1);
  cluster.kill("taskmanager-1");
  cluster.kill("taskmanager-2");
  drill.wait_for_progress();
  wait_for_taskmanagers(1);
  cluster.restart("taskmanager-1");
  cluster.restart("taskmanager-2");
  cluster.add_taskmanager();
  wait_for_taskmanagers(4);
  drill.rescale(4);
  drill.wait_for_progress();
  {
    const HostNetwork::Fault cut = network().cut("host-4");
    wait_for_taskmanagers(3);
  }
  drill.wait_for_progress();
  drill.expect_exact();
  drill.expect_nothing_open_after_cancel();
}

}  // namespace
}  // namespace weir::cluster_test
