// That a TaskManager stays within its memory: with a state five times as large, and with a receiver
// that takes nothing for ten minutes.
#include <gtest/gtest.h>

#include <iostream>

#include "tests/cluster/keyed_jobs.h"
#include "tests/cluster/resource_series.h"
#include "tests/cluster/stalled_receiver.h"

namespace weir::cluster_test {
namespace {

using std::chrono_literals::operator""min;

constexpr int kProcessMib = 400;  // taskmanager.memory.process.size
constexpr int kKeys = 1'100'000;
constexpr int kStateBytes = 2000;  // of each key
static_assert(std::int64_t{kKeys} * kStateBytes > (std::int64_t{5 * kProcessMib} << 20));
constexpr std::chrono::minutes kPatience{10};

void expect_within_memory(MiniCluster& cluster, const std::string& when) {
  const ProcessUsage usage = process_usage(cluster.pid("taskmanager-1"));
  std::cout << when << ": at most " << usage.peak_mib << " MiB, now " << usage.memory_mib
            << " MiB of its own\n";
  EXPECT_LT(usage.peak_mib, kProcessMib) << when;
}

TEST(MemoryCampaignTest, AStateOfFiveTimesItsMemoryLeavesTheTaskManagerWithinIt) {
  DrillOptions options = keyed_count_drill("rocksdb");
  options.library = "tests/jobs/large_state";
  options.cluster.taskmanagers = 1;
  options.cluster.config["taskmanager.memory.process.size"] = std::to_string(kProcessMib) + " mb";
  options.job_arguments.insert(options.job_arguments.end(),
                               {"--state-bytes", std::to_string(kStateBytes)});
  options.checkpoint_interval = "5s";
  options.records = kKeys * 3 / 2;
  options.records_per_second = 12'000;
  options.input_arguments = {"--kind", "keyed", "--keys", std::to_string(kKeys)};
  KafkaFixture& kafka = KafkaFixture::shared();
  ProcessedDrill drill(kafka, options);
  MiniCluster& cluster = drill.cluster();
  drill.start();
  const auto output = [&] { return kafka.read_committed(drill.output_topic()).size(); };
  const auto stored_mib = [&] {
    return folder_usage(cluster.checkpoints_folder()).size_kib / 1024;
  };
  cluster.wait_until(
      "files of five times the memory", [&] { return stored_mib() > 5 * kProcessMib; }, kPatience);
  cluster.wait_until("all keys", [&] { return output() >= kKeys; }, kPatience);
  expect_within_memory(cluster, "growing");

  cluster.restart("taskmanager-1");
  cluster.wait_until("all records", [&] { return output() >= kKeys * 3 / 2; }, kPatience);
  expect_within_memory(cluster, "restored");
  drill.expect_exact();
  EXPECT_EQ(drill.restarts(), 1);
  drill.expect_nothing_open_after_cancel();
}

TEST(MemoryCampaignTest, AReceiverThatTakesNothingForTenMinutesFillsNobodysMemory) {
  run_stalled_receiver(10min);
}

}  // namespace
}  // namespace weir::cluster_test
