#pragma once

// A job under fire, examples/processed unless the options say another: on a real cluster and a real
// Kafka, with input that flows at a fixed rate, and the verdict of clients that aren't Weir's.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/cluster/kafka_fixture.h"
#include "tests/cluster/mini_cluster.h"
#include "tests/cluster/process.h"

namespace weir::cluster_test {

using Lines = std::vector<std::string>;

// "processed_" + line of each.
Lines processed_lines(const Lines& input);

struct DrillOptions {
  // With as many slots as the job needs, a job that lost a process waits until it is back: what the
  // fault has left can be looked at.
  MiniClusterOptions cluster = {.taskmanagers = 2, .slots = 1, .config = {}, .environment = {}};
  std::string library = "examples/processed";
  std::vector<std::string> job_arguments;
  int parallelism = 2;
  int partitions = 3;
  std::string checkpoint_interval = "300ms";
  std::string transaction_timeout = "10min";
  int records = 10'000'000;  // by default more than flow until stop_input()
  int records_per_second = 2'000;
  std::vector<std::string> input_arguments;  // of bench-fill, besides those above
  // What the output must hold, in any order, given all that is in the input.
  std::function<Lines(const Lines& input)> expected_output = processed_lines;
};

// A transaction of the job's sink, as its coordinator in Kafka shows it.
struct SinkTransaction {
  std::string id;
  std::uint64_t generation = 0;
  int subtask = 0;
  std::string state;  // Kafka's name: Ongoing, CompleteCommit …
  std::int64_t producer_id = -1;
  int producer_epoch = -1;
};

// A transaction as the job's ledger has it.
struct LedgerTransaction {
  std::string name;  // id/producer id/epoch
  int subtask = 0;
  std::string state;  // PREPARED, COMMITTED, LOST
  std::int64_t checkpoint = 0;
  std::size_t records = 0;
};

class ProcessedDrill {
 public:
  // Starts the cluster. `kafka` outlives the drill.
  ProcessedDrill(KafkaFixture& kafka, DrillOptions options);

  MiniCluster& cluster() { return *cluster_; }
  const std::string& job() const { return job_; }
  const std::string& prefix() const { return prefix_; }
  const std::string& input_topic() const { return input_; }
  const std::string& output_topic() const { return output_; }

  // Begins the input and submits the job.
  void start(const std::vector<std::string>& run_flags = {});
  void start_input();
  // Submits it once more with other flags (`-s savepoint`, `-p 3`); the input goes on.
  void submit(const std::vector<std::string>& run_flags);
  // The job goes on at another parallelism.
  void rescale(int parallelism);
  // The path that `weir savepoint` (or `stop`) prints.
  std::string savepoint(const std::string& command = "savepoint");
  // Ends the input where it is: what was made is written, and closing records if it has some.
  void stop_input();
  // Waits until all `records` are written.
  void wait_for_input(std::chrono::milliseconds timeout);

  // `weir run`'s arguments after the library.
  std::vector<std::string> job_arguments() const;
  // Of what is submitted next.
  void set_checkpoint_interval(const std::string& interval) {
    options_.checkpoint_interval = interval;
  }
  void add_job_arguments(const std::vector<std::string>& arguments);

  // Transactional ids under the job's prefix, with what is known of their last transaction.
  std::vector<SinkTransaction> transactions();
  // Those of the newest generation that are in this state.
  std::vector<SinkTransaction> transactions(const std::string& state);
  std::vector<SinkTransaction> open_transactions() { return transactions("Ongoing"); }
  std::uint64_t generation();  // the newest of transactions()
  std::vector<LedgerTransaction> ledger();
  // Those of transactions(state) that the ledger knows as prepared: their checkpoint is published,
  // and the JobManager hasn't heard of their commit.
  std::vector<SinkTransaction> published(const std::string& state);
  // How many of `open` have since been committed.
  int committed_of(const std::vector<SinkTransaction>& open);
  // How often the job, or a region of it, has been started anew.
  int restarts();
  // Of the job's first vertex, as Flink's REST shows it.
  nlohmann::json subtask(int index);
  // The process that runs it.
  std::string taskmanager_of(int subtask);

  void wait_for_checkpoints(int completed);
  // Until some more are completed: the job runs.
  void wait_for_progress();
  // Until an attempt with a generation above this one has committed something.
  void wait_for_commits_above(std::uint64_t generation);

  // Ends the input and waits for its output, then: kcat, reading committed, finds everything that
  // is expected exactly once. Adds a test failure otherwise.
  void expect_exact();
  // Cancels the job and expects that Kafka's own tool finds nothing open under the prefix.
  void expect_nothing_open_after_cancel();
  // The same for a job that has ended by itself.
  void expect_nothing_open();
  // Quicker by a second: cancels and asks no tool, for suites that ask it once, with
  // expect_no_drill_left_anything_open().
  void expect_exact_after_cancel();

 private:
  std::string output_difference();

  KafkaFixture& kafka_;
  DrillOptions options_;
  const std::string input_;
  const std::string output_;
  const std::string prefix_;
  std::unique_ptr<MiniCluster> cluster_;
  std::unique_ptr<Process> fill_;
  std::string job_;
};

// Kafka's own tool finds nothing open of any drill on this Kafka.
void expect_no_drill_left_anything_open(KafkaFixture& kafka);

std::set<int> subtasks(const std::vector<SinkTransaction>& transactions);

}  // namespace weir::cluster_test
