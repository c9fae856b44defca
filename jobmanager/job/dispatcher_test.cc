#include "jobmanager/job/dispatcher.h"

#include "jobmanager/checkpoint/checkpoint_loader.h"
#include "jobmanager/job/scripted_cluster.h"

namespace weir {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

class DispatcherTest : public ScriptedCluster {
 protected:
  std::vector<std::string> remembered() {
    std::optional<absl::StatusOr<std::vector<pb::JobDetails>>> answer;
    dispatcher_->describe_all(into(answer));
    run();
    std::vector<std::string> ids;
    for (const pb::JobDetails& shown : **answer) ids.push_back(shown.status().job_id());
    return ids;
  }
};

TEST_F(DispatcherTest, AJobRunsAsSoonAsThereAreSlots) {
  const auto job = submit(graph());
  ASSERT_THAT(job, IsOk());
  EXPECT_EQ(state(*job), "CREATED");
  add_taskmanager("a", 1);
  EXPECT_EQ(state(*job), "CREATED");
  add_taskmanager("b", 1);
  EXPECT_EQ(state(*job), "RUNNING");
  EXPECT_EQ(details(*job).generation(), 5u);  // above what the brokers show
}

TEST_F(DispatcherTest, WithoutSlotsItFailsAndSaysWhatIsMissing) {
  const auto job = submit(graph());
  advance(seconds(30));
  // Three restarts are tried.
  advance(seconds(30));
  advance(seconds(30));
  advance(seconds(30));
  const pb::JobDetails shown = details(*job);
  EXPECT_EQ(shown.status().state(), "FAILED");
  EXPECT_THAT(shown.status().first_fault().cause(),
              HasSubstr("needs 2 slots, no TaskManager is registered"));
  EXPECT_EQ(shown.restarts(), 3);
}

TEST_F(DispatcherTest, AKilledTaskManagerCostsAnAttemptAndTheNextRestoresTheLastCheckpoint) {
  TaskManager& a = add_taskmanager("a", 1);
  TaskManager& b = add_taskmanager("b", 1);
  TaskManager& standby = add_taskmanager("c", 1);
  const auto job = submit(graph());
  advance(seconds(1));
  (void)a;
  kill(b);
  const pb::JobDetails shown = details(*job);
  EXPECT_EQ(shown.status().state(), "RUNNING");
  EXPECT_EQ(shown.status().attempt(), 1);
  EXPECT_EQ(shown.generation(), 6u);
  EXPECT_THAT(shown.status().first_fault().cause(), HasSubstr("its connection closed"));
  EXPECT_EQ(standby.tasks.size(), 1u);
  const pb::RecoverCoordinator* lines = last_recovery(a, "lines");
  ASSERT_NE(lines, nullptr);
  EXPECT_EQ(lines->state(), "offsets at 1");
  EXPECT_EQ(lines->splits_size(), 2);
  EXPECT_EQ(details(*job).checkpoint_counts().completed(), 2);  // one right after the restore
}

TEST_F(DispatcherTest, AFailureInUserCodeIsRestartedUntilTheStrategyGivesUp) {
  TaskManager& a = add_taskmanager("a", 2);
  const auto job = submit(graph());
  for (int failure = 0; failure < 4; ++failure) {
    task_state(a, a.tasks.front().task(), pb::TaskStateChanged::FAILED,
               "boom " + std::to_string(failure));
    run();
  }
  const pb::JobDetails shown = details(*job);
  EXPECT_EQ(shown.status().state(), "FAILED");
  EXPECT_EQ(shown.status().first_fault().cause(), "boom 0");
  EXPECT_EQ(shown.status().last_fault().cause(), "boom 3");
}

TEST_F(DispatcherTest, ACancelCommitsTheLastCheckpointAndEnds) {
  TaskManager& a = add_taskmanager("a", 2);
  a.commits = false;
  const auto job = submit(graph());
  advance(seconds(1));
  const size_t before = a.seen.size();
  cancel(*job);
  EXPECT_EQ(state(*job), "CANCELED");
  const pb::RecoverCoordinator* recovery = last_recovery(a, "out");
  ASSERT_NE(recovery, nullptr);
  EXPECT_EQ(recovery->committables_size(), 2);
  for (size_t i = before; i < a.seen.size(); ++i) EXPECT_FALSE(a.seen[i].has_deploy_task());
}

TEST_F(DispatcherTest, ACancelThatTheJobManagerDiesInIsCarriedOutByTheNext) {
  TaskManager& a = add_taskmanager("a", 2);
  const auto job = submit(graph());
  advance(seconds(1));
  a.recovers = false;
  cancel(*job);
  EXPECT_EQ(state(*job), "CANCELLING");
  stop_jobmanager();
  start_jobmanager();
  EXPECT_EQ(state(*job), "CANCELLING");
  add_taskmanager("b", 1);
  EXPECT_EQ(state(*job), "CANCELED");
}

TEST_F(DispatcherTest, ARestartedJobManagerTakesItsJobsUp) {
  add_taskmanager("a", 2);
  const auto job = submit(graph());
  advance(seconds(1));
  const LeaderEpoch epoch = store_->leader_epoch();
  stop_jobmanager();
  start_jobmanager();
  EXPECT_GT(store_->leader_epoch(), epoch);
  EXPECT_EQ(state(*job), "RESTARTING");
  TaskManager& b = add_taskmanager("b", 2);
  const pb::JobDetails shown = details(*job);
  EXPECT_EQ(shown.status().state(), "RUNNING");
  EXPECT_EQ(shown.status().attempt(), 1);
  EXPECT_EQ(shown.generation(), 6u);
  EXPECT_EQ(last_recovery(b, "lines")->state(), "offsets at 1");
  EXPECT_TRUE(last_recovery(b, "out")->committables_size() == 2);
  EXPECT_GT(shown.checkpoints(0).checkpoint_id(), 1);  // no number is used twice
}

TEST_F(DispatcherTest, MessagesOfAnOlderLeaderEpochAreIgnored) {
  TaskManager& a = add_taskmanager("a", 2);
  const auto job = submit(graph());
  pb::FromTaskManager failed;
  failed.set_leader_epoch(0);
  *failed.mutable_task_state_changed()->mutable_task() = a.tasks.front().task();
  failed.mutable_task_state_changed()->set_state(pb::TaskStateChanged::FAILED);
  EXPECT_THAT(dispatcher_->on_taskmanager_message(a.session, failed), IsOk());
  run();
  EXPECT_EQ(details(*job).status().attempt(), 0);
}

TEST_F(DispatcherTest, AnEndedInputFinishesTheJobWhenItsCommitsAreKnown) {
  TaskManager& a = add_taskmanager("a", 2);
  a.commits = false;
  const auto job = submit(graph());
  for (const pb::DeployTask& task : std::vector(a.tasks)) {
    task_state(a, task.task(), pb::TaskStateChanged::DRAINED);
  }
  run();
  EXPECT_EQ(state(*job), "RUNNING");
  EXPECT_EQ(notifications(a), 1);
  // The TaskManager dies with the commits undone: the next attempt only settles.
  TaskManager& b = add_taskmanager("b", 1);
  kill(a);
  advance(seconds(1));
  EXPECT_EQ(state(*job), "FINISHED");
  EXPECT_EQ(last_recovery(b, "out")->committables_size(), 2);
  EXPECT_TRUE(b.tasks.empty());
}

TEST_F(DispatcherTest, ASecondJobWithTheSameExclusiveResourceIsRefused) {
  add_taskmanager("a", 4);
  const auto first = submit(graph());
  const auto second = submit(graph());
  EXPECT_EQ(state(*first), "RUNNING");
  const pb::JobDetails shown = details(*second);
  EXPECT_EQ(shown.status().state(), "FAILED");
  EXPECT_THAT(shown.status().first_fault().cause(),
              testing::AllOf(HasSubstr("kafka-prefix:cluster/processed"), HasSubstr(*first)));
}

TEST_F(DispatcherTest, BadSubmissionsAreRefusedAtOnce) {
  add_taskmanager("a", 2);
  EXPECT_THAT(submit(graph(), folder_).status(),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("isn't a checkpoint or savepoint")));
  pb::JobGraph unknown = graph();
  (*unknown.mutable_configuration())["execution.checkpointing.intervall"] = "1 s";
  EXPECT_THAT(submit(unknown).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("interval")));
  pb::JobGraph library = graph();
  library.set_library_sha256("0123");
  EXPECT_THAT(submit(library).status(), StatusIs(absl::StatusCode::kNotFound));
  pb::SubmitJobRequest request;
  *request.mutable_graph() = graph();
  request.set_abi_stamp("abi 2");
  std::optional<absl::StatusOr<pb::SubmitJobResponse>> answer;
  dispatcher_->submit(request, into(answer));
  run();
  EXPECT_THAT(answer->status().message(), testing::AllOf(HasSubstr("abi 1"), HasSubstr("abi 2")));
}

