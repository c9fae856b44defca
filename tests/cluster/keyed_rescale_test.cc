// Jobs with keyed state on their way through parallelism 2, 3, 1 and 4, with a process killed at
// each: what they count and sum is exact all the while.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>

#include "tests/cluster/keyed_jobs.h"
#include "tests/cluster/kill_drill.h"

namespace weir::cluster_test {
namespace {

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

}  // namespace
}  // namespace weir::cluster_test
