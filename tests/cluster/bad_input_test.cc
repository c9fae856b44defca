// Bad input gets one clear line and an exit code, and the cluster goes on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "tests/cluster/kill_drill.h"

namespace weir::cluster_test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const char kProcessed[] = "examples/processed";
const char kTunable[] = "tests/jobs/tunable";

class BadInputTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    kafka_ = &KafkaFixture::shared();
    cluster_ = std::make_unique<MiniCluster>(MiniClusterOptions{
        .taskmanagers = 1,
        .slots = 4,
        .config = {{"slot.request.timeout", "2 s"}, {"restart-strategy.type", "none"}},
        .environment = {}});
    input_ = kafka_->create_topic("in", 3);
    output_ = kafka_->create_topic("out", 3);
    kafka_->produce(input_, {"a", "b", "an error"});

    // Waits for a while, so the other tests go on meanwhile.
    nobody_ = "127.0.0.1:" + std::to_string(free_port());
    std::vector<std::string> command = {std::string(WEIR_BINARY_DIR) + "/bin/weir", "run",
                                        library(kProcessed)};
    for (std::string& word : arguments({{"--brokers", nobody_}})) command.push_back(word);
    without_broker_ = std::make_unique<Process>(
        command, Environment{{"WEIR_CONF_DIR", cluster_->folder() + "/conf"}},
        cluster_->folder() + "/without_broker.log");
  }
  static void TearDownTestSuite() {
    without_broker_.reset();
    cluster_.reset();
  }

  static std::string library(const std::string& name) {
    return std::string(WEIR_BINARY_DIR) + "/" + name + ".so";
  }

  // Of examples/processed, with other values, and more, for some.
  static std::vector<std::string> arguments(std::map<std::string, std::string> other = {}) {
    std::map<std::string, std::string> values = {{"--brokers", kafka_->bootstrap()},
                                                 {"--in", input_},
                                                 {"--out", output_},
                                                 {"--group", "bad-input"},
                                                 {"--transactional-id-prefix", "bad-input"}};
    for (const auto& [key, value] : other) values[key] = value;
    std::vector<std::string> result;
    for (const auto& [key, value] : values) {
      result.push_back(key);
      result.push_back(value);
    }
    return result;
  }

  // `weir run FLAGS LIBRARY ARGUMENTS` in the foreground ends by itself with one line.
  static std::string refusal(const std::vector<std::string>& flags, const std::string& path,
                             const std::vector<std::string>& job_arguments) {
    std::vector<std::string> command = {"run"};
    command.insert(command.end(), flags.begin(), flags.end());
    command.push_back(path);
    command.insert(command.end(), job_arguments.begin(), job_arguments.end());
    return refused(cluster_->weir(command));
  }
  static std::string refused(const CommandResult& result) {
    EXPECT_NE(result.exit_code, 0);
    EXPECT_LT(result.exit_code, 128) << "it didn't end by itself";
    EXPECT_THAT(result.errors, StartsWith("error: "));
    // The job's arguments may be listed below.
    const std::string usage = "\nArguments of the job:";
    const std::string line = result.errors.substr(0, result.errors.find(usage));
    EXPECT_EQ(line.find_first_of('\n'), line.find_last_of('\n')) << result.errors;
    return line;
  }

  static KafkaFixture* kafka_;
  static std::unique_ptr<MiniCluster> cluster_;
  static std::string nobody_;  // an address at which no broker is
  static std::unique_ptr<Process> without_broker_;
  static std::string input_;
  static std::string output_;
};
KafkaFixture* BadInputTest::kafka_ = nullptr;
std::unique_ptr<MiniCluster> BadInputTest::cluster_;
std::string BadInputTest::nobody_;
std::unique_ptr<Process> BadInputTest::without_broker_;
std::string BadInputTest::input_;
std::string BadInputTest::output_;

TEST_F(BadInputTest, UnknownTopics) {
  EXPECT_THAT(refusal({}, library(kProcessed), arguments({{"--in", "no-such-input"}})),
              HasSubstr("no-such-input"));
  EXPECT_THAT(refusal({"-d"}, library(kProcessed), arguments({{"--out", "no-such-output"}})),
              AllOf(HasSubstr("no-such-output"), HasSubstr("create it")));
}

TEST_F(BadInputTest, WrongLibraries) {
  EXPECT_THAT(refusal({}, library("no/such"), arguments()), HasSubstr("no/such.so"));
  EXPECT_THAT(refusal({}, library("tests/jobs/no_job"), arguments()), HasSubstr("WEIR_JOB"));
  EXPECT_THAT(refusal({}, library("tests/jobs/old_job"), arguments()),
              AllOf(HasSubstr("old_job.so"), HasSubstr("built")));
  const std::string text = cluster_->folder() + "/text.so";
  std::ofstream(text) << "no library";
  EXPECT_THAT(refusal({}, text, arguments()), HasSubstr("text.so"));
}

