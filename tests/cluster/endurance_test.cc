// Ten thousand checkpoints: nothing grows, neither in the processes nor in their folders nor in the
// broker.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <iostream>

#include "tests/cluster/processed_drill.h"
#include "tests/cluster/resource_series.h"

namespace weir::cluster_test {
namespace {

constexpr int kWarmUp = 1'000;
constexpr int kCheckpoints = 10'000;
constexpr int kCheckpointsPerSample = 250;
constexpr const char* kProcesses[] = {"jobmanager-1", "taskmanager-1", "taskmanager-2"};

ResourceSeries make_series() {
  std::vector<ResourceColumn> columns;
  for (const char* name : {"jm", "tm1", "tm2"}) {
    // Handles come and go, and sockets with them; the allocator keeps what it may need again.
    columns.push_back({std::string(name) + " fds", 3});
    columns.push_back({std::string(name) + " threads", 2});
    columns.push_back({std::string(name) + " MiB", 3});
  }
  columns.push_back({"checkpoint files", 5});
  columns.push_back({"KiB", 20});
  columns.push_back({"metadata files", 1});
  columns.push_back({"KiB", 4});
  // An id whose init had to be retried, as when the broker stumbles, isn't used again.
  columns.push_back({"transactional ids", 4});
  return ResourceSeries(columns);
}

std::vector<double> measure(ProcessedDrill& drill) {
  MiniCluster& cluster = drill.cluster();
  std::vector<double> values;
  for (const char* name : kProcesses) {
    const ProcessUsage usage = process_usage(cluster.pid(name));
    values.push_back(usage.file_descriptors);
    values.push_back(usage.threads);
    values.push_back(usage.memory_mib);
  }
  for (const std::string& folder : {cluster.checkpoints_folder(), cluster.metadata_folder()}) {
    const FolderUsage usage = folder_usage(folder);
    values.push_back(usage.files);
    values.push_back(usage.size_kib);
  }
  values.push_back(static_cast<double>(drill.transactions().size()));
  return values;
}

TEST(EnduranceTest, NothingGrowsOverTenThousandCheckpoints) {
  DrillOptions options;
  options.checkpoint_interval = "50ms";
  options.records_per_second = 1'000;
  ProcessedDrill drill(KafkaFixture::shared(), options);
  MiniCluster& cluster = drill.cluster();
  const auto begin = std::chrono::steady_clock::now();
  drill.start();
  ResourceSeries series = make_series();
  for (int due = kWarmUp; due <= kCheckpoints; due += kCheckpointsPerSample) {
    cluster.wait_until(
        std::to_string(due) + " checkpoints",
        [&] { return cluster.completed_checkpoints(drill.job()) >= due; }, std::chrono::minutes(5));
    series.add(cluster.completed_checkpoints(drill.job()), measure(drill));
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  std::cout << series.table() << kCheckpoints << " checkpoints in " << took.count() << " s\n";
  EXPECT_THAT(series.grown(), ::testing::IsEmpty());
  EXPECT_EQ(drill.restarts(), 0);
  drill.expect_exact();
  drill.expect_nothing_open_after_cancel();
}

}  // namespace
}  // namespace weir::cluster_test
