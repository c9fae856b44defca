// Whole lives of jobs: the real dispatcher, controllers, writers and files, with TaskManagers that
// are scripted and a clock that stands still.
#include "jobmanager/job/dispatcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "common/status_matchers.h"
#include "jobmanager/checkpoint/checkpoint_loader.h"
#include "jobmanager/metadata/file_metadata_store.h"

namespace weir {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

// One end of a stream; keeps what was sent to it.
class FakeStream final : public rpc::Stream<pb::ToTaskManager> {
 public:
  absl::Status send(pb::ToTaskManager message) override {
    inbox.push_back(std::move(message));
    return absl::OkStatus();
  }
  void close() override { ended = true; }
  void cancel(absl::Status) override { ended = true; }

  std::vector<pb::ToTaskManager> inbox;
  bool ended = false;
};

template <typename T>
Reply<T> into(std::optional<absl::StatusOr<T>>& answer) {
  return Reply<T>([&answer](absl::StatusOr<T> given) { answer = std::move(given); });
}

class DispatcherTest : public testing::Test {
 protected:
  // Answers everything as a healthy TaskManager does, unless told otherwise.
  struct TaskManager {
    std::string id;
    uint64_t session = 0;
    std::shared_ptr<FakeStream> stream;
    bool commits = true;       // reports COMMITTED on notifications
    bool acknowledges = true;  // checkpoints
    bool recovers = true;      // coordinators
    pb::LedgerEntry::State recovery_outcome = pb::LedgerEntry::COMMITTED;
    std::vector<pb::ToTaskManager> seen;
    std::vector<pb::DeployTask> tasks;
    std::vector<pb::Committable> prepared;
  };

  DispatcherTest() {
    char pattern[] = "/tmp/weir-dispatcher-test-XXXXXX";
    folder_ = ::mkdtemp(pattern);
    start_jobmanager();
  }
  ~DispatcherTest() override {
    stop_jobmanager();
    std::filesystem::remove_all(folder_);
  }

  void start_jobmanager() {
    auto store = FileMetadataStore::open(folder_);
    ASSERT_THAT(store, IsOk());
    store_ = std::move(*store);
    Config config;
    ASSERT_THAT(config.set("slot.request.timeout", "30 s"), IsOk());
    dispatcher_ = std::make_unique<Dispatcher>(
        config, *store_, clock_,
        [this](const std::string& name) {
          Mailbox::Options options;
          options.name = name;
          options.clock = &clock_;
          auto mailbox = std::make_shared<Mailbox>(options);
          mailboxes_.push_back(mailbox);
          return mailbox;
        },
        folder_ + "/checkpoints");
    ASSERT_THAT(dispatcher_->start(), IsOk());
    run();
  }
  // As a kill does: nothing is said to anybody.
  void stop_jobmanager() {
    dispatcher_.reset();
    mailboxes_.clear();
    store_.reset();
    taskmanagers_.clear();
  }

  TaskManager& add_taskmanager(const std::string& id, int32_t slots) {
    auto taskmanager = std::make_unique<TaskManager>();
    taskmanager->id = id;
    taskmanager->session = ++last_session_;
    taskmanager->stream = std::make_shared<FakeStream>();
    pb::RegisterTaskManager registration;
    registration.set_taskmanager_id(id);
    registration.set_slots(slots);
    registration.set_abi_stamp("abi 1");
    dispatcher_->register_taskmanager(taskmanager->session, registration, taskmanager->stream);
    taskmanagers_.push_back(std::move(taskmanager));
    TaskManager& added = *taskmanagers_.back();
    run();
    return added;
  }
  void kill(TaskManager& taskmanager) {
    dispatcher_->on_taskmanager_closed(taskmanager.session, "connection reset");
    std::erase_if(taskmanagers_, [&](const auto& other) { return other.get() == &taskmanager; });
    run();
  }
  void send(const TaskManager& taskmanager, pb::FromTaskManager message) {
    message.set_leader_epoch(store_->leader_epoch().value());
    dispatcher_->on_taskmanager_message(taskmanager.session, std::move(message));
  }

  // Until nothing is left to do at this time.
  void run() {
    for (bool busy = true; busy;) {
      busy = false;
      for (size_t i = 0; i < mailboxes_.size(); ++i) {
        if (mailboxes_[i]->run_pending() > 0) busy = true;
      }
      for (size_t i = 0; i < taskmanagers_.size(); ++i) {
        TaskManager& taskmanager = *taskmanagers_[i];
        for (pb::ToTaskManager& message : std::exchange(taskmanager.stream->inbox, {})) {
          busy = true;
          answer(taskmanager, message);
          taskmanager.seen.push_back(std::move(message));
        }
      }
    }
  }
  void advance(std::chrono::nanoseconds time) {
    clock_.advance(time);
    run();
  }