TEST_F(DispatcherTest, ASecondJobManagerOnTheSameFolderIsRefused) {
  EXPECT_THAT(FileMetadataStore::open(folder_).status(),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("another JobManager")));
}

TEST_F(DispatcherTest, ASilentTaskManagerIsGivenUpAfterTheHeartbeatTimeout) {
  TaskManager& a = add_taskmanager("a", 2);
  a.acknowledges = false;  // it says nothing any more
  const auto job = submit(graph());
  advance(seconds(49));
  EXPECT_FALSE(a.stream->ended);
  advance(seconds(1));
  EXPECT_TRUE(a.stream->ended);
  EXPECT_EQ(state(*job), "RESTARTING");
  EXPECT_THAT(details(*job).status().last_fault().cause(), HasSubstr("heartbeat.timeout"));
}

TEST_F(DispatcherTest, ATasksLastFiguresShowWhenItsInputHasEnded) {
  TaskManager& a = add_taskmanager("a", 2);
  const auto job = submit(graph());
  for (const pb::DeployTask& task : std::vector(a.tasks)) {
    pb::FromTaskManager change;
    *change.mutable_task_state_changed()->mutable_task() = task.task();
    change.mutable_task_state_changed()->set_state(pb::TaskStateChanged::DRAINED);
    pb::TaskMetrics* metrics = change.mutable_task_state_changed()->mutable_metrics();
    *metrics->mutable_task() = task.task();
    metrics->set_records_in(50);
    send(a, change);
  }
  run();
  EXPECT_EQ(state(*job), "FINISHED");
  EXPECT_EQ(details(*job).vertices(0).records_in(), 100u);
}

