// What becomes of sinks' transactions, by scripted TaskManagers.
#include "jobmanager/job/scripted_cluster.h"

namespace weir {
namespace {

using std::chrono::seconds;
using testing::AllOf;
using testing::HasSubstr;

class JobTransactionsTest : public ScriptedCluster {
 protected:
  std::optional<pb::LedgerEntry::State> ledger_state(const std::string& job_id,
                                                     const std::string& transaction) {
    std::optional<absl::StatusOr<pb::ListTransactionsResponse>> answer;
    dispatcher_->transactions(job_id, into(answer));
    run();
    EXPECT_THAT(*answer, IsOk());
    for (const pb::LedgerEntry& entry : (*answer)->ledger().entries()) {
      if (entry.committable().transaction() == transaction) return entry.state();
    }
    return std::nullopt;
  }
  void commit_reported(TaskManager& taskmanager, const std::string& job_id,
                       const pb::Committable& committable, pb::LedgerEntry::State outcome) {
    pb::FromTaskManager message;
    pb::CommitReported* report = message.mutable_commit_reported();
    report->set_job_id(job_id);
    report->set_sink_uid("out");
    *report->mutable_committable() = committable;
    report->set_state(outcome);
    send(taskmanager, message);
    run();
  }
  absl::Status record(const std::string& job_id, const std::string& transaction,
                      pb::LedgerEntry::State outcome) {
    pb::RecordTransactionRequest request;
    request.set_job_id(job_id);
    request.set_sink_uid("out");
    request.set_transaction(transaction);
    request.set_state(outcome);
    request.set_message("by hand");
    std::optional<absl::StatusOr<pb::RecordTransactionResponse>> answer;
    dispatcher_->record_transaction(request, into(answer));
    run();
    return answer->status();
  }
};

TEST_F(JobTransactionsTest, ARecoveryTellsWhatIsKnownToBeCommitted) {
  TaskManager& a = add_taskmanager("a", 2);
  submit(graph()).value();
  a.commits = false;
  advance(seconds(1));
  TaskManager& b = add_taskmanager("b", 2);
  kill(a);
  const pb::RecoverCoordinator* recovery = last_recovery(b, "out");
  ASSERT_NE(recovery, nullptr);
  ASSERT_EQ(recovery->committables_size(), 2);
  EXPECT_FALSE(recovery->committables(0).known_committed());
}

TEST_F(JobTransactionsTest, ALostTransactionFailsTheJobAndNamesIt) {
  TaskManager& a = add_taskmanager("a", 2);
  a.commits = false;
  const auto job = submit(graph());
  advance(seconds(1));
  TaskManager& b = add_taskmanager("b", 2);
  b.recovery_outcome = pb::LedgerEntry::LOST;
  kill(a);
  const pb::JobDetails shown = details(*job);
  EXPECT_EQ(shown.status().state(), "FAILED");
  EXPECT_THAT(shown.status().last_fault().cause(),
              AllOf(HasSubstr("checkpoint 1: transaction t0-1 of 'out' is lost"),
                    HasSubstr("INVALID_PRODUCER_EPOCH")));
}

TEST_F(JobTransactionsTest, ALossWhileAJobIsCancelledIsNamedWhenAllOthersAreSettled) {
  TaskManager& a = add_taskmanager("a", 2);
  a.commits = false;
  a.recovery_outcome = pb::LedgerEntry::LOST;
  const auto job = submit(graph());
  advance(seconds(1));
  cancel(*job);
  const pb::JobDetails shown = details(*job);
  EXPECT_EQ(shown.status().state(), "FAILED");
  EXPECT_THAT(shown.status().first_fault().cause(), HasSubstr("t0-1 of 'out' is lost"));
  EXPECT_THAT(shown.status().last_fault().cause(), HasSubstr("t1-1 of 'out' is lost"));
  EXPECT_EQ(ledger_state(*job, "t0-1"), pb::LedgerEntry::LOST);
  EXPECT_EQ(ledger_state(*job, "t1-1"), pb::LedgerEntry::LOST);
}

TEST_F(JobTransactionsTest, ALossOfTheLastCheckpointFailsTheJobWhenTheOtherCommitIsKnown) {
  TaskManager& a = add_taskmanager("a", 2);
  a.commits = false;
  const auto job = submit(graph());
  for (const pb::DeployTask& task : std::vector(a.tasks)) {
    task_state(a, task.task(), pb::TaskStateChanged::DRAINED);
  }
  run();
  commit_reported(a, *job, a.prepared[0], pb::LedgerEntry::LOST);
  EXPECT_EQ(state(*job), "FAILING");
  commit_reported(a, *job, a.prepared[1], pb::LedgerEntry::COMMITTED);
  EXPECT_EQ(state(*job), "FAILED");
  EXPECT_EQ(ledger_state(*job, "t1-1"), pb::LedgerEntry::COMMITTED);
}

TEST_F(JobTransactionsTest, ALossThatTheLedgerDoesNotKnowIsNotPassedOver) {
  TaskManager& a = add_taskmanager("a", 2);
  const auto job = submit(graph());
  pb::Committable stranger;
  stranger.set_transaction("t7-7");
  stranger.set_checkpoint_id(7);
  commit_reported(a, *job, stranger, pb::LedgerEntry::LOST);
  EXPECT_EQ(state(*job), "FAILED");
  EXPECT_THAT(details(*job).status().first_fault().cause(), HasSubstr("t7-7 of 'out' is lost"));
}

TEST_F(JobTransactionsTest, WhatTheLedgerFileHasForgottenIsTakenFromTheCheckpoint) {
  TaskManager& a = add_taskmanager("a", 2);
  a.commits = false;
  const auto job = submit(graph());
  advance(seconds(1));
  stop_jobmanager();
  const std::filesystem::path folder = folder_ + "/checkpoints/" + *job;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().filename().string().starts_with("ledger")) {
      std::filesystem::remove(entry.path());
    }
  }
  start_jobmanager();
  add_taskmanager("b", 2, /*acknowledges=*/false);
  EXPECT_EQ(ledger_state(*job, "t0-1"), pb::LedgerEntry::COMMITTED);
}

