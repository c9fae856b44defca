#include "tests/cluster/kafka_fixture.h"

#include <librdkafka/rdkafka.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <sstream>
#include <stdexcept>

#include "tests/cluster/process.h"

namespace weir::cluster_test {
namespace {

using std::chrono::seconds;

constexpr int kTimeoutMs = 30'000;

template <auto kDestroy>
struct Destroy {
  template <typename T>
  void operator()(T* object) const {
    kDestroy(object);
  }
};
using Client = std::unique_ptr<rd_kafka_t, Destroy<rd_kafka_destroy>>;
using Queue = std::unique_ptr<rd_kafka_queue_t, Destroy<rd_kafka_queue_destroy>>;
using Event = std::unique_ptr<rd_kafka_event_t, Destroy<rd_kafka_event_destroy>>;
using NewTopic = std::unique_ptr<rd_kafka_NewTopic_t, Destroy<rd_kafka_NewTopic_destroy>>;

void count_undelivered(rd_kafka_t*, const rd_kafka_message_t* message, void* undelivered) {
  if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) --*static_cast<size_t*>(undelivered);
}

// `undelivered` goes down by one with every acknowledged record.
Client make_producer(const std::string& bootstrap, size_t* undelivered) {
  rd_kafka_conf_t* settings = rd_kafka_conf_new();
  char error[512];
  auto set = [&](const char* key, const char* value) {
    if (rd_kafka_conf_set(settings, key, value, error, sizeof(error)) != RD_KAFKA_CONF_OK) {
      throw std::runtime_error(error);
    }
  };
  set("bootstrap.servers", bootstrap.c_str());
  set("enable.idempotence", "true");
  set("queue.buffering.max.messages", "1000000");
  rd_kafka_conf_set_opaque(settings, undelivered);
  rd_kafka_conf_set_dr_msg_cb(settings, count_undelivered);
  Client client(rd_kafka_new(RD_KAFKA_PRODUCER, settings, error, sizeof(error)));
  if (!client) throw std::runtime_error(error);
  return client;
}

std::vector<std::string> split_lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::string run_or_throw(const std::vector<std::string>& command) {
  CommandResult result = run_command(command, {}, seconds(120));
  if (result.exit_code == 0) return result.output;
  std::string text;
  for (const std::string& word : command) text += word + " ";
  throw std::runtime_error(text + "→ exit code " + std::to_string(result.exit_code) + ": " +
                           result.errors + result.output);
}

struct ListedTransaction {
  std::string id;
  int coordinator = 0;
  int64_t producer = 0;
  std::string state;
};

// Reads the table of `TransactionsCommand list`.
std::vector<ListedTransaction> list_transactions(const std::string& table) {
  std::vector<ListedTransaction> listed;
  for (const std::string& line : split_lines(table)) {
    ListedTransaction row;
    std::istringstream columns(line);
    if (columns >> row.id >> row.coordinator >> row.producer >> row.state) listed.push_back(row);
  }
  return listed;
}

// How many values there are and the first of them: ", 3 lost (a b c)".
std::string describe(const char* what, const std::vector<std::string>& values) {
  constexpr size_t kExamples = 5;
  if (values.empty()) return "";
  std::string text = ", " + std::to_string(values.size()) + " " + what + " (";
  for (size_t i = 0; i < std::min(values.size(), kExamples); ++i) text += values[i] + " ";
  text.back() = ')';
  return text;
}

std::string deploy_kafka() {
  return WEIR_SOURCE_DIR "/deploy/kafka";
}

}  // namespace

std::string difference(std::vector<std::string> expected, std::vector<std::string> actual) {
  std::ranges::sort(expected);
  std::ranges::sort(actual);
  std::vector<std::string> lost, more, repeated, strange;
  std::ranges::set_difference(expected, actual, std::back_inserter(lost));
  std::ranges::set_difference(actual, expected, std::back_inserter(more));
  for (const std::string& value : more) {
    (std::ranges::binary_search(expected, value) ? repeated : strange).push_back(value);
  }
  if (lost.empty() && more.empty()) return "";
  return std::to_string(expected.size()) + " expected, " + std::to_string(actual.size()) +
         " found" + describe("lost", lost) + describe("repeated", repeated) +
         describe("strange", strange);
}