  void answer(TaskManager& taskmanager, const pb::ToTaskManager& message);
  void task_state(TaskManager& taskmanager, const pb::TaskId& task,
                  pb::TaskStateChanged::State state, const std::string& cause = "",
                  bool fatal = false) {
    pb::FromTaskManager change;
    *change.mutable_task_state_changed()->mutable_task() = task;
    change.mutable_task_state_changed()->set_state(state);
    change.mutable_task_state_changed()->set_cause(cause);
    change.mutable_task_state_changed()->set_fatal(fatal);
    send(taskmanager, change);
  }

  pb::JobGraph graph() {
    pb::JobGraph graph;
    graph.set_format_version(1);
    graph.set_name("processed");
    for (int id = 0; id < 2; ++id) {
      pb::JobGraph::Node* node = graph.add_nodes();
      node->set_id(id);
      node->set_uid(id == 0 ? "lines" : "out");
      node->set_name(node->uid());
      node->set_kind(id == 0 ? pb::JobGraph::SOURCE : pb::JobGraph::SINK);
      node->set_parallelism(2);
      node->set_has_coordinator(true);
      node->set_has_committer(id == 1);
      if (id > 0) node->add_inputs(id - 1);
    }
    (*graph.mutable_configuration())["execution.checkpointing.interval"] = "1 s";
    (*graph.mutable_configuration())["restart-strategy.type"] = "fixed-delay";
    (*graph.mutable_configuration())["restart-strategy.fixed-delay.attempts"] = "3";
    (*graph.mutable_configuration())["restart-strategy.fixed-delay.delay"] = "0 s";
    return graph;
  }
  absl::StatusOr<std::string> submit(const pb::JobGraph& graph, const std::string& savepoint = "") {
    pb::SubmitJobRequest request;
    *request.mutable_graph() = graph;
    request.set_savepoint_path(savepoint);
    std::optional<absl::StatusOr<pb::SubmitJobResponse>> answer;
    dispatcher_->submit(request, into(answer));
    run();
    if (!answer->ok()) return answer->status();
    return (*answer)->job_id();
  }
  pb::JobDetails details(const std::string& job_id) {
    std::optional<absl::StatusOr<pb::JobDetails>> answer;
    dispatcher_->describe(job_id, into(answer));
    run();
    EXPECT_THAT(*answer, IsOk());
    return answer->ok() ? **answer : pb::JobDetails();
  }
  std::string state(const std::string& job_id) { return details(job_id).status().state(); }
  void cancel(const std::string& job_id) {
    std::optional<absl::StatusOr<pb::CancelJobResponse>> answer;
    dispatcher_->cancel(job_id, into(answer));
    run();
    EXPECT_THAT(*answer, IsOk());
  }
  template <typename Predicate>
  static int count(const TaskManager& taskmanager, Predicate predicate) {
    return static_cast<int>(
        std::count_if(taskmanager.seen.begin(), taskmanager.seen.end(), predicate));
  }
  static int notifications(const TaskManager& taskmanager) {
    return count(taskmanager, [](const auto& m) { return m.has_notify_checkpoint_complete(); });
  }
  static const pb::RecoverCoordinator* last_recovery(const TaskManager& taskmanager,
                                                     const std::string& uid) {
    for (auto it = taskmanager.seen.rbegin(); it != taskmanager.seen.rend(); ++it) {
      if (it->has_recover_coordinator() && it->recover_coordinator().coordinator().uid() == uid) {
        return &it->recover_coordinator();
      }
    }
    return nullptr;
  }

