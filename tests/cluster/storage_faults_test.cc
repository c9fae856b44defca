// The row of the fault table in docs/exactly-once.md about checkpoint storage: full, read-only,
// truncated, altered.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "tests/cluster/kill_drill.h"

namespace weir::cluster_test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// A file system of 1 MiB in memory, on a folder, until its destruction.
class SmallDisk {
 public:
  explicit SmallDisk(std::string folder) : folder_(std::move(folder)) {
    std::filesystem::create_directories(folder_);
    if (mount("tmpfs", folder_.c_str(), "tmpfs", 0, "size=1m") != 0) {
      why_not_ = std::string("mounting a disk needs root: ") + strerror(errno);
    }
  }
  ~SmallDisk() {
    if (why_not_.empty()) umount2(folder_.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  const std::string& why_not() const { return why_not_; }
  void fill() {
    std::ofstream file(folder_ + "/ballast");
    const std::string page(4096, 'x');
    while (file << page << std::flush) {
    }
  }
  void empty() { std::filesystem::remove(folder_ + "/ballast"); }
  void set_read_only(bool read_only) {
    const unsigned long flags = MS_REMOUNT | (read_only ? MS_RDONLY : 0);
    ASSERT_EQ(mount("tmpfs", folder_.c_str(), "tmpfs", flags, "size=1m"), 0) << strerror(errno);
  }

 private:
  const std::string folder_;
  std::string why_not_;
};

class FullOrReadOnlyTest : public ::testing::Test {
 protected:
  FullOrReadOnlyTest() : drill_(KafkaFixture::shared(), options()) {}

  static DrillOptions options() {
    DrillOptions options;
    options.cluster.config = {{"restart-strategy.fixed-delay.delay", "300 ms"}};
    return options;
  }

  // Lets the disk fail until the job says so, then mends it.
  template <typename Break, typename Mend>
  void run(Break break_disk, Mend mend_disk, const std::string& cause) {
    SmallDisk disk(drill_.cluster().checkpoints_folder());
    if (!disk.why_not().empty()) GTEST_SKIP() << disk.why_not();
    MiniCluster& cluster = drill_.cluster();
    drill_.start();
    drill_.wait_for_checkpoints(drawn(3, 1, 12));
    const std::uint64_t generation = drill_.generation();
    break_disk(disk);
    cluster.wait_until("a failure for the disk's sake", [&] { return drill_.restarts() > 0; });
    EXPECT_THAT(cluster.weir({"status", drill_.job()}).output,
                AllOf(HasSubstr(cause), HasSubstr(cluster.checkpoints_folder())));
    mend_disk(disk);
    drill_.wait_for_commits_above(generation);
    drill_.expect_exact();
    drill_.expect_nothing_open_after_cancel();
  }

  ProcessedDrill drill_;
};

TEST_F(FullOrReadOnlyTest, AFullDiskFailsTheCheckpointAndLosesNothing) {
  run([](SmallDisk& disk) { disk.fill(); }, [](SmallDisk& disk) { disk.empty(); },
      "No space left on device");
}

TEST_F(FullOrReadOnlyTest, AReadOnlyDiskFailsTheCheckpointAndLosesNothing) {
  run([](SmallDisk& disk) { disk.set_read_only(true); },
      [](SmallDisk& disk) { disk.set_read_only(false); }, "Read-only file system");
}

TEST(StorageFaultsTest, AWriteThatFailsLosesNothing) {
  DrillOptions options;
  options.cluster.faults_armed = false;
  options.cluster.environment["jobmanager-1"] = {{"WEIR_FAULT", at("job.manifest_write=error")}};
  ProcessedDrill drill(KafkaFixture::shared(), options);
  drill.start();
  arm(drill, Counts::kOnceBothSubtasksCommit);
  drill.cluster().wait_until("a restart", [&] { return drill.restarts() > 0; });
  drill.expect_exact();
  drill.expect_nothing_open_after_cancel();
}

// The newest manifest of the job.
std::string manifest_path(ProcessedDrill& drill) {
  std::string newest;
  std::filesystem::file_time_type time;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(
           drill.cluster().checkpoints_folder() + "/" + drill.job())) {
    if (entry.path().filename() != "_metadata") continue;
    if (newest.empty() || entry.last_write_time() > time) {
      newest = entry.path();
      time = entry.last_write_time();
    }
  }
  return newest;
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

// Everything is down while the manifest that the next recovery needs is damaged.
void run_damaged(const std::function<std::string(std::string)>& damage) {
  const InterruptedCommit interrupted(KafkaFixture::shared(), {});
  ProcessedDrill& drill = *interrupted.drill;
  MiniCluster& cluster = drill.cluster();
  const std::string path = manifest_path(drill);
  write_file(path, damage(read_file(path)));
  for (const char* name : {"jobmanager-1", "taskmanager-1", "taskmanager-2"}) {
    cluster.restart(name);
  }
  // Refused by name: neither silently begun anew nor from an older checkpoint.
  cluster.wait_until("the refusal", [&] {
    return cluster.weir({"status", drill.job()}).output.find(path) != std::string::npos;
  });
  EXPECT_NE(cluster.job_state(drill.job()), "RUNNING");
  EXPECT_EQ(drill.committed_of(interrupted.open), 0);
  EXPECT_EQ(drill.open_transactions().size(), interrupted.open.size());
}

TEST(StorageFaultsTest, ATruncatedManifestIsRefusedByName) {
  run_damaged(
      [](std::string bytes) { return bytes.substr(0, bytes.size() * drawn(50, 0, 99) / 100); });
}

TEST(StorageFaultsTest, AnAlteredManifestIsRefusedByName) {
  run_damaged([](std::string bytes) {
    bytes[bytes.size() * drawn(50, 0, 99) / 100] ^= 1;
    return bytes;
  });
}

}  // namespace
}  // namespace weir::cluster_test
