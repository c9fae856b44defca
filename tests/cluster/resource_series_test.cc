// The check that ten thousand checkpoints leave everything flat must be able to fail.
#include "tests/cluster/resource_series.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <latch>
#include <memory>
#include <thread>

#include "tests/cluster/process.h"

namespace weir::cluster_test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr int kSamples = 12;

TEST(ResourceSeriesTest, NoiseIsFlat) {
  ResourceSeries series({{"fds", 2}});
  for (int i = 0; i < kSamples; ++i) series.add(i, {i % 3 == 0 ? 48.0 : 40.0});
  EXPECT_THAT(series.grown(), IsEmpty());
}

TEST(ResourceSeriesTest, AJumpThatStaysIsFound) {
  ResourceSeries series({{"fds", 2}, {"threads", 2}});
  for (int i = 0; i < kSamples; ++i) series.add(i * 100, {i < 6 ? 40.0 : 43.0, 7.0});
  EXPECT_THAT(series.grown(), ElementsAre("fds: 40 → 43, at most 2 more"));
  EXPECT_THAT(series.table(), StartsWith("checkpoints  fds  threads  \n"
                                         "          0   40        7  \n"));
}

// This process loses a descriptor, a thread and a MiB with every sample.
TEST(ResourceSeriesTest, LeaksOfAProcessAreFound) {
  ResourceSeries series({{"fds", 3}, {"threads", 3}, {"MiB", 3}});
  std::vector<int> descriptors;
  std::vector<std::unique_ptr<char[]>> memory;
  std::latch end(1);
  std::vector<std::jthread> threads;
  for (int i = 0; i < kSamples; ++i) {
    const ProcessUsage usage = process_usage(getpid());
    series.add(i, {static_cast<double>(usage.file_descriptors), static_cast<double>(usage.threads),
                   usage.memory_mib});
    descriptors.push_back(open("/dev/null", O_RDONLY));
    constexpr std::size_t kMiB = 1 << 20;
    std::memset(memory.emplace_back(std::make_unique<char[]>(kMiB)).get(), 1, kMiB);
    threads.emplace_back([&end] { end.wait(); });
  }
  end.count_down();
  for (const int descriptor : descriptors) close(descriptor);
  EXPECT_THAT(series.grown(),
              ElementsAre(StartsWith("fds: "), StartsWith("threads: "), StartsWith("MiB: ")));
}

TEST(ResourceSeriesTest, FilesOfAFolderAreCounted) {
  const std::string folder = make_temporary_folder("weir-resource-series");
  std::filesystem::create_directories(folder + "/inner");
  std::ofstream(folder + "/inner/file") << std::string(2048, 'x');
  const FolderUsage usage = folder_usage(folder);
  std::filesystem::remove_all(folder);
  EXPECT_EQ(usage.files, 2);
  EXPECT_EQ(usage.size_kib, 2);
}

}  // namespace
}  // namespace weir::cluster_test
