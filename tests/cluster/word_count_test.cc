// examples/word_count fails at each line "error", comes back as its restart strategy says, and
// counts on: from Kafka exactly, from a socket without what it said since the last checkpoint.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <stdexcept>

#include "common/file_descriptor.h"
#include "connectors/socket/testing/line_server.h"
#include "tests/cluster/kafka_fixture.h"
#include "tests/cluster/mini_cluster.h"

namespace weir::cluster_test {
namespace {

using socket::testing::LineServer;
using socket::testing::send_text;
using ::testing::AllOf;
using ::testing::HasSubstr;

class WordCountDrill {
 public:
  // Both subtasks in one process, whose output is the job's.
  WordCountDrill() : cluster_({.taskmanagers = 1, .slots = 2, .config = {}, .environment = {}}) {}

  MiniCluster& cluster() { return cluster_; }
  const std::string& job() const { return job_; }

  void submit(const std::vector<std::string>& arguments, const std::vector<std::string>& flags) {
    std::vector<std::string> all = {"--parallelism=2"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    job_ = cluster_.submit("examples/word_count", all, flags);
  }
  void wait_for_print(const std::string& what) {
    cluster_.wait_until("'" + what + "' to be printed", [&] {
      return cluster_.log("taskmanager-1").find("> " + what + "\n") != std::string::npos;
    });
  }
  // One that begins now or later is complete.
  void wait_for_checkpoint() {
    const int completed = cluster_.completed_checkpoints(job_);
    cluster_.wait_until("two checkpoints",
                        [&] { return cluster_.completed_checkpoints(job_) >= completed + 2; });
  }
  void wait_for_state(const std::string& state) {
    cluster_.wait_until("the job to be " + state,
                        [&] { return cluster_.job_state(job_) == state; });
  }
  std::string status() { return cluster_.weir({"status", job_}).output; }

 private:
  MiniCluster cluster_;
  std::string job_;
};

constexpr const char* kOften = "--checkpoint-interval=100ms";

struct Strategy {
  std::string name;
  std::vector<std::string> flags;
  int restarts = 0;
};

class RestartStrategyTest : public ::testing::TestWithParam<Strategy> {};

TEST_P(RestartStrategyTest, EachFailureRestartsAndTheCountsGoOn) {
  LineServer server;
  WordCountDrill drill;
  drill.submit({"--port", std::to_string(server.port()), kOften}, GetParam().flags);
  for (int attempt = 0; attempt <= GetParam().restarts; ++attempt) {
    const FileDescriptor client = server.accept();
    send_text(client, "to be or not to be\n");
    drill.wait_for_print("(be," + std::to_string(2 * attempt + 2) + ")");
    drill.wait_for_checkpoint();
    send_text(client, "error\n");
  }
  drill.wait_for_state("FAILED");
  EXPECT_THAT(drill.status(), AllOf(HasSubstr("first fault: "), HasSubstr("attempt 0"),
                                    HasSubstr("a line says 'error'")));
}

INSTANTIATE_TEST_SUITE_P(
    WordCountTest, RestartStrategyTest,
    ::testing::Values(Strategy{"None", {"-Drestart-strategy.type=none"}, 0},
                      Strategy{"FixedDelay",
                               {"-Drestart-strategy.type=fixed-delay",
                                "-Drestart-strategy.fixed-delay.attempts=2",
                                "-Drestart-strategy.fixed-delay.delay=100ms"},
                               2},
                      Strategy{
                          "ExponentialDelay",
                          {"-Drestart-strategy.type=exponential-delay",
                           "-Drestart-strategy.exponential-delay.initial-backoff=50ms",
                           "-Drestart-strategy.exponential-delay.attempts-before-reset-backoff=3"},
                          3},
                      Strategy{"FailureRate",
                               {"-Drestart-strategy.type=failure-rate",
                                "-Drestart-strategy.failure-rate.max-failures-per-interval=2",
                                "-Drestart-strategy.failure-rate.delay=100ms"},
                               2}),
    [](const auto& info) { return info.param.name; });

TEST(WordCountTest, ASocketsWordsSinceTheLastCheckpointAreLost) {
  LineServer server;
  WordCountDrill drill;
  drill.submit(
      {"--port", std::to_string(server.port()), "--checkpoint-interval=5min"},
      {"-Drestart-strategy.type=fixed-delay", "-Drestart-strategy.fixed-delay.delay=100ms"});
  const FileDescriptor first = server.accept();
  send_text(first, "to be or not to be\n");
  drill.wait_for_print("(be,2)");
  send_text(first, "error\n");
  const FileDescriptor second = server.accept();
  send_text(second, "be it\n");
  drill.wait_for_print("(be,1)");
  EXPECT_EQ(drill.cluster().weir({"cancel", drill.job()}).exit_code, 0);
}

TEST(WordCountTest, WhoeverSubmitsAJobWithASocketIsToldWhatItPromises) {
  LineServer server;
  MiniCluster cluster({.taskmanagers = 1, .slots = 1, .config = {}, .environment = {}});
  const CommandResult submitted =
      cluster.weir({"run", "-d", WEIR_BINARY_DIR "/examples/word_count.so", "--port",
                    std::to_string(server.port())});
  EXPECT_EQ(submitted.exit_code, 0);
  EXPECT_THAT(submitted.errors, AllOf(HasSubstr("Note on 'socket': "), HasSubstr("at most once")));
}

std::string newest_checkpoint(const std::string& folder) {
  std::map<int, std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with("chk-") || !std::filesystem::exists(entry.path() / "_metadata")) continue;
    found[std::stoi(name.substr(4))] = entry.path();
  }
  if (found.empty()) throw std::runtime_error("no checkpoint in " + folder);
  return found.rbegin()->second;
}

// "word,1" … "word,n" for each word.
std::vector<std::string> running_counts(const std::vector<std::string>& words) {
  std::map<std::string, int> counts;
  std::vector<std::string> result;
  for (const std::string& word : words) {
    result.push_back(word + "," + std::to_string(++counts[word]));
  }
  return result;
}

// A line that can't be taken fails every attempt. What came before it, and beside it in other
// partitions, is counted exactly once; so is the rest, by a job that takes the line.
TEST(WordCountTest, KafkasWordsAreCountedExactlyThroughFailuresAndAMendedJob) {
  KafkaFixture& kafka = KafkaFixture::shared();
  const std::string in = kafka.create_topic("words", 3);
  const std::string out = kafka.create_topic("counts", 3);
  std::vector<std::string> words;
  const auto produce = [&](int count) {
    std::vector<std::string> lines;
    for (int i = 0; i < count; ++i) lines.push_back("word" + std::to_string(i % 17));
    kafka.produce(in, lines);
    words.insert(words.end(), lines.begin(), lines.end());
  };
  const std::vector<std::string> arguments = {"--source=kafka",
                                              "--brokers",
                                              kafka.bootstrap(),
                                              "--in",
                                              in,
                                              "--out",
                                              out,
                                              "--group",
                                              out,
                                              "--transactional-id-prefix",
                                              out,
                                              kOften,
                                              "--state-backend=rocksdb"};
  WordCountDrill drill;
  produce(1'000);
  drill.submit(arguments,
               {"-Drestart-strategy.type=fixed-delay", "-Drestart-strategy.fixed-delay.attempts=3",
                "-Drestart-strategy.fixed-delay.delay=100ms"});
  drill.cluster().wait_until("the first counts",
                             [&] { return kafka.read_committed(out).size() == words.size(); });
  kafka.produce(in, {"error"});
  words.push_back("error");
  produce(1'000);
  drill.wait_for_state("FAILED");
  EXPECT_THAT(drill.status(), AllOf(HasSubstr("first fault: "), HasSubstr("attempt 0"),
                                    HasSubstr("a line says 'error'")));

  std::vector<std::string> mended = arguments;
  mended.push_back("--fail-on=nothing");
  drill.submit(mended,
               {"-s", newest_checkpoint(drill.cluster().checkpoints_folder() + "/" + drill.job())});
  drill.cluster().wait_until("all counts",
                             [&] { return kafka.read_committed(out).size() >= words.size(); });
  EXPECT_EQ(drill.cluster().weir({"cancel", drill.job()}).exit_code, 0);
  EXPECT_EQ(difference(running_counts(words), kafka.read_committed(out)), "");
}

}  // namespace
}  // namespace weir::cluster_test
