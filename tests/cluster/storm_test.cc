// The main job in a storm: TaskManagers, JobManager and broker are killed and paused at random
// while a million records flow. WEIR_DRILL_SEED repeats a storm.
#include <gtest/gtest.h>

#include <chrono>
#include <iostream>
#include <random>
#include <thread>

#include "tests/cluster/kill_drill.h"

namespace weir::cluster_test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr int kRecords = 1'000'000;
constexpr int kRecordsPerSecond = 10'000;
constexpr int kFaults = 14;
constexpr seconds kInputTime{kRecords / kRecordsPerSecond};

class Storm {
 public:
  Storm(ProcessedDrill& drill, KafkaFixture& kafka, unsigned seed)
      : cluster_(drill.cluster()), kafka_(kafka), random_(seed) {}

  // One fault, after a random pause.
  void strike() {
    pause(0, 4000);
    static const char* const kVictims[] = {"taskmanager-1", "taskmanager-2", "taskmanager-3",
                                           "jobmanager-1", "broker"};
    const std::string victim = kVictims[draw(0, 4)];
    const bool kill = draw(0, 2) > 0;
    std::cout << (kill ? "SIGKILL " : "SIGSTOP ") << victim << std::endl;
    if (victim == "broker") {
      kill ? kafka_.kill(1) : kafka_.pause(1);
      pause(0, 1000);
      kill ? kafka_.restart(1) : kafka_.resume(1);
    } else if (kill) {
      cluster_.kill(victim);
      pause(0, 2000);
      cluster_.restart(victim);
    } else {
      cluster_.pause(victim);
      pause(0, 4000);  // shorter and longer than the heartbeat timeout
      cluster_.resume(victim);
    }
  }

 private:
  int draw(int min, int max) { return std::uniform_int_distribution(min, max)(random_); }
  void pause(int min_ms, int max_ms) {
    std::this_thread::sleep_for(milliseconds(draw(min_ms, max_ms)));
  }

  MiniCluster& cluster_;
  KafkaFixture& kafka_;
  std::mt19937 random_;
};

TEST(StormTest, LeavesTheOutputExact) {
  const unsigned seed = drill_seed().value_or(std::random_device{}());
  std::cout << "WEIR_DRILL_SEED=" << seed << std::endl;
  KafkaFixture kafka;
  DrillOptions options;
  options.cluster.taskmanagers = 3;
  options.checkpoint_interval = "500ms";
  options.records = kRecords;
  options.records_per_second = kRecordsPerSecond;
  ProcessedDrill drill(kafka, options);
  const auto begin = steady_clock::now();
  drill.start();
  Storm storm(drill, kafka, seed);
  for (int i = 0; i < kFaults; ++i) storm.strike();
  ASSERT_LT(steady_clock::now() - begin, kInputTime * 9 / 10) << "the storm outlasted its input";
  drill.wait_for_input(kInputTime * 3);
  std::cout << drill.restarts() << " restarts" << std::endl;
  drill.expect_exact();
  drill.expect_nothing_open_after_cancel();
}

}  // namespace
}  // namespace weir::cluster_test