TEST_F(JobTransactionsTest, RewindRestoresTheCheckpointFromBeforeTheLoss) {
  pb::JobGraph rewinding = graph();
  (*rewinding.mutable_configuration())["sink.on-lost-transaction"] = "rewind";
  (*rewinding.mutable_configuration())["execution.checkpointing.num-retained"] = "2";
  TaskManager& a = add_taskmanager("a", 2);
  const auto job = submit(rewinding);
  advance(seconds(1));
  a.commits = false;
  advance(seconds(1));
  TaskManager& b = add_taskmanager("b", 2);
  b.recovery_outcome = pb::LedgerEntry::LOST;
  b.acknowledges = false;
  kill(a);
  const pb::JobDetails shown = details(*job);
  EXPECT_EQ(shown.status().state(), "RUNNING");
  EXPECT_EQ(shown.restored().checkpoint_id(), 1);
  EXPECT_THAT(shown.status().last_fault().cause(),
              AllOf(HasSubstr("checkpoint 2: transaction t0-2 of 'out' is lost"),
                    HasSubstr("to before checkpoint 2: what was committed since may repeat")));
  EXPECT_EQ(last_recovery(b, "lines")->state(), "offsets at 1");
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/checkpoints/" + *job + "/chk-2"));
  EXPECT_EQ(ledger_state(*job, "t0-2"), pb::LedgerEntry::LOST);
}

TEST_F(JobTransactionsTest, RewindFailsTheJobIfNoCheckpointFromBeforeTheLossIsKept) {
  pb::JobGraph rewinding = graph();
  (*rewinding.mutable_configuration())["sink.on-lost-transaction"] = "rewind";
  TaskManager& a = add_taskmanager("a", 2);
  a.commits = false;
  const auto job = submit(rewinding);
  advance(seconds(1));
  TaskManager& b = add_taskmanager("b", 2);
  b.recovery_outcome = pb::LedgerEntry::LOST;
  kill(a);
  const pb::JobDetails shown = details(*job);
  EXPECT_EQ(shown.status().state(), "FAILED");
  EXPECT_THAT(shown.status().last_fault().cause(),
              HasSubstr("raise execution.checkpointing.num-retained"));
}

TEST_F(JobTransactionsTest, AcceptGoesOnAndTheLedgerKeepsTheLoss) {
  pb::JobGraph accepting = graph();
  (*accepting.mutable_configuration())["sink.on-lost-transaction"] = "accept";
  TaskManager& a = add_taskmanager("a", 2);
  a.commits = false;
  const auto job = submit(accepting);
  advance(seconds(1));
  TaskManager& b = add_taskmanager("b", 2);
  b.recovery_outcome = pb::LedgerEntry::LOST;
  kill(a);
  const pb::JobDetails shown = details(*job);
  EXPECT_EQ(shown.status().state(), "RUNNING");
  EXPECT_EQ(shown.restored().checkpoint_id(), 1);
  EXPECT_EQ(shown.recovery_point().checkpoint_id(), 2);  // the loss's own is gone
  EXPECT_EQ(shown.restarts(), 1);
  ASSERT_EQ(shown.accepted_losses_size(), 2);
  EXPECT_THAT(
      shown.accepted_losses(0).cause(),
      AllOf(HasSubstr("checkpoint 1: transaction t0-1 of 'out' is lost"), HasSubstr("accept")));
  stop_jobmanager();
  start_jobmanager();
  EXPECT_EQ(details(*job).accepted_losses_size(), 2);
  EXPECT_EQ(ledger_state(*job, "t0-1"), pb::LedgerEntry::LOST);
}

