// The row of the fault table in docs/exactly-once.md about transactions that time out while the job
// is down: never silent, never restarted for ever, and sink.on-lost-transaction decides.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cluster/kill_drill.h"

namespace weir::cluster_test {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class LostTransactionsTest : public ::testing::Test {
 protected:
  // Leaves two transactions of a published checkpoint to their timeout, then starts everything
  // again.
  std::unique_ptr<ProcessedDrill> lose(const std::string& policy) {
    DrillOptions options;
    options.library = "tests/jobs/tunable";
    options.job_arguments = {"--checkpoint-timeout", "1s"};
    options.transaction_timeout = "5s";
    options.cluster.config = {{"sink.restart-budget", "2 s"},
                              {"sink.on-lost-transaction", policy},
                              {"execution.checkpointing.num-retained", "3"}};
    InterruptedCommit interrupted(KafkaFixture::shared(), options);
    generation_ = interrupted.generation;
    std::unique_ptr<ProcessedDrill> drill = std::move(interrupted.drill);
    MiniCluster& cluster = drill->cluster();
    cluster.wait_until("the transactions to time out",
                       [&] { return drill->open_transactions().empty(); });
    for (const char* name : {"jobmanager-1", "taskmanager-1", "taskmanager-2"}) {
      cluster.restart(name);
    }
    return drill;
  }

  std::vector<LedgerTransaction> lost_in_ledger(ProcessedDrill& drill) {
    std::vector<LedgerTransaction> lost = drill.ledger();
    std::erase_if(lost, [](const LedgerTransaction& each) { return each.state != "LOST"; });
    return lost;
  }

  std::uint64_t generation_ = 0;
};

TEST_F(LostTransactionsTest, FailTheJobOnceAndSayWhatIsLost) {
  const std::unique_ptr<ProcessedDrill> drill = lose("fail");
  MiniCluster& cluster = drill->cluster();
  cluster.wait_until("the job to fail",
                     [&] { return cluster.job_state(drill->job()) == "FAILED"; });
  const std::vector<LedgerTransaction> lost = lost_in_ledger(*drill);
  ASSERT_THAT(lost, SizeIs(2));
  EXPECT_THAT(
      cluster.weir({"status", drill->job()}).output,
      AllOf(HasSubstr("FAILED"), HasSubstr("checkpoint " + std::to_string(lost[0].checkpoint)),
            HasSubstr(drill->prefix() + ":"), ContainsRegex(drill->output_topic() + "-[012]"),
            ContainsRegex("[0-9]+ records"), HasSubstr("offsets")));
  EXPECT_THAT(cluster.weir({"transactions", "list", drill->job()}).output, HasSubstr("LOST"));
  EXPECT_THAT(KafkaFixture::shared().open_transactions(drill->prefix()), SizeIs(0));
}

TEST_F(LostTransactionsTest, AcceptedOnesAreAllThatIsMissing) {
  const std::unique_ptr<ProcessedDrill> drill = lose("accept");
  drill->wait_for_commits_above(generation_);
  const std::vector<LedgerTransaction> lost = lost_in_ledger(*drill);
  ASSERT_THAT(lost, SizeIs(2));
  std::size_t records = 0;
  for (const LedgerTransaction& each : lost) records += each.records;
  drill->stop_input();
  KafkaFixture& kafka = KafkaFixture::shared();
  const std::size_t written = kafka.read_uncommitted(drill->input_topic()).size();
  drill->cluster().wait_until("the rest of the output", [&] {
    return kafka.read_committed(drill->output_topic()).size() + records >= written;
  });
  std::vector<std::string> output = kafka.read_committed(drill->output_topic());
  EXPECT_EQ(output.size() + records, written);
  std::ranges::sort(output);
  EXPECT_EQ(std::ranges::adjacent_find(output), output.end());
}

TEST_F(LostTransactionsTest, RewindingWritesThemAgain) {
  const std::unique_ptr<ProcessedDrill> drill = lose("rewind");
  drill->wait_for_commits_above(generation_ + 1);
  EXPECT_THAT(drill->cluster().weir({"status", drill->job()}).output,
              AllOf(HasSubstr("RUNNING"), HasSubstr("rewind"), HasSubstr("may repeat")));
  // Nothing had been committed since, so nothing repeats either.
  drill->expect_exact();
  drill->expect_nothing_open_after_cancel();
}

}  // namespace
}  // namespace weir::cluster_test
