// The row of the fault table in docs/exactly-once.md about a cut network. The program moves into a
// network of its own, where it drops packets as it likes.
#include <gtest/gtest.h>
#include <sched.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/cluster/drill_seed.h"
#include "tests/cluster/processed_drill.h"

namespace weir::cluster_test {
namespace {

void run_or_throw(const std::vector<std::string>& command) {
  const CommandResult result = run_command(command);
  if (result.exit_code != 0) throw std::runtime_error(command[0] + ": " + result.errors);
}

// Drops what is sent to or from a TCP port, from construction to destruction.
class Cut {
 public:
  enum class Direction { kBoth, kFromPort };
  Cut(int port, Direction direction) {
    const std::string number = std::to_string(port);
    const std::string rule = "add rule inet weir_cut cut tcp ";
    std::string rules =
        "add table inet weir_cut; "
        "add chain inet weir_cut cut { type filter hook input priority 0 ; }; ";
    rules += rule + "sport " + number + " drop; ";
    if (direction == Direction::kBoth) rules += rule + "dport " + number + " drop; ";
    run_or_throw({"nft", rules});
  }
  ~Cut() { run_command({"nft", "delete table inet weir_cut"}); }
  Cut(const Cut&) = delete;
  Cut& operator=(const Cut&) = delete;
};

class NetworkTest : public ::testing::Test {
 protected:
  // Before the first thread of the program: only the calling thread moves.
  static void SetUpTestSuite() {
    if (unshare(CLONE_NEWNET) != 0) {
      why_not_ = std::string("a network of its own needs root: unshare: ") + strerror(errno);
      return;
    }
    run_or_throw({"ip", "link", "set", "lo", "up"});
  }
  void SetUp() override {
    if (!why_not_.empty()) GTEST_SKIP() << why_not_;
  }

  static std::string why_not_;
};
std::string NetworkTest::why_not_;

void run_jobmanager_cut(Cut::Direction direction) {
  ProcessedDrill drill(KafkaFixture::shared(), {});
  MiniCluster& cluster = drill.cluster();
  drill.start();
  drill.wait_for_checkpoints(drawn(3, 1, 12));
  const std::uint64_t generation = drill.generation();
  {
    const Cut cut(cluster.rpc_port(), direction);
    cluster.wait_until(
        "the TaskManagers to be given up", [&] { return cluster.registered_taskmanagers() == 0; },
        std::chrono::seconds(15));
  }
  drill.wait_for_commits_above(generation);
  drill.expect_exact();
  drill.expect_nothing_open_after_cancel();
}

TEST_F(NetworkTest, CutBetweenJobManagerAndTaskManagersIsAsTheirEnd) {
  run_jobmanager_cut(Cut::Direction::kBoth);
}

TEST_F(NetworkTest, CutInOneDirectionIsAsACutInBoth) {
  run_jobmanager_cut(Cut::Direction::kFromPort);
}

TEST_F(NetworkTest, CutBetweenTaskManagersAndBrokerIsWaitedFor) {
  ProcessedDrill drill(KafkaFixture::shared(), {});
  MiniCluster& cluster = drill.cluster();
  drill.start();
  drill.wait_for_checkpoints(drawn(3, 1, 12));
  const std::string& bootstrap = KafkaFixture::shared().bootstrap();
  const int port = std::stoi(bootstrap.substr(bootstrap.rfind(':') + 1));
  {
    const Cut cut(port, Cut::Direction::kBoth);
    // Usually longer than the heartbeat timeout, and than one request's of the sink.
    std::this_thread::sleep_for(std::chrono::milliseconds(drawn(6000, 500, 9000)));
  }
  const int completed = cluster.completed_checkpoints(drill.job());
  drill.wait_for_checkpoints(completed + 3);
  drill.expect_exact();
  drill.expect_nothing_open_after_cancel();
}

}  // namespace
}  // namespace weir::cluster_test