  std::string folder_;
  ManualClock clock_;
  std::unique_ptr<FileMetadataStore> store_;
  std::vector<std::shared_ptr<Mailbox>> mailboxes_;
  std::unique_ptr<Dispatcher> dispatcher_;
  std::vector<std::unique_ptr<TaskManager>> taskmanagers_;
  uint64_t last_session_ = 0;
};

void DispatcherTest::answer(TaskManager& taskmanager, const pb::ToTaskManager& message) {
  EXPECT_EQ(message.leader_epoch(), store_->leader_epoch().value());
  if (message.has_deploy_coordinators()) {
    for (const std::string& uid : message.deploy_coordinators().uids()) {
      pb::FromTaskManager validated;
      auto* answer = validated.mutable_coordinator_validated();
      answer->mutable_coordinator()->set_job_id(message.deploy_coordinators().job_id());
      answer->mutable_coordinator()->set_attempt(message.deploy_coordinators().attempt());
      answer->mutable_coordinator()->set_uid(uid);
      if (uid == "out") {
        answer->add_exclusive_resources("kafka-prefix:cluster/processed");
        answer->set_generation_max(4);
      }
      send(taskmanager, validated);
    }
  } else if (message.has_recover_coordinator() && taskmanager.recovers) {
    const pb::RecoverCoordinator& recover = message.recover_coordinator();
    if (recover.coordinator().uid() == "lines" && !recover.has_state()) {
      pb::FromTaskManager resolved;
      *resolved.mutable_coordinator_resolved()->mutable_coordinator() = recover.coordinator();
      resolved.mutable_coordinator_resolved()->set_state("start offsets");
      return send(taskmanager, resolved);
    }
    for (const auto& recovered : recover.committables()) {
      pb::FromTaskManager report;
      auto* commit = report.mutable_commit_reported();
      commit->set_job_id(recover.coordinator().job_id());
      commit->set_attempt(recover.coordinator().attempt());
      commit->set_sink_uid("out");
      commit->set_subtask(-1);
      *commit->mutable_committable() = recovered.committable();
      commit->set_state(taskmanager.recovery_outcome);
      commit->set_message("INVALID_PRODUCER_EPOCH");
      if (!recovered.known_committed()) send(taskmanager, report);
    }
    pb::FromTaskManager recovered;
    *recovered.mutable_coordinator_recovered()->mutable_coordinator() = recover.coordinator();
    send(taskmanager, recovered);
  } else if (message.has_resolved_state_durable()) {
    pb::FromTaskManager recovered;
    *recovered.mutable_coordinator_recovered()->mutable_coordinator() =
        message.resolved_state_durable().coordinator();
    send(taskmanager, recovered);
  } else if (message.has_deploy_task()) {
    taskmanager.tasks.push_back(message.deploy_task());
    task_state(taskmanager, message.deploy_task().task(), pb::TaskStateChanged::DEPLOYED);
  } else if (message.has_start_tasks()) {
    for (const pb::DeployTask& task : taskmanager.tasks) {
      task_state(taskmanager, task.task(), pb::TaskStateChanged::RUNNING);
    }
  } else if (message.has_trigger_checkpoint() && taskmanager.acknowledges) {
    const pb::TriggerCheckpoint& trigger = message.trigger_checkpoint();
    for (const pb::DeployTask& task : taskmanager.tasks) {
      pb::FromTaskManager ack;
      auto* acknowledge = ack.mutable_acknowledge_checkpoint();
      *acknowledge->mutable_task() = task.task();
      acknowledge->set_checkpoint_id(trigger.checkpoint_id());
      pb::OperatorState* source = acknowledge->add_operators();
      source->set_uid("lines");
      source->set_subtask(task.task().subtask());
      source->add_splits()->set_id("lines-" + std::to_string(task.task().subtask()));
      pb::OperatorState* sink = acknowledge->add_operators();
      sink->set_uid("out");
      sink->set_subtask(task.task().subtask());
      pb::Committable* committable = sink->add_committables();
      committable->set_transaction("t" + std::to_string(task.task().subtask()) + "-" +
                                   std::to_string(trigger.checkpoint_id()));
      committable->set_checkpoint_id(trigger.checkpoint_id());
      taskmanager.prepared.push_back(*committable);
      send(taskmanager, ack);
    }
    if (!taskmanager.tasks.empty() && taskmanager.tasks[0].task().subtask() == 0) {
      pb::FromTaskManager ack;
      auto* acknowledge = ack.mutable_acknowledge_coordinator_checkpoint();
      acknowledge->mutable_coordinator()->set_job_id(trigger.job_id());
      acknowledge->mutable_coordinator()->set_attempt(trigger.attempt());
      acknowledge->mutable_coordinator()->set_uid("lines");
      acknowledge->set_checkpoint_id(trigger.checkpoint_id());
      acknowledge->set_state("offsets at " + std::to_string(trigger.checkpoint_id()));
      send(taskmanager, ack);
    }
  } else if (message.has_notify_checkpoint_complete() && taskmanager.commits) {
    for (const pb::Committable& committable : std::exchange(taskmanager.prepared, {})) {
      pb::FromTaskManager report;
      auto* commit = report.mutable_commit_reported();
      commit->set_job_id(message.notify_checkpoint_complete().job_id());
      commit->set_attempt(message.notify_checkpoint_complete().attempt());
      commit->set_sink_uid("out");
      *commit->mutable_committable() = committable;
      commit->set_state(pb::LedgerEntry::COMMITTED);
      send(taskmanager, report);
    }
  } else if (message.has_cancel_attempt()) {
    taskmanager.tasks.clear();
    taskmanager.prepared.clear();
    pb::FromTaskManager released;
    released.mutable_attempt_released()->set_job_id(message.cancel_attempt().job_id());
    released.mutable_attempt_released()->set_attempt(message.cancel_attempt().attempt());
    send(taskmanager, released);
  }
}

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
}

