// Jobs with keyed state in a storm: processes and broker are killed and paused and hosts' links cut
// at random, TaskManagers come and go, and the parallelism changes while records flow.
// WEIR_DRILL_SEED repeats a storm.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>
#include <tuple>

#include "tests/cluster/drill_seed.h"
#include "tests/cluster/hosts_drill.h"
#include "tests/cluster/storm.h"

namespace weir::cluster_test {
namespace {

constexpr int kFaultsAtOneParallelism = 4;

struct Job {
  std::string name;
  DrillOptions options;
};

// With checkpoints whose barriers overtake records, or without.
using Storms = std::tuple<Job, bool>;

std::string name_of(const Storms& storm) {
  return std::get<Job>(storm).name + (std::get<bool>(storm) ? "Unaligned" : "");
}

void PrintTo(const Storms& storm, std::ostream* stream) {
  *stream << name_of(storm);
}

bool has_unaligned_checkpoints(ProcessedDrill& drill) {
  const nlohmann::json history =
      drill.cluster().rest("/jobs/" + drill.job() + "/checkpoints").at("history");
  return std::ranges::any_of(history, [](const nlohmann::json& checkpoint) {
    return checkpoint.at("checkpoint_type") == "UNALIGNED_CHECKPOINT";
  });
}

class KeyedStormTest : public HostsDrillTest, public ::testing::WithParamInterface<Storms> {};

TEST_P(KeyedStormTest, LeavesTheOutputExact) {
  const auto& [job, unaligned] = GetParam();
  DrillOptions options = job.options;
  options.cluster.config["execution.checkpointing.unaligned.enabled"] =
      unaligned ? "true" : "false";
  options.cluster.taskmanagers = 3;
  options.cluster.hosts = &network();
  options.checkpoint_interval = "500ms";
  options.records_per_second = 4'000;
  ProcessedDrill drill(kafka(), options);
  MiniCluster& cluster = drill.cluster();
  drill.start();
  Storm storm(cluster, kafka(), storm_seed(),
              {"taskmanager-1", "taskmanager-2", "taskmanager-3", "jobmanager-1", "broker",
               "host-1", "host-2", "host-3"},
              &network());
  const auto blow = [&] {
    for (int i = 0; i < kFaultsAtOneParallelism; ++i) storm.strike();
    drill.wait_for_progress();
    std::cout << drill.restarts() << " restarts" << std::endl;
  };
  blow();
  drill.rescale(3);
  storm.add_victim(cluster.add_taskmanager());
  storm.add_victim("host-4");
  blow();
  drill.rescale(1);
  storm.spare("taskmanager-1");
  storm.spare("host-1");
  cluster.kill("taskmanager-1");
  blow();
  drill.rescale(4);
  blow();
  EXPECT_EQ(has_unaligned_checkpoints(drill), unaligned);
  drill.expect_exact();
  drill.expect_nothing_open_after_cancel();
  EXPECT_THAT(checkpoint_files(cluster), ::testing::IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(
    Jobs, KeyedStormTest,
    ::testing::Combine(::testing::Values(Job{"KeyedCountOnHashmap", keyed_count_drill("hashmap")},
                                         Job{"KeyedCountOnRocksDb", keyed_count_drill("rocksdb")},
                                         Job{"TumblingWindowsOnHashmap",
                                             window_sum_drill("hashmap", {1000, 1000})},
                                         Job{"SlidingWindowsOnRocksDb",
                                             window_sum_drill("rocksdb", {5000, 1000})}),
                       ::testing::Bool()),
    [](const auto& storm) { return name_of(storm.param); });

}  // namespace
}  // namespace weir::cluster_test
