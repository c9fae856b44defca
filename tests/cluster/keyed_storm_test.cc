// Jobs with keyed state in a storm: processes and broker are killed and paused at random,
// TaskManagers come and go, and the parallelism changes while a million records flow.
// WEIR_DRILL_SEED repeats a storm.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <iostream>
#include <ostream>
#include <random>

#include "tests/cluster/drill_seed.h"
#include "tests/cluster/keyed_jobs.h"
#include "tests/cluster/storm.h"

namespace weir::cluster_test {
namespace {

using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr int kRecords = 1'000'000;
constexpr int kRecordsPerSecond = 8'000;
constexpr int kFaultsAtOneParallelism = 4;
constexpr seconds kInputTime{kRecords / kRecordsPerSecond};

struct Job {
  std::string name;
  DrillOptions options;
};

void PrintTo(const Job& job, std::ostream* stream) {
  *stream << job.name;
}

class KeyedStormTest : public ::testing::TestWithParam<Job> {};

TEST_P(KeyedStormTest, LeavesTheOutputExact) {
  const unsigned seed = drill_seed().value_or(std::random_device{}());
  std::cout << "WEIR_DRILL_SEED=" << seed << std::endl;
  KafkaFixture kafka;
  DrillOptions options = GetParam().options;
  options.cluster.taskmanagers = 3;
  options.checkpoint_interval = "500ms";
  options.records = kRecords;
  options.records_per_second = kRecordsPerSecond;
  ProcessedDrill drill(kafka, options);
  MiniCluster& cluster = drill.cluster();
  const auto begin = steady_clock::now();
  drill.start();
  Storm storm(cluster, kafka, seed,
              {"taskmanager-1", "taskmanager-2", "taskmanager-3", "jobmanager-1", "broker"});
  const auto blow = [&] {
    for (int i = 0; i < kFaultsAtOneParallelism; ++i) storm.strike();
    drill.wait_for_progress();
    std::cout << drill.restarts() << " restarts" << std::endl;
  };
  blow();
  drill.rescale(3);
  storm.add_victim(cluster.add_taskmanager());
  blow();
  drill.rescale(1);
  storm.spare("taskmanager-1");
  cluster.kill("taskmanager-1");
  blow();
  drill.rescale(4);
  blow();
  EXPECT_LT(steady_clock::now() - begin, kInputTime) << "the storm outlasted its input";
  drill.wait_for_input(kInputTime * 3);
  drill.expect_exact();
  drill.expect_nothing_open_after_cancel();
  EXPECT_THAT(checkpoint_files(cluster), ::testing::IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(
    Jobs, KeyedStormTest,
    ::testing::Values(Job{"KeyedCountOnHashmap", keyed_count_drill("hashmap")},
                      Job{"KeyedCountOnRocksDb", keyed_count_drill("rocksdb")},
                      Job{"TumblingWindowsOnHashmap", window_sum_drill("hashmap", {1000, 1000})},
                      Job{"SlidingWindowsOnRocksDb", window_sum_drill("rocksdb", {5000, 1000})}),
    [](const auto& job) { return job.param.name; });

}  // namespace
}  // namespace weir::cluster_test
