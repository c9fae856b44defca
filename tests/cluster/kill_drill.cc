#include "tests/cluster/kill_drill.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>

namespace weir::cluster_test {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::Le;

namespace {

const char kJobManager[] = "jobmanager-1";

// Faults count only once armed, if `counts` says so. No two barriers are so close, as after a slow
// checkpoint, that there are no records between them. The whole job stands still at the kill, so
// that what it has left can be looked at; region_failover_test has the rows where the rest goes on.
void prepare(DrillOptions& options, Counts counts) {
  options.cluster.faults_armed = counts == Counts::kFromTheStart;
  options.cluster.config.insert({{"execution.checkpointing.min-pause", "250 ms"},
                                 {"jobmanager.execution.failover-strategy", "full"}});
}

// Those that a TaskManager ran when it wrote its log's last line about a task; all, of a
// JobManager.
std::set<int> subtasks_of(MiniCluster& cluster, const std::string& process) {
  if (process == kJobManager) return {0, 1};
  const std::string log = cluster.log(process);
  const std::string key = "subtask=";
  const std::size_t last = log.rfind(key);
  if (last == std::string::npos) throw std::runtime_error(process + " has logged no task");
  return {std::stoi(log.substr(last + key.size()))};
}

std::vector<SinkTransaction> used_again(std::vector<SinkTransaction> transactions) {
  std::erase_if(transactions, [](const SinkTransaction& each) { return each.producer_epoch == 0; });
  return transactions;
}

}  // namespace

void expect_at_kill(AtKill at_kill, ProcessedDrill& drill, const std::string& victim) {
  const std::vector<SinkTransaction> open = drill.open_transactions();
  const auto has_victims = IsSupersetOf(subtasks_of(drill.cluster(), victim));
  switch (at_kill) {
    case AtKill::kNothing:
      return;
    case AtKill::kOpen:
      EXPECT_THAT(subtasks(open), has_victims);
      return;
    case AtKill::kOpenOfBoth:
      EXPECT_THAT(subtasks(open), ElementsAre(0, 1));
      return;
    case AtKill::kOpenNoneCommitted:
      EXPECT_THAT(subtasks(open), has_victims);
      EXPECT_THAT(subtasks(drill.transactions("CompleteCommit")), IsEmpty());
      return;
    case AtKill::kOpenUsedAgain:
      EXPECT_THAT(subtasks(used_again(open)), has_victims);
      return;
    case AtKill::kPublished:
      EXPECT_THAT(subtasks(drill.published("Ongoing")), has_victims);
      return;
    case AtKill::kCommitted:
      EXPECT_THAT(subtasks(drill.published("CompleteCommit")), has_victims);
      return;
  }
}

void arm(ProcessedDrill& drill, Counts counts) {
  drill.cluster().wait_until("transactions as the drill needs them", [&] {
    if (counts == Counts::kFromTheStart) return true;
    std::vector<SinkTransaction> committed = drill.transactions("CompleteCommit");
    if (counts == Counts::kOnceIdsAreUsedAgain) committed = used_again(std::move(committed));
    return subtasks(committed) == std::set<int>{0, 1};
  });
  drill.cluster().arm_faults();
}

std::string at(const std::string& fault, const Hit& hit) {
  return fault + "@" + std::to_string(drawn(hit.usual, hit.min, hit.max));
}

void wait_for_death(MiniCluster& cluster, const std::string& process) {
  std::vector<std::string> hits;
  cluster.wait_until(process + " to reach its fault",
                     [&] { return !(hits = cluster.faults_hit(process)).empty(); });
  if (hits.back().find(" kill") != std::string::npos) {
    cluster.wait_for_exit(process);
  } else {
    cluster.kill(process);
  }
}

void run_kill_row(KafkaFixture& kafka, const KillRow& row) {
  DrillOptions options = row.drill;
  options.checkpoint_interval = row.checkpoint_interval;
  prepare(options, row.counts);
  options.cluster.environment[row.victim] = {{"WEIR_FAULT", at(row.fault, row.hit)}};
  ProcessedDrill drill(kafka, options);
  MiniCluster& cluster = drill.cluster();
  drill.start();
  arm(drill, row.counts);
  wait_for_death(cluster, row.victim);
  if (row.victim != kJobManager) {
    // The other subtask may still commit what it was told to; then it has ended too.
    cluster.wait_until("the end of the attempt",
                       [&] { return cluster.job_state(drill.job()) == "RESTARTING"; });
  }
  expect_at_kill(row.at_kill, drill, row.victim);
  const std::vector<SinkTransaction> open = drill.open_transactions();
  std::optional<int> published;
  if (row.victim != kJobManager) published = std::ssize(drill.published("Ongoing"));
  const std::uint64_t generation = drill.generation();
  cluster.restart(row.victim);
  drill.wait_for_commits_above(generation);
  const int committed = drill.committed_of(open);
  EXPECT_EQ(committed, published.value_or(committed));
  EXPECT_THAT(committed,
              AllOf(Ge(row.committed_by_recovery.min), Le(row.committed_by_recovery.max)));
  drill.expect_exact();
  drill.expect_exact_after_cancel();
}

InterruptedCommit::InterruptedCommit(KafkaFixture& kafka, DrillOptions options) {
  prepare(options, Counts::kOnceBothSubtasksCommit);
  options.cluster.environment[kJobManager] = {{"WEIR_FAULT", at("job.before_notify=kill")}};
  drill = std::make_unique<ProcessedDrill>(kafka, std::move(options));
  MiniCluster& cluster = drill->cluster();
  drill->start();
  arm(*drill, Counts::kOnceBothSubtasksCommit);
  wait_for_death(cluster, kJobManager);
  cluster.kill("taskmanager-1");
  cluster.kill("taskmanager-2");
  open = drill->open_transactions();
  EXPECT_THAT(subtasks(open), ElementsAre(0, 1));
  generation = drill->generation();
}

}  // namespace weir::cluster_test
