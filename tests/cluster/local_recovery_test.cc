// With execution.state-recovery.from-local a restart on the same machines takes keyed state from
// there, and nothing from the checkpoint's storage.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <regex>
#include <string>
#include <vector>

#include "common/file_descriptor.h"
#include "connectors/socket/testing/line_server.h"
#include "tests/cluster/mini_cluster.h"

namespace weir::cluster_test {
namespace {

using socket::testing::LineServer;
using socket::testing::send_text;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::Field;
using ::testing::Gt;
using ::testing::SizeIs;

// Of one subtask, as it says in the log.
struct Restore {
  int local_bytes = 0;
  int stored_bytes = 0;
};

// examples/word_count with a subtask on each of two TaskManagers.
class LocalRecoveryTest : public ::testing::TestWithParam<const char*> {
 protected:
  LocalRecoveryTest()
      : cluster_({.taskmanagers = 2,
                  .slots = 1,
                  .config = {{"heartbeat.interval", "100 ms"}},
                  .environment = {}}) {}

  void submit() {
    job_ = cluster_.submit(
        "examples/word_count",
        {"--parallelism=2", "--port", std::to_string(server_.port()),
         "--checkpoint-interval=100ms"},
        {"-Dexecution.state-recovery.from-local=true",
         std::string("-Dstate.backend.type=") + GetParam(),
         "-Dexecution.checkpointing.incremental=true", "-Drestart-strategy.type=fixed-delay",
         "-Drestart-strategy.fixed-delay.attempts=9",
         "-Drestart-strategy.fixed-delay.delay=100ms"});
  }
  std::string logs() { return cluster_.log("taskmanager-1") + cluster_.log("taskmanager-2"); }
  void wait_for_print(const std::string& what) {
    cluster_.wait_until("'" + what + "' to be printed",
                        [&] { return logs().find("> " + what + "\n") != std::string::npos; });
  }
  void wait_for_checkpoint() {  // that begins from now on
    const int completed = cluster_.completed_checkpoints(job_);
    cluster_.wait_until("two checkpoints",
                        [&] { return cluster_.completed_checkpoints(job_) >= completed + 2; });
  }
  std::vector<Restore> restores() {
    static const std::regex kSaid(
        "is restored: (\\d+) bytes from copies on this machine, (\\d+) bytes from");
    const std::string text = logs();
    std::vector<Restore> found;
    for (std::sregex_iterator at(text.begin(), text.end(), kSaid), end; at != end; ++at) {
      found.push_back({std::stoi((*at)[1]), std::stoi((*at)[2])});
    }
    return found;
  }
  int folders_of_copies() {
    int folders = 0;
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(cluster_.folder() + "/tmp")) {
      folders += entry.path().filename().string().find("-copies-") != std::string::npos ? 1 : 0;
    }
    return folders;
  }

  LineServer server_;
  MiniCluster cluster_;
  std::string job_;
};

TEST_P(LocalRecoveryTest, ARestartReadsNothingFromTheCheckpointsStorage) {
  submit();
  {
    const FileDescriptor client = server_.accept();
    send_text(client, "a b c d e f g h i j k l\n");
    wait_for_print("(l,1)");
    wait_for_checkpoint();
    EXPECT_EQ(folders_of_copies(), 2);
    send_text(client, "error\n");
  }
  {
    const FileDescriptor client = server_.accept();
    send_text(client, "a b c d e f g h i j k l\n");
    wait_for_print("(l,2)");
    EXPECT_THAT(restores(), AllOf(SizeIs(2), Each(Field(&Restore::local_bytes, Gt(0))),
                                  Each(Field(&Restore::stored_bytes, 0))));
    wait_for_checkpoint();
    // A process that is gone has taken its copies along.
    cluster_.restart("taskmanager-2");
  }
  const FileDescriptor client = server_.accept();
  send_text(client, "a b c d e f g h i j k l\n");
  wait_for_print("(l,3)");
  const std::vector<Restore> all = restores();
  ASSERT_THAT(all, SizeIs(4));
  EXPECT_GT(all[2].local_bytes + all[3].local_bytes, 0);
  EXPECT_GT(all[2].stored_bytes + all[3].stored_bytes, 0);
  EXPECT_EQ(cluster_.weir({"cancel", job_}).exit_code, 0);
  cluster_.wait_until("copies to be deleted", [&] { return folders_of_copies() == 0; });
}

INSTANTIATE_TEST_SUITE_P(Backends, LocalRecoveryTest, ::testing::Values("hashmap", "rocksdb"),
                         [](const auto& backend) { return std::string(backend.param); });

}  // namespace
}  // namespace weir::cluster_test