TEST_F(BadInputTest, UnknownKeysAndArguments) {
  EXPECT_THAT(refusal({"-Dexecution.checkpointing.intervall=1s"}, library(kProcessed), arguments()),
              AllOf(HasSubstr("execution.checkpointing.intervall"),
                    HasSubstr("execution.checkpointing.interval'")));
  EXPECT_THAT(refusal({"-Dtaskmanager.memory.process.size=2gb"}, library(kProcessed), arguments()),
              AllOf(HasSubstr("taskmanager.memory.process.size"), HasSubstr("weir.yaml")));
  EXPECT_THAT(refusal({}, library(kProcessed), arguments({{"--nowhere", "x"}})),
              HasSubstr("--nowhere"));
  std::vector<std::string> without_brokers = arguments();
  without_brokers.erase(without_brokers.begin(), without_brokers.begin() + 2);
  EXPECT_THAT(refusal({}, library(kProcessed), without_brokers),
              AllOf(HasSubstr("--brokers"), HasSubstr("missing")));
}

TEST_F(BadInputTest, APrefixThatARunningJobHas) {
  const std::string job = cluster_->submit(kProcessed, arguments());
  EXPECT_THAT(refusal({}, library(kProcessed), arguments({{"--group", "another"}})),
              AllOf(HasSubstr("bad-input"), HasSubstr(job)));
  EXPECT_EQ(cluster_->weir({"cancel", job}).exit_code, 0);
}

TEST_F(BadInputTest, TransactionTimeoutsThatDoNotFit) {
  EXPECT_THAT(
      refusal({}, library(kProcessed), arguments({{"--transaction-timeout", "16min"}})),
      AllOf(HasSubstr("960000"), HasSubstr("900000"), HasSubstr("transaction.max.timeout.ms")));
  EXPECT_THAT(refusal({}, library(kProcessed), arguments({{"--transaction-timeout", "1min"}})),
              AllOf(HasSubstr("60000"), HasSubstr("sink.restart-budget")));
}

TEST_F(BadInputTest, NoFreeSlots) {
  EXPECT_THAT(refusal({"-p", "5"}, library(kProcessed), arguments()),
              AllOf(HasSubstr("5 slots"), HasSubstr("slot.request.timeout")));
}

TEST_F(BadInputTest, ASavepointPathThatIsNone) {
  EXPECT_THAT(refusal({"-s", "/no/such/savepoint"}, library(kProcessed), arguments()),
              HasSubstr("/no/such/savepoint"));
  const std::string folder = cluster_->folder() + "/empty";
  std::filesystem::create_directory(folder);
  EXPECT_THAT(refusal({"-s", folder}, library(kProcessed), arguments()), HasSubstr(folder));
}

TEST_F(BadInputTest, ARecordTooLargeForTheOutput) {
  const std::string in = kafka_->create_topic("large", 1);
  const std::string out = kafka_->create_topic("small", 1, {{"max.message.bytes", "2000"}});
  kafka_->produce(in, {std::string(3000, 'x')});
  EXPECT_THAT(refusal({}, library(kProcessed), arguments({{"--in", in}, {"--out", out}})),
              AllOf(HasSubstr("bytes"), HasSubstr(out), HasSubstr("2000")));
}

TEST_F(BadInputTest, UserCodeThatThrows) {
  const std::string file = cluster_->folder() + "/throw";
  std::ofstream(file) << "yes";
  EXPECT_THAT(refusal({}, library(kTunable), arguments({{"--throw-while", file}})),
              HasSubstr("a record says error"));
}

TEST_F(BadInputTest, JobsAndJobManagersThatAreNotThere) {
  const std::string job(32, '0');
  for (const char* verb : {"status", "cancel", "stop", "savepoint", "checkpoint"}) {
    EXPECT_THAT(refused(cluster_->weir({verb, job})), HasSubstr(job)) << verb;
  }
  EXPECT_THAT(refused(cluster_->weir({"list", "-m", nobody_})), HasSubstr(nobody_));
}

TEST_F(BadInputTest, NoBroker) {
  const std::optional<ExitStatus> ended = without_broker_->wait(std::chrono::seconds(60));
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->code, 1);
  EXPECT_THAT(tail(cluster_->folder() + "/without_broker.log"),
              AllOf(HasSubstr("error: "), HasSubstr("no broker answers"), HasSubstr(nobody_)));
}

}  // namespace
}  // namespace weir::cluster_test