TEST_F(DispatcherTest, WhatCoordinatorsMeasureShowsAtTheirVertexUntilTheNextAttempt) {
  TaskManager& a = add_taskmanager("a", 2);
  const auto job = submit(graph());
  pb::FromTaskManager message;
  pb::CoordinatorMetrics* metrics = message.mutable_heartbeat()->add_coordinators();
  metrics->mutable_coordinator()->set_job_id(*job);
  metrics->mutable_coordinator()->set_uid("lines");
  (*metrics->mutable_gauges())["lines.partitionDiscoveryFailed"] = 1;
  send(a, message);
  run();
  const auto gauges = details(*job).vertices(0).coordinator_gauges();
  ASSERT_EQ(gauges.size(), 1u);
  EXPECT_EQ(gauges.at("lines.partitionDiscoveryFailed"), 1);
  task_state(a, a.tasks.front().task(), pb::TaskStateChanged::FAILED, "boom");
  run();
  send(a, message);
  run();
  EXPECT_TRUE(details(*job).vertices(0).coordinator_gauges().empty());
}

TEST_F(DispatcherTest, TaskManagersAreAskedForFiguresEverySecond) {
  TaskManager& a = add_taskmanager("a", 2);
  ASSERT_FALSE(a.seen.empty());
  EXPECT_EQ(a.seen.front().registered().heartbeat_interval_ms(), 1000);
  EXPECT_EQ(a.seen.front().registered().heartbeat_timeout_ms(), 50'000);
}

TEST_F(DispatcherTest, OnlyTheYoungestEndedJobsAreRemembered) {
  add_taskmanager("a", 2);
  std::vector<std::string> jobs;
  for (int i = 0; i < 5; ++i) {
    jobs.push_back(submit(graph()).value());
    advance(milliseconds(10));
    cancel(jobs.back());
  }
  EXPECT_THAT(remembered(), testing::UnorderedElementsAre(jobs[2], jobs[3], jobs[4]));
  stop_jobmanager();
  start_jobmanager();
  EXPECT_THAT(remembered(), testing::UnorderedElementsAre(jobs[2], jobs[3], jobs[4]));
}

TEST_F(DispatcherTest, ATaskManagerThatSaysTooMuchLosesItsConnectionAndNothingElse) {
  stop_jobmanager();
  mailbox_capacity_ = 64;
  start_jobmanager();
  TaskManager& a = add_taskmanager("a", 2);
  const auto job = submit(graph());
  pb::FromTaskManager change;
  change.set_leader_epoch(store_->leader_epoch().value());
  *change.mutable_task_state_changed()->mutable_task() = a.tasks.front().task();
  change.mutable_task_state_changed()->set_state(pb::TaskStateChanged::RUNNING);
  absl::Status accepted;
  for (int i = 0; i < 64; ++i) {
    accepted.Update(dispatcher_->on_taskmanager_message(a.session, change));
  }
  EXPECT_THAT(accepted, StatusIs(absl::StatusCode::kResourceExhausted));
  // Clients get an answer too.
  std::optional<absl::StatusOr<pb::JobDetails>> answer;
  dispatcher_->describe(*job, into(answer));
  ASSERT_TRUE(answer.has_value());
  EXPECT_THAT(answer->status(),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("overloaded: try again")));
  run();
  EXPECT_EQ(state(*job), "RUNNING");
}

TEST_F(DispatcherTest, AWatcherThatListensNoMoreIsForgotten) {
  TaskManager& a = add_taskmanager("a", 2);
  const auto job = submit(graph());
  std::vector<std::string> states;
  std::optional<absl::StatusOr<bool>> end;
  dispatcher_->watch(
      *job,
      [&](const pb::JobStatus& status) {
        states.push_back(status.state());
        return states.size() < 2;
      },
      into(end));
  run();
  kill(a);
  cancel(*job);
  EXPECT_THAT(states, testing::ElementsAre("RUNNING", "RESTARTING"));
  ASSERT_TRUE(end.has_value());
  EXPECT_FALSE(end->ok());
}

}  // namespace
}  // namespace weir
