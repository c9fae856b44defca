// Ten thousand checkpoints: nothing grows, neither in the processes nor in the broker.
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>

#include "tests/cluster/processed_drill.h"

namespace weir::cluster_test {
namespace {

constexpr int kWarmUp = 1'000;
constexpr int kCheckpoints = 10'000;
constexpr const char* kProcesses[] = {"jobmanager-1", "taskmanager-1", "taskmanager-2"};

struct Usage {
  int file_descriptors = 0;
  int threads = 0;
  int memory_kib = 0;
};

Usage usage_of(pid_t pid) {
  const std::string process = "/proc/" + std::to_string(pid);
  Usage usage;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(process + "/fd")) {
    ++usage.file_descriptors;
  }
  std::ifstream status(process + "/status");
  for (std::string line; std::getline(status, line);) {
    std::istringstream words(line);
    std::string key;
    words >> key;
    if (key == "Threads:") words >> usage.threads;
    if (key == "VmRSS:") words >> usage.memory_kib;
  }
  return usage;
}

void print(const std::string& when, const std::map<std::string, Usage>& usages, std::size_t ids) {
  for (const auto& [name, usage] : usages) {
    std::cout << when << " " << name << ": " << usage.file_descriptors << " file descriptors, "
              << usage.threads << " threads, " << usage.memory_kib << " KiB" << std::endl;
  }
  std::cout << when << " broker: " << ids << " transactional ids" << std::endl;
}

TEST(EnduranceTest, NothingGrowsOverTenThousandCheckpoints) {
  DrillOptions options;
  options.checkpoint_interval = "50ms";
  options.records_per_second = 1'000;
  ProcessedDrill drill(KafkaFixture::shared(), options);
  MiniCluster& cluster = drill.cluster();
  drill.start();
  const auto measure = [&] {
    std::map<std::string, Usage> usages;
    for (const char* name : kProcesses) usages[name] = usage_of(cluster.pid(name));
    return usages;
  };
  const auto wait_for = [&](int completed) {
    cluster.wait_until(
        std::to_string(completed) + " checkpoints",
        [&] { return cluster.completed_checkpoints(drill.job()) >= completed; },
        std::chrono::minutes(30));
  };
  wait_for(kWarmUp);
  const std::map<std::string, Usage> before = measure();
  const std::size_t ids_before = drill.transactions().size();
  print("after 1,000 checkpoints,", before, ids_before);
  wait_for(kCheckpoints);
  const std::map<std::string, Usage> after = measure();
  const std::size_t ids_after = drill.transactions().size();
  print("after 10,000 checkpoints,", after, ids_after);

  EXPECT_EQ(drill.restarts(), 0);
  EXPECT_EQ(ids_after, ids_before);
  for (const char* name : kProcesses) {
    // A handle is being made or dropped now and then.
    EXPECT_LE(after.at(name).file_descriptors, before.at(name).file_descriptors + 15) << name;
    EXPECT_LE(after.at(name).threads, before.at(name).threads + 6) << name;
    EXPECT_LE(after.at(name).memory_kib, before.at(name).memory_kib + 20 * 1024) << name;
  }
  drill.expect_exact();
  drill.expect_nothing_open_after_cancel();
}

}  // namespace
}  // namespace weir::cluster_test