KafkaFixture::KafkaFixture(int brokers, const std::map<std::string, std::string>& settings,
                           const std::string& host)
    : folder_(make_temporary_folder("weir-kafka")) {
  std::vector<std::string> command = {
      deploy_kafka(),          "start",  "--dir", folder_,   "--brokers",
      std::to_string(brokers), "--host", host,    "--owner", std::to_string(getpid())};
  for (const auto& [key, value] : settings) command.push_back("-D" + key + "=" + value);
  bootstrap_ = split_lines(run_or_throw(command)).back();
}

KafkaFixture::~KafkaFixture() {
  for (const auto& entry : std::filesystem::directory_iterator(folder_ + "/pids")) {
    pid_t pid = 0;
    std::ifstream(entry.path()) >> pid;
    if (pid > 0) ::kill(pid, SIGKILL);
  }
  // Brokers that are just dying may still write.
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

// 0 while the broker doesn't know the topic.
static int partition_count(rd_kafka_t* client, const std::string& topic) {
  rd_kafka_topic_t* handle = rd_kafka_topic_new(client, topic.c_str(), nullptr);
  const rd_kafka_metadata_t* metadata = nullptr;
  int partitions = 0;
  if (rd_kafka_metadata(client, 0, handle, &metadata, kTimeoutMs) == RD_KAFKA_RESP_ERR_NO_ERROR) {
    partitions = metadata->topics[0].partition_cnt;
    rd_kafka_metadata_destroy(metadata);
  }
  rd_kafka_topic_destroy(handle);
  return partitions;
}

KafkaFixture& KafkaFixture::shared() {
  static KafkaFixture fixture;
  return fixture;
}

std::string KafkaFixture::create_topic(const std::string& name, int partitions,
                                       const std::map<std::string, std::string>& settings) {
  static int number = 0;
  std::string unique = name + "-" + std::to_string(++number);
  char error[512];
  NewTopic topic(
      rd_kafka_NewTopic_new(unique.c_str(), partitions, /*replication=*/-1, error, sizeof(error)));
  if (!topic) throw std::runtime_error("create topic " + unique + ": " + error);
  for (const auto& [key, value] : settings) {
    rd_kafka_NewTopic_set_config(topic.get(), key.c_str(), value.c_str());
  }
  size_t undelivered = 0;
  Client client = make_producer(bootstrap_, &undelivered);
  Queue answers(rd_kafka_queue_new(client.get()));
  rd_kafka_NewTopic_t* topics[] = {topic.get()};
  rd_kafka_CreateTopics(client.get(), topics, 1, nullptr, answers.get());
  Event event(rd_kafka_queue_poll(answers.get(), kTimeoutMs));
  if (!event) throw std::runtime_error("create topic " + unique + ": no answer");
  const auto* result = rd_kafka_event_CreateTopics_result(event.get());
  size_t count = 0;
  const auto** created = rd_kafka_CreateTopics_result_topics(result, &count);
  if (count != 1 || rd_kafka_topic_result_error(created[0]) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    const char* why = count == 1 ? rd_kafka_topic_result_error_string(created[0])
                                 : rd_kafka_event_error_string(event.get());
    throw std::runtime_error("create topic " + unique + ": " + why);
  }
  // The controller answers before the broker has heard of the topic.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(kTimeoutMs);
  while (partition_count(client.get(), unique) != partitions) {
    if (std::chrono::steady_clock::now() > deadline) {
      throw std::runtime_error("create topic " + unique + ": no broker knows it");
    }
  }
  return unique;
}

void KafkaFixture::produce(const std::string& topic, const std::vector<std::string>& values) {
  size_t undelivered = values.size();
  Client client = make_producer(bootstrap_, &undelivered);
  const int partitions = partition_count(client.get(), topic);
  if (partitions == 0) throw std::runtime_error("produce: no topic " + topic);

  rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
  int32_t partition = 0;
  for (const std::string& value : values) {
    partition = (partition + 1) % partitions;
    do {
      error = rd_kafka_producev(client.get(), RD_KAFKA_V_TOPIC(topic.c_str()),
                                RD_KAFKA_V_PARTITION(partition),
                                RD_KAFKA_V_VALUE(const_cast<char*>(value.data()), value.size()),
                                RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
      rd_kafka_poll(client.get(), error == RD_KAFKA_RESP_ERR__QUEUE_FULL ? 100 : 0);
    } while (error == RD_KAFKA_RESP_ERR__QUEUE_FULL);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
      throw std::runtime_error("produce to " + topic + ": " + rd_kafka_err2str(error));
    }
  }
  rd_kafka_flush(client.get(), kTimeoutMs);
  if (undelivered > 0) {
    throw std::runtime_error("produce to " + topic + ": " + std::to_string(undelivered) + " of " +
                             std::to_string(values.size()) + " records were not acknowledged");
  }
}

std::vector<std::string> KafkaFixture::read_committed(const std::string& topic) {
  return read(topic, "read_committed");
}

std::vector<std::string> KafkaFixture::read_uncommitted(const std::string& topic) {
  return read(topic, "read_uncommitted");
}

std::vector<std::string> KafkaFixture::read(const std::string& topic,
                                            const std::string& isolation_level) {
  return split_lines(
      run_or_throw({"kcat", "-C", "-b", bootstrap_, "-t", topic, "-o", "beginning", "-e", "-q",
                    "-X", "isolation.level=" + isolation_level,
                    // The broker says that a partition has ended when a fetch has waited in vain.
                    "-X", "fetch.wait.max.ms=10", "-f", "%s\\n"}));
}

std::vector<std::string> KafkaFixture::open_transactions(const std::string& prefix) {
  std::vector<std::string> open;
  for (const ListedTransaction& listed : list_transactions(tool("TransactionsCommand", {"list"}))) {
    bool ended =
        listed.state == "Empty" || listed.state == "Dead" || listed.state.starts_with("Complete");
    if (listed.id.starts_with(prefix) && !ended) open.push_back(listed.id + " " + listed.state);
  }
  return open;
}

int KafkaFixture::transaction_coordinator(const std::string& transactional_id) {
  for (const ListedTransaction& listed : list_transactions(tool("TransactionsCommand", {"list"}))) {
    if (listed.id == transactional_id) return listed.coordinator;
  }
  throw std::runtime_error("no broker knows the transactional id " + transactional_id);
}

std::string KafkaFixture::tool(const std::string& name, const std::vector<std::string>& arguments) {
  std::vector<std::string> command = {deploy_kafka(), "tool", "--dir", folder_, name};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return run_or_throw(command);
}

void KafkaFixture::kill(int broker) {
  signal(broker, SIGKILL);
}
void KafkaFixture::pause(int broker) {
  signal(broker, SIGSTOP);
}
void KafkaFixture::resume(int broker) {
  signal(broker, SIGCONT);
}

void KafkaFixture::restart(int broker) {
  run_or_throw({deploy_kafka(), "restart", "--dir", folder_, "kafka-" + std::to_string(broker)});
}

void KafkaFixture::signal(int broker, int number) {
  std::string path = folder_ + "/pids/kafka-" + std::to_string(broker);
  pid_t pid = 0;
  std::ifstream(path) >> pid;
  if (pid <= 0) throw std::runtime_error(path + ": no such broker");
  if (::kill(pid, number) != 0) throw std::runtime_error(path + ": the broker is not running");
}

}  // namespace weir::cluster_test
