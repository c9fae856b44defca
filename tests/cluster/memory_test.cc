// That TaskManagers stay within their memory; memory_campaign_test is the long form.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cluster/keyed_jobs.h"
#include "tests/cluster/resource_series.h"
#include "tests/cluster/stalled_receiver.h"

namespace weir::cluster_test {
namespace {

using std::chrono_literals::operator""s;
using ::testing::HasSubstr;

TEST(MemoryTest, AStalledReceiverFillsNobodysMemory) {
  run_stalled_receiver(20s);
}

TEST(MemoryTest, AStateThatDoesNotFitFailsTheJobAndNotTheProcess) {
  constexpr int kProcessMib = 256;
  DrillOptions options = keyed_count_drill("hashmap");
  options.library = "tests/jobs/large_state";
  options.cluster.taskmanagers = 1;
  options.cluster.config["taskmanager.memory.process.size"] = std::to_string(kProcessMib) + " mb";
  options.cluster.config["restart-strategy.fixed-delay.attempts"] = "1";
  options.records_per_second = 20'000;
  options.input_arguments = {"--kind", "keyed", "--keys", "1000000"};
  ProcessedDrill drill(KafkaFixture::shared(), options);
  MiniCluster& cluster = drill.cluster();
  const pid_t taskmanager = cluster.pid("taskmanager-1");
  drill.start();
  cluster.wait_until("the job to fail for good",
                     [&] { return cluster.job_state(drill.job()) == "FAILED"; });
  EXPECT_THAT(cluster.weir({"status", drill.job()}).output,
              HasSubstr("for the hashmap backend: set state.backend.type to rocksdb"));
  EXPECT_TRUE(cluster.running("taskmanager-1"));
  EXPECT_LT(process_usage(taskmanager).peak_mib, kProcessMib);
  drill.stop_input();
}

}  // namespace
}  // namespace weir::cluster_test
