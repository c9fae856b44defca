// The main job in a storm: TaskManagers, JobManager and broker are killed and paused at random
// while a million records flow. WEIR_DRILL_SEED repeats a storm.
#include <gtest/gtest.h>

#include <chrono>
#include <iostream>

#include "tests/cluster/kill_drill.h"
#include "tests/cluster/storm.h"

namespace weir::cluster_test {
namespace {

using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr int kRecords = 1'000'000;
constexpr int kRecordsPerSecond = 10'000;
constexpr int kFaults = 14;
constexpr seconds kInputTime{kRecords / kRecordsPerSecond};

TEST(StormTest, LeavesTheOutputExact) {
  KafkaFixture kafka;
  DrillOptions options;
  options.cluster.taskmanagers = 3;
  options.checkpoint_interval = "500ms";
  options.records = kRecords;
  options.records_per_second = kRecordsPerSecond;
  ProcessedDrill drill(kafka, options);
  const auto begin = steady_clock::now();
  drill.start();
  Storm storm(drill.cluster(), kafka, storm_seed(),
              {"taskmanager-1", "taskmanager-2", "taskmanager-3", "jobmanager-1", "broker"});
  for (int i = 0; i < kFaults; ++i) storm.strike();
  ASSERT_LT(steady_clock::now() - begin, kInputTime * 9 / 10) << "the storm outlasted its input";
  drill.wait_for_input(kInputTime * 3);
  std::cout << drill.restarts() << " restarts" << std::endl;
  drill.expect_exact();
  drill.expect_nothing_open_after_cancel();
}

}  // namespace
}  // namespace weir::cluster_test
