// Jobs with keyed state on their way through parallelism 2, 3, 1 and 4, with a process killed at
// each, and in the midst of a rescale: what they count and sum is exact all the while.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <nlohmann/json.hpp>
#include <ostream>

#include "tests/cluster/keyed_jobs.h"
#include "tests/cluster/kill_drill.h"

namespace weir::cluster_test {
namespace {

using ::testing::HasSubstr;

constexpr Windows kTumbling{1000, 1000};
constexpr Windows kSliding{5000, 1000};

struct Job {
  std::string name;
  DrillOptions options;
  bool has_late_records = false;
};

void PrintTo(const Job& job, std::ostream* stream) {
  *stream << job.name;
}

class KeyedRescaleTest : public SharedKafkaTest, public ::testing::WithParamInterface<Job> {};

TEST_P(KeyedRescaleTest, LeavesTheOutputExact) {
  KafkaFixture& kafka = KafkaFixture::shared();
  ProcessedDrill drill(kafka, GetParam().options);
  MiniCluster& cluster = drill.cluster();
  drill.start();
  if (GetParam().has_late_records) write_late_records(drill, kafka);
  for (const int parallelism : {3, 1, 4}) {
    drill.wait_for_progress();
    static const char* const kVictims[] = {"taskmanager-1", "taskmanager-2", "jobmanager-1"};
    cluster.restart(kVictims[drawn(parallelism % 3, 0, 2)]);
    drill.wait_for_progress();
    drill.rescale(parallelism);
  }
  drill.wait_for_progress();
  drill.expect_exact();
  drill.expect_exact_after_cancel();
  EXPECT_THAT(checkpoint_files(cluster), ::testing::IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Jobs, KeyedRescaleTest,
                         ::testing::Values(Job{"KeyedCountOnHashmap", keyed_count_drill("hashmap")},
                                           Job{"KeyedCountOnRocksDb", keyed_count_drill("rocksdb")},
                                           Job{"SlidingWindowsOnHashmap",
                                               window_sum_drill("hashmap", kSliding), true},
                                           Job{"TumblingWindowsOnRocksDb",
                                               window_sum_drill("rocksdb", kTumbling), true}),
                         [](const auto& job) { return job.param.name; });

// A process dies while `weir rescale` is under way.
struct RescaleFault {
  std::string name;
  std::string victim;
  std::string fault;
  // What was asked for comes about: at once, or when the command asks the next JobManager.
  bool is_done = true;
};

void PrintTo(const RescaleFault& fault, std::ostream* stream) {
  *stream << fault.victim << ": " << fault.fault;
}

class RescaleFaultsTest : public SharedKafkaTest,
                          public ::testing::WithParamInterface<RescaleFault> {};

TEST_P(RescaleFaultsTest, LeavesTheOutputExact) {
  const RescaleFault& row = GetParam();
  DrillOptions options = keyed_count_drill("rocksdb");
  options.checkpoint_interval = "3s";  // the one after the fault is armed is the rescale's
  options.cluster.faults_armed = false;
  options.cluster.environment[row.victim] = {{"WEIR_FAULT", row.fault + "=kill"}};
  ProcessedDrill drill(KafkaFixture::shared(), options);
  MiniCluster& cluster = drill.cluster();
  drill.start();
  drill.wait_for_checkpoints(drawn(1, 1, 3));
  cluster.arm_faults();
  std::future<CommandResult> command = std::async(
      std::launch::async, [&] { return cluster.weir({"rescale", drill.job(), "-p", "3"}); });
  wait_for_death(cluster, row.victim);
  cluster.restart(row.victim);
  const CommandResult result = command.get();
  EXPECT_EQ(result.exit_code == 0, row.is_done) << result.errors;
  EXPECT_THAT(result.errors, HasSubstr(row.is_done ? "" : "the job keeps parallelism 2"));
  drill.wait_for_progress();
  const nlohmann::json vertices = cluster.rest("/jobs/" + drill.job()).at("vertices");
  EXPECT_EQ(vertices.at(0).at("parallelism").get<int>(), row.is_done ? 3 : 2);
  drill.expect_exact();
  drill.expect_exact_after_cancel();
  EXPECT_THAT(checkpoint_files(cluster), ::testing::IsEmpty());
}

const RescaleFault kRescaleFaults[] = {
    {"BarrierReceived", "taskmanager-1", "task.barrier_received", false},
    {"StoredNotAcknowledged", "taskmanager-1", "task.snapshot_before_ack", false},
    {"RestoringAtTheNewParallelism", "taskmanager-1", "task.restoring_state"},
    {"AllAcknowledgedNotPublished", "jobmanager-1", "job.before_publish"},
    {"BeforeThePointer", "jobmanager-1", "job.before_pointer"},
    {"PointerWritten", "jobmanager-1", "job.pointer_written"},
};

INSTANTIATE_TEST_SUITE_P(Rows, RescaleFaultsTest, ::testing::ValuesIn(kRescaleFaults),
                         [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace weir::cluster_test
