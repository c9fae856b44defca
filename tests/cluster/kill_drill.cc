#include "tests/cluster/kill_drill.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <random>

namespace weir::cluster_test {

constexpr int kDefaultCheckpoint = 6;

std::optional<unsigned> drill_seed() {
  const char* seed = std::getenv("WEIR_DRILL_SEED");
  if (seed == nullptr) return std::nullopt;
  return static_cast<unsigned>(std::stoul(seed));
}

std::string at_checkpoint(std::string faults) {
  static std::mt19937 random(drill_seed().value_or(0));
  const int checkpoint =
      drill_seed() ? std::uniform_int_distribution(5, 20)(random) : kDefaultCheckpoint;
  const std::string number = std::to_string(checkpoint);
  for (std::size_t at; (at = faults.find("@N")) != std::string::npos;) {
    faults.replace(at + 1, 1, number);
  }
  return faults;
}

void wait_for_death(MiniCluster& cluster, const std::string& process, const std::string& faults,
                    int times) {
  const auto count = static_cast<std::size_t>(std::ranges::count(faults, '=') * times);
  cluster.wait_until(process + " to reach " + faults,
                     [&] { return cluster.faults_hit(process).size() >= count; });
  const std::string last = faults.substr(faults.rfind('='));
  if (last.starts_with("=kill")) {
    cluster.wait_for_exit(process);
  } else {
    cluster.kill(process);
  }
}

// Those that a TaskManager ran when it wrote its log's last line about a task; all, of a
// JobManager.
static std::set<int> subtasks_of(MiniCluster& cluster, const std::string& process) {
  if (process == "jobmanager-1") return {0, 1};
  const std::string log = cluster.log(process);
  const std::string key = "subtask=";
  const std::size_t last = log.rfind(key);
  if (last == std::string::npos) return {};
  return {std::stoi(log.substr(last + key.size()))};
}

// Whether the kill found the victim's transactions in the state that the row is about.
static bool is_about(const KillRow& row, ProcessedDrill& drill,
                     const std::vector<SinkTransaction>& open) {
  const auto victims = ::testing::IsSupersetOf(subtasks_of(drill.cluster(), row.victim));
  if (row.at_kill == AtKill::kOpen && !::testing::Value(subtasks(open), victims)) return false;
  if (row.at_kill == AtKill::kCommitted &&
      !::testing::Value(subtasks(drill.transactions("CompleteCommit")), victims)) {
    return false;
  }
  return !row.id_used_again || std::ranges::any_of(open, [](const SinkTransaction& each) {
    return each.producer_epoch > 0;
  });
}

std::vector<SinkTransaction> die_before_notifying(ProcessedDrill& drill) {
  MiniCluster& cluster = drill.cluster();
  drill.start();
  std::vector<SinkTransaction> open;
  for (int time = 1; time <= kTimesMax; ++time) {
    if (time > 1) {
      cluster.restart("jobmanager-1", {{"WEIR_FAULT", kDiesBeforeNotifying}});
      cluster.restart("taskmanager-1");
      cluster.restart("taskmanager-2");
    }
    wait_for_death(cluster, "jobmanager-1", kDiesBeforeNotifying, time);
    cluster.kill("taskmanager-1");
    cluster.kill("taskmanager-2");
    open = drill.open_transactions();
    if (::testing::Value(subtasks(open), ::testing::ElementsAre(0, 1))) return open;
  }
  ADD_FAILURE() << "never had both subtasks a transaction open at the kill";
  return open;
}

void run_kill_row(KafkaFixture& kafka, const KillRow& row) {
  DrillOptions options;
  options.checkpoint_interval = row.checkpoint_interval;
  options.cluster.environment[row.victim] = {{"WEIR_FAULT", row.faults}};
  ProcessedDrill drill(kafka, options);
  MiniCluster& cluster = drill.cluster();
  drill.start();
  std::vector<SinkTransaction> open;
  bool is_what_the_row_is_about = false;
  for (int time = 1; time <= kTimesMax && !is_what_the_row_is_about; ++time) {
    if (time > 1) cluster.restart(row.victim, {{"WEIR_FAULT", row.faults}});
    wait_for_death(cluster, row.victim, row.faults, time);
    if (row.victim != "jobmanager-1") {
      // The other subtask may still commit what it was told to; then it has ended too.
      cluster.wait_until("the end of the attempt",
                         [&] { return cluster.job_state(drill.job()) == "RESTARTING"; });
    }
    open = drill.open_transactions();
    is_what_the_row_is_about = is_about(row, drill, open);
  }
  EXPECT_TRUE(is_what_the_row_is_about)
      << "the transactions never were at the kill as this row wants them";
  const std::uint64_t generation = drill.generation();
  cluster.restart(row.victim);
  drill.wait_for_commits_above(generation);
  EXPECT_THAT(drill.committed_of(open),
              ::testing::AllOf(::testing::Ge(row.committed_by_recovery.min),
                               ::testing::Le(row.committed_by_recovery.max)));
  drill.expect_exact();
  drill.expect_exact_after_cancel();
}

}  // namespace weir::cluster_test
