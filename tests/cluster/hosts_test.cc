// The rows of the fault table in docs/exactly-once.md about hosts and their links: a job whose
// records change tasks by key, each of its TaskManagers on a host of its own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/cluster/hosts_drill.h"

namespace weir::cluster_test {
namespace {

using ::testing::HasSubstr;

class HostsTest : public HostsDrillTest {};

// The host can't reach anybody; its tasks run on, and another host takes over.
TEST_F(HostsTest, ACutHostEndsItsTasksAndCannotDisturbWhatReplacedIt) {
  const auto drill = start_keyed_drill(4);
  MiniCluster& cluster = drill->cluster();
  const std::string victim = drill->taskmanager_of(0);
  const std::uint64_t generation = drill->generation();
  {
    const HostNetwork::Fault cut = network().cut(host_of(victim));
    drill->wait_for_commits_above(generation);
    wait_for_end_of_tasks(cluster, victim);
  }
  cluster.wait_until("it to register again",
                     [&] { return cluster.registered_taskmanagers() == 4; });
  const int restarts = drill->restarts();
  drill->wait_for_progress();
  EXPECT_EQ(drill->restarts(), restarts);
  drill->expect_exact();
  drill->expect_nothing_open_after_cancel();
}

// It still reaches Kafka and the other hosts, and what it sends comes too late.
void run_cut_from_jobmanager(HostsDrillTest& test, const std::string& sender,
                             const std::string& receiver) {
  const auto drill = test.start_keyed_drill(3);
  MiniCluster& cluster = drill->cluster();
  const std::uint64_t generation = drill->generation();
  {
    const HostNetwork::Fault lost = test.network().drop(sender, receiver);
    cluster.wait_until("it to be given up", [&] { return cluster.registered_taskmanagers() == 2; });
    wait_for_end_of_tasks(cluster, "taskmanager-1");
  }
  // There is no other slot: it gets work again.
  drill->wait_for_commits_above(generation);
  drill->expect_exact();
  drill->expect_nothing_open_after_cancel();
}

TEST_F(HostsTest, AHostThatTheJobManagerCannotHearIsGivenUpAndComesBack) {
  run_cut_from_jobmanager(*this, "host-1", "jobmanager");
}

TEST_F(HostsTest, AHostThatCannotHearTheJobManagerGivesItUpAndComesBack) {
  run_cut_from_jobmanager(*this, "jobmanager", "host-1");
}

// The JobManager hears both.
TEST_F(HostsTest, ACutBetweenTwoTaskManagersFailsTheJobUntilTheLinkIsBack) {
  const auto drill = start_keyed_drill(3);
  MiniCluster& cluster = drill->cluster();
  {
    const HostNetwork::Fault lost = network().drop("host-1", "host-2");
    cluster.wait_until("the job to fail, and to fail again",
                       [&] { return drill->restarts() >= 2; });
    EXPECT_EQ(cluster.registered_taskmanagers(), 3);
    EXPECT_THAT(last_cause(cluster, drill->job()), HasSubstr("the TaskManager at 198.1"));
  }
  drill->wait_for_progress();
  drill->expect_exact();
  drill->expect_nothing_open_after_cancel();
}

}  // namespace
}  // namespace weir::cluster_test