TEST_F(DispatcherTest, CheckpointsArePublishedAndCommitted) {
  TaskManager& a = add_taskmanager("a", 2);
  const auto job = submit(graph());
  advance(seconds(1));
  EXPECT_EQ(notifications(a), 1);
  advance(seconds(1));
  const pb::JobDetails shown = details(*job);
  EXPECT_EQ(shown.checkpoint_counts().completed(), 2);
  EXPECT_EQ(shown.recovery_point().checkpoint_id(), 2);
  EXPECT_THAT(load_checkpoint(shown.recovery_point().path()), IsOk());
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/checkpoints/" + *job + "/chk-1"));
  EXPECT_EQ(shown.oldest_prepared_ms(), 0);
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

TEST_F(DispatcherTest, ARecoveryTellsWhatIsKnownToBeCommitted) {
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
  dispatcher_->on_taskmanager_message(a.session, failed);
  run();
  EXPECT_EQ(details(*job).status().attempt(), 0);
}

TEST_F(DispatcherTest, AStopPublishesItsSavepointCommitsItAndFinishes) {
  add_taskmanager("a", 2);
  const auto job = submit(graph());
  pb::StopJobRequest request;
  request.set_job_id(*job);
  request.set_directory(folder_ + "/savepoints");
  std::optional<absl::StatusOr<pb::SavepointResponse>> answer;
  dispatcher_->stop(request, into(answer));
  run();
  ASSERT_TRUE(answer.has_value());
  ASSERT_THAT(*answer, IsOk());
  EXPECT_EQ(state(*job), "FINISHED");
  EXPECT_THAT(load_checkpoint((*answer)->path()), IsOk());
  // And a job begins from it, at another parallelism.
  pb::JobGraph other = graph();
  for (auto& node : *other.mutable_nodes()) node.set_parallelism(1);
  const auto next = submit(other, (*answer)->path());
  ASSERT_THAT(next, IsOk());
  EXPECT_EQ(state(*next), "RUNNING");
  const pb::RecoverCoordinator* recovery = last_recovery(*taskmanagers_[0], "out");
  ASSERT_EQ(recovery->committables_size(), 2);
  EXPECT_TRUE(recovery->committables(0).known_committed());  // by the savepoint's ledger
  EXPECT_EQ(last_recovery(*taskmanagers_[0], "lines")->splits_size(), 2);
}

TEST_F(DispatcherTest, APlainSavepointCommitsNothing) {
  TaskManager& a = add_taskmanager("a", 2);
  const auto job = submit(graph());
  pb::TriggerSavepointRequest request;
  request.set_job_id(*job);
  std::optional<absl::StatusOr<pb::SavepointResponse>> answer;
  dispatcher_->trigger_savepoint(request, into(answer));
  run();
  ASSERT_TRUE(answer.has_value());
  ASSERT_THAT(*answer, IsOk());
  EXPECT_THAT((*answer)->path(), HasSubstr("/savepoint-" + job->substr(0, 6) + "-"));
  EXPECT_EQ(notifications(a), 0);
  EXPECT_FALSE(details(*job).has_recovery_point());
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

TEST_F(DispatcherTest, ALostTransactionFailsTheJobAndNamesIt) {
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
              testing::AllOf(HasSubstr("checkpoint 1: transaction t0-1 of 'out' is lost"),
                             HasSubstr("INVALID_PRODUCER_EPOCH")));
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

TEST_F(DispatcherTest, AnUnwritableCheckpointFolderFailsTheCheckpointAndNamesThePath) {
  add_taskmanager("a", 2);
  pb::JobGraph bad = graph();
  (*bad.mutable_configuration())["execution.checkpointing.dir"] = "/proc/weir";
  (*bad.mutable_configuration())["restart-strategy.type"] = "none";
  const auto job = submit(bad);
  ASSERT_THAT(job, IsOk());
  advance(seconds(1));
  EXPECT_THAT(details(*job).status().first_fault().cause(), HasSubstr("/proc/weir"));
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

}  // namespace
}  // namespace weir