TEST_F(JobTransactionsTest, WhatWasMendedByHandIsNotCommittedAgain) {
  TaskManager& a = add_taskmanager("a", 2);
  a.commits = false;
  const auto job = submit(graph());
  advance(seconds(1));
  EXPECT_EQ(ledger_state(*job, "t0-1"), pb::LedgerEntry::PREPARED);
  EXPECT_THAT(record(*job, "t0-1", pb::LedgerEntry::COMMITTED), IsOk());
  EXPECT_EQ(ledger_state(*job, "t0-1"), pb::LedgerEntry::COMMITTED);
  EXPECT_THAT(record(*job, "t0-9", pb::LedgerEntry::COMMITTED),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("no transaction t0-9 of sink")));
  TaskManager& b = add_taskmanager("b", 2);
  kill(a);
  const pb::RecoverCoordinator* recovery = last_recovery(b, "out");
  ASSERT_EQ(recovery->committables_size(), 2);
  EXPECT_TRUE(recovery->committables(0).known_committed());
  EXPECT_FALSE(recovery->committables(1).known_committed());
}

TEST_F(JobTransactionsTest, AFailedJobsLossIsMendedByHandAndAnotherJobBeginsFromItsCheckpoint) {
  TaskManager& a = add_taskmanager("a", 2);
  a.commits = false;
  const auto job = submit(graph());
  advance(seconds(1));
  const std::string path = details(*job).recovery_point().path();
  TaskManager& b = add_taskmanager("b", 2);
  b.recovery_outcome = pb::LedgerEntry::LOST;
  kill(a);
  ASSERT_EQ(state(*job), "FAILED");
  const auto refused = submit(graph(), path);
  EXPECT_THAT(details(*refused).status().first_fault().cause(), HasSubstr("t0-1 of 'out' is lost"));
  for (const char* transaction : {"t0-1", "t1-1"}) {
    EXPECT_THAT(record(*job, transaction, pb::LedgerEntry::COMMITTED), IsOk());
  }
  EXPECT_EQ(ledger_state(*job, "t0-1"), pb::LedgerEntry::COMMITTED);
  EXPECT_EQ(state(*submit(graph(), path)), "RUNNING");
}

TEST_F(JobTransactionsTest, WhatASavepointPreparedIsCommittedByACheckpointBeforeItRunsOut) {
  pb::JobGraph on_demand = graph();
  (*on_demand.mutable_configuration())["execution.checkpointing.interval"] = "0 s";
  transaction_timeout_ = seconds(80);
  TaskManager& a = add_taskmanager("a", 2);
  const auto job = submit(on_demand);
  pb::TriggerSavepointRequest request;
  request.set_job_id(*job);
  std::optional<absl::StatusOr<pb::SavepointResponse>> answer;
  dispatcher_->trigger_savepoint(request, into(answer));
  run();
  advance(seconds(39));
  EXPECT_EQ(notifications(a), 0);
  EXPECT_GE(details(*job).transaction_oldest_prepared_age_ms(), 39'000);
  EXPECT_EQ(details(*job).transaction_timeout_ms(), 80'000);
  advance(seconds(6));
  EXPECT_EQ(notifications(a), 1);
  EXPECT_EQ(details(*job).transaction_oldest_prepared_age_ms(), 0);
}

TEST_F(JobTransactionsTest, ATransactionThatIsAboutToRunOutShowsInTheStatus) {
  transaction_timeout_ = seconds(60);
  TaskManager& a = add_taskmanager("a", 2);
  a.commits = false;
  const auto job = submit(graph());
  for (int second = 0; second < 29; ++second) advance(seconds(1));
  EXPECT_EQ(details(*job).status().detail(), "");
  for (int second = 0; second < 6; ++second) advance(seconds(1));
  EXPECT_THAT(details(*job).status().detail(),
              AllOf(HasSubstr("transaction t0-1 of sink 'out', checkpoint 1"),
                    HasSubstr("isn't committed and will be lost at"), HasSubstr("60000 ms")));
}

TEST_F(JobTransactionsTest, TransactionsOfFailedCheckpointsCountAsPrepared) {
  transaction_timeout_ = seconds(60);
  pb::JobGraph tolerant = graph();
  (*tolerant.mutable_configuration())["execution.checkpointing.timeout"] = "5 s";
  (*tolerant.mutable_configuration())["execution.checkpointing.tolerable-failed-checkpoints"] =
      "100";
  TaskManager& a = add_taskmanager("a", 2);
  a.acknowledges = false;
  const auto job = submit(tolerant);
  for (int second = 0; second < 40; ++second) advance(seconds(1));
  EXPECT_EQ(state(*job), "RUNNING");
  EXPECT_EQ(details(*job).transaction_oldest_prepared_age_ms(), 39'000);
  EXPECT_THAT(details(*job).status().detail(),
              HasSubstr("what no completed checkpoint carries yet"));
}

}  // namespace
}  // namespace weir
