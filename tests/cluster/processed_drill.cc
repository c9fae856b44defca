#include "tests/cluster/processed_drill.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <regex>
#include <stdexcept>
#include <utility>

#include "connectors/kafka/protocol/client.h"
#include "connectors/kafka/sink/transactional_id.h"

namespace weir::cluster_test {

namespace {

namespace protocol = kafka::protocol;

constexpr char kOutputName[] = "out";
constexpr std::chrono::seconds kKafkaTimeout{5};
constexpr std::chrono::seconds kOutputTimeout{90};

MiniClusterOptions drill_cluster(MiniClusterOptions options) {
  options.config.insert({{"restart-strategy.type", "fixed-delay"},
                         {"restart-strategy.fixed-delay.attempts", "1000"},
                         {"restart-strategy.fixed-delay.delay", "0 s"},
                         {"heartbeat.interval", "300 ms"},
                         {"heartbeat.timeout", "2 s"}});
  return options;
}

template <typename T>
T value_or_throw(absl::StatusOr<T> result) {
  if (!result.ok()) throw std::runtime_error(std::string(result.status().message()));
  return *std::move(result);
}

protocol::Client admin(const std::string& bootstrap) {
  return protocol::Client(
      value_or_throw(protocol::client_config_from_properties({{"bootstrap.servers", bootstrap}})));
}

std::uint64_t newest_generation(const std::vector<SinkTransaction>& transactions) {
  std::uint64_t newest = 0;
  for (const SinkTransaction& each : transactions) newest = std::max(newest, each.generation);
  return newest;
}

}  // namespace

std::set<int> subtasks(const std::vector<SinkTransaction>& transactions) {
  std::set<int> result;
  for (const SinkTransaction& each : transactions) result.insert(each.subtask);
  return result;
}

Lines processed_lines(const Lines& input) {
  Lines output;
  for (const std::string& line : input) output.push_back("processed_" + line);
  return output;
}

void expect_no_drill_left_anything_open(KafkaFixture& kafka) {
  EXPECT_EQ(kafka.open_transactions(kOutputName), std::vector<std::string>{});
}

ProcessedDrill::ProcessedDrill(KafkaFixture& kafka, DrillOptions options)
    : kafka_(kafka),
      options_(std::move(options)),
      input_(kafka.create_topic("in", options_.partitions)),
      output_(kafka.create_topic(kOutputName, options_.partitions)),
      prefix_(output_),
      cluster_(std::make_unique<MiniCluster>(drill_cluster(options_.cluster))) {}

void ProcessedDrill::start(const std::vector<std::string>& run_flags) {
  start_input();
  submit(run_flags);
}

void ProcessedDrill::start_input() {
  std::vector<std::string> command = {std::string(WEIR_BINARY_DIR) + "/bin/bench-fill",
                                      "--brokers",
                                      kafka_.bootstrap(),
                                      "--topic",
                                      input_,
                                      "--records",
                                      std::to_string(options_.records),
                                      "--rate",
                                      std::to_string(options_.records_per_second),
                                      "--duplicates",
                                      "yes"};
  command.insert(command.end(), options_.input_arguments.begin(), options_.input_arguments.end());
  fill_ = std::make_unique<Process>(command, Environment{}, cluster_->folder() + "/log/fill.log");
}

std::vector<std::string> ProcessedDrill::job_arguments() const {
  std::vector<std::string> arguments = {"--brokers",
                                        kafka_.bootstrap(),
                                        "--in",
                                        input_,
                                        "--out",
                                        output_,
                                        "--group",
                                        prefix_,
                                        "--transactional-id-prefix",
                                        prefix_,
                                        "--checkpoint-interval",
                                        options_.checkpoint_interval,
                                        "--transaction-timeout",
                                        options_.transaction_timeout};
  arguments.insert(arguments.end(), options_.job_arguments.begin(), options_.job_arguments.end());
  return arguments;
}

void ProcessedDrill::add_job_arguments(const std::vector<std::string>& arguments) {
  options_.job_arguments.insert(options_.job_arguments.end(), arguments.begin(), arguments.end());
}

void ProcessedDrill::submit(const std::vector<std::string>& run_flags) {
  std::vector<std::string> flags = {"-p", std::to_string(options_.parallelism)};
  if (std::ranges::find(run_flags, "-p") != run_flags.end()) flags.clear();
  flags.insert(flags.end(), run_flags.begin(), run_flags.end());
  job_ = cluster_->submit(options_.library, job_arguments(), flags);
}

void ProcessedDrill::rescale(int parallelism) {
  const CommandResult result =
      cluster_->weir({"rescale", job_, "-p", std::to_string(parallelism)}, kOutputTimeout);
  if (result.exit_code != 0) throw std::runtime_error("weir rescale: " + result.errors);
}

std::string ProcessedDrill::savepoint(const std::string& command) {
  const CommandResult result = cluster_->weir({command, job_});
  std::smatch found;
  if (!std::regex_search(result.output, found, std::regex("Path: (\\S+)"))) {
    throw std::runtime_error("weir " + command + ": " + result.errors + result.output);
  }
  return found[1];
}

void ProcessedDrill::stop_input() {
  fill_->signal(SIGTERM);
  wait_for_input(kOutputTimeout);
}

void ProcessedDrill::wait_for_input(std::chrono::milliseconds timeout) {
  const std::optional<ExitStatus> filled = fill_->wait(timeout);
  if (!filled || filled->code != 0) {
    throw std::runtime_error("the input isn't complete: " +
                             tail(cluster_->folder() + "/log/fill.log"));
  }
}

std::vector<SinkTransaction> ProcessedDrill::transactions() {
  protocol::Client client = admin(kafka_.bootstrap());
  const auto deadline = std::chrono::steady_clock::now() + kKafkaTimeout;
  const protocol::TransactionList list = value_or_throw(client.list_transactions({}, deadline));
  if (!list.complete()) throw std::runtime_error("a broker doesn't list its transactions");
  std::vector<SinkTransaction> result;
  for (const protocol::ListedTransaction& listed : list.transactions) {
    const auto id = kafka::parse_transactional_id(listed.transactional_id);
    if (!id.has_value() || id->prefix != prefix_) continue;
    const protocol::TransactionDescription described =
        value_or_throw(client.describe_transaction(listed.transactional_id, deadline));
    result.push_back({.id = listed.transactional_id,
                      .generation = id->generation,
                      .subtask = id->subtask,
                      .state = protocol::transaction_state_name(described.state),
                      .producer_id = described.producer_id,
                      .producer_epoch = described.producer_epoch});
  }
  return result;
}

std::vector<SinkTransaction> ProcessedDrill::transactions(const std::string& state) {
  std::vector<SinkTransaction> result = transactions();
  const std::uint64_t newest = newest_generation(result);
  std::erase_if(result, [&](const SinkTransaction& each) {
    return each.generation != newest || each.state != state;
  });
  return result;
}

std::uint64_t ProcessedDrill::generation() {
  return newest_generation(transactions());
}

std::vector<LedgerTransaction> ProcessedDrill::ledger() {
  const CommandResult list = cluster_->weir({"transactions", "list", job_, "-o", "json"});
  if (list.exit_code != 0) throw std::runtime_error("weir transactions list: " + list.errors);
  const nlohmann::json ledger = nlohmann::json::parse(list.output);
  std::vector<LedgerTransaction> result;
  for (const nlohmann::json& entry : ledger.at("entries")) {
    const nlohmann::json& committable = entry.at("committable");
    result.push_back({.name = committable.at("transaction"),
                      .subtask = entry.at("subtask"),
                      .state = entry.at("state"),
                      .checkpoint = std::stol(committable.at("checkpoint_id").get<std::string>()),
                      .records = std::stoul(committable.at("records").get<std::string>())});
  }
  return result;
}

std::vector<SinkTransaction> ProcessedDrill::published(const std::string& state) {
  std::vector<SinkTransaction> result = transactions(state);
  const std::vector<LedgerTransaction> known = ledger();
  std::erase_if(result, [&](const SinkTransaction& each) {
    const std::string name = each.id + "/" + std::to_string(each.producer_id) + "/" +
                             std::to_string(each.producer_epoch);
    return std::ranges::none_of(known, [&](const LedgerTransaction& entry) {
      return entry.name == name && entry.state == "PREPARED";
    });
  });
  return result;
}

int ProcessedDrill::committed_of(const std::vector<SinkTransaction>& open) {
  const std::vector<SinkTransaction> now = transactions();
  return static_cast<int>(std::ranges::count_if(now, [&](const SinkTransaction& each) {
    return each.state == "CompleteCommit" &&
           std::ranges::any_of(open, [&](const SinkTransaction& before) {
             return before.id == each.id && before.producer_id == each.producer_id &&
                    before.producer_epoch == each.producer_epoch;
           });
  }));
}

int ProcessedDrill::restarts() {
  const CommandResult status = cluster_->weir({"status", job_, "-o", "json"});
  return nlohmann::json::parse(status.output).at("restarts").get<int>();
}

nlohmann::json ProcessedDrill::subtask(int index) {
  const std::string path = "/jobs/" + job_;
  const std::string vertex = cluster_->rest(path).at("vertices").at(0).at("id");
  return cluster_->rest(path + "/vertices/" + vertex).at("subtasks").at(index);
}

std::string ProcessedDrill::taskmanager_of(int subtask_index) {
  const std::string endpoint = subtask(subtask_index).at("endpoint");  // host:pid
  for (int i = 1; i <= cluster_->taskmanagers_started(); ++i) {
    const std::string name = "taskmanager-" + std::to_string(i);
    if (endpoint.ends_with(":" + std::to_string(cluster_->pid(name)))) return name;
  }
  throw std::runtime_error("no process is " + endpoint);
}

void ProcessedDrill::wait_for_checkpoints(int completed) {
  cluster_->wait_until(std::to_string(completed) + " checkpoints",
                       [&] { return cluster_->completed_checkpoints(job_) >= completed; });
}

void ProcessedDrill::wait_for_progress() {
  int completed = 0;
  cluster_->wait_until("the JobManager", [&] {
    completed = cluster_->completed_checkpoints(job_);
    return true;
  });
  wait_for_checkpoints(completed + 2);
}

void ProcessedDrill::wait_for_commits_above(std::uint64_t generation) {
  cluster_->wait_until("commits of a new attempt", [&] {
    return std::ranges::any_of(transactions(), [&](const SinkTransaction& each) {
      return each.generation > generation && each.state == "CompleteCommit";
    });
  });
}

std::string ProcessedDrill::output_difference() {
  return difference(options_.expected_output(kafka_.read_uncommitted(input_)),
                    kafka_.read_committed(output_));
}

void ProcessedDrill::expect_exact() {
  stop_input();
  const std::size_t records = options_.expected_output(kafka_.read_uncommitted(input_)).size();
  ASSERT_GT(records, 0U);
  try {
    cluster_->wait_until(
        "all of the output", [&] { return kafka_.read_committed(output_).size() >= records; },
        kOutputTimeout);
  } catch (const std::exception& error) {
    ADD_FAILURE() << ::testing::PrintToString(kafka_.open_transactions(prefix_)) << " are open, of "
                  << records << " records of output " << kafka_.read_committed(output_).size()
                  << " are visible and " << kafka_.read_uncommitted(output_).size() << " written; "
                  << error.what();
  }
  EXPECT_EQ(output_difference(), "");
}

void ProcessedDrill::expect_exact_after_cancel() {
  const CommandResult cancel = cluster_->weir({"cancel", job_});
  EXPECT_EQ(cancel.exit_code, 0) << cancel.errors;
  EXPECT_EQ(output_difference(), "");
}

void ProcessedDrill::expect_nothing_open_after_cancel() {
  expect_exact_after_cancel();
  EXPECT_EQ(kafka_.open_transactions(prefix_), std::vector<std::string>{});
}

void ProcessedDrill::expect_nothing_open() {
  EXPECT_EQ(kafka_.open_transactions(prefix_), std::vector<std::string>{});
  EXPECT_EQ(output_difference(), "");
}

}  // namespace weir::cluster_test
