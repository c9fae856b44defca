#include "taskmanager/server/task_executor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <optional>

#include "proto/control.pb.h"
#include "taskmanager/testing/memory_job.h"
#include "taskmanager/testing/recording_sender.h"

namespace weir {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

class TaskExecutorTest : public testing::Test {
 protected:
  void SetUp() override { start(1, 0ms); }
  void TearDown() override {
    job_->with([](MemoryJob& job) { job.hang_in_collect = false; });
    mailbox_->shutdown(Mailbox::Pending::kDrop);
    executor_.reset();
  }

  void start(int slots, std::chrono::milliseconds cancellation_timeout) {
    StreamExecutionEnvironment environment;
    environment
        .from_source(MemorySource(job_), WatermarkStrategy<std::string>::no_watermarks(), "lines")
        .uid("lines")
        .sink_to(MemorySink(job_))
        .uid("out");
    mailbox_ = std::make_unique<Mailbox>(Mailbox::Options{.name = "main"});
    executor_ = std::make_unique<TaskExecutor>(TaskExecutor::Options{
        .mailbox = mailbox_.get(),
        .sender = &sender_,
        .find_graph =
            [this, graph = environment.graph()](
                const pb::JobGraph&,
                std::function<void(absl::StatusOr<TaskExecutor::GraphBuilder>)> callback) {
              if (!library_error_.ok()) {
                callback(library_error_);
              } else if (library_is_slow_) {
                waiting_ = [graph, callback] { callback([graph] { return graph; }); };
              } else {
                callback([graph] { return graph; });
              }
            },
        .slots = slots,
        .cancellation_timeout = cancellation_timeout,
        .on_stuck = [this](const std::string& name) { stuck_.set_value(name); }});
    mailbox_->start();
  }

  // Runs on the mailbox's thread and waits for it.
  void run(std::function<void()> function) {
    std::promise<void> done;
    mailbox_->post([&] {
      function();
      done.set_value();
    });
    done.get_future().wait();
  }
  void handle(const pb::ToTaskManager& message) {
    run([&] { executor_->handle(message); });
  }

  void deploy(int attempt, int subtask) {
    pb::ToTaskManager message;
    pb::DeployTask& request = *message.mutable_deploy_task();
    request.mutable_task()->set_job_id(kJob);
    request.mutable_task()->set_attempt(attempt);
    request.mutable_task()->set_subtask(subtask);
    request.add_chain(0);
    request.add_chain(1);
    request.set_parallelism(2);
    request.set_task_name("lines -> out (" + std::to_string(subtask + 1) + "/2)");
    request.mutable_graph()->add_nodes()->set_uid("lines");
    request.mutable_graph()->add_nodes()->set_uid("out");
    handle(message);
  }
  void start_tasks(int attempt) {
    pb::ToTaskManager message;
    message.mutable_start_tasks()->set_job_id(kJob);
    message.mutable_start_tasks()->set_attempt(attempt);
    handle(message);
  }
  void cancel(int attempt) {
    pb::ToTaskManager message;
    message.mutable_cancel_attempt()->set_job_id(kJob);
    message.mutable_cancel_attempt()->set_attempt(attempt);
    handle(message);
  }
  void cancel_task(int attempt, int subtask, int asked_in) {
    pb::ToTaskManager message;
    message.mutable_cancel_tasks()->set_job_id(kJob);
    message.mutable_cancel_tasks()->set_attempt(asked_in);
    pb::TaskId& task = *message.mutable_cancel_tasks()->add_tasks();
    task.set_job_id(kJob);
    task.set_attempt(attempt);
    task.set_subtask(subtask);
    handle(message);
  }
  bool tasks_released(int asked_in) {
    return sender_
        .wait_for([&](const pb::FromTaskManager& sent) {
          return sent.has_tasks_released() && sent.tasks_released().attempt() == asked_in;
        })
        .has_value();
  }
  std::optional<pb::TaskStateChanged> reaches(pb::TaskStateChanged::State state) {
    const auto message = sender_.wait_for([&](const pb::FromTaskManager& sent) {
      return sent.has_task_state_changed() && sent.task_state_changed().state() == state;
    });
    if (!message) return std::nullopt;
    return message->task_state_changed();
  }
  bool released(int attempt) {
    return sender_
        .wait_for([&](const pb::FromTaskManager& sent) {
          return sent.has_attempt_released() && sent.attempt_released().attempt() == attempt;
        })
        .has_value();
  }

  static constexpr char kJob[] = "00112233445566778899aabbccddeeff";
  std::shared_ptr<MemoryJob> job_ = std::make_shared<MemoryJob>();
  RecordingSender sender_;
  absl::Status library_error_;
  bool library_is_slow_ = false;
  std::function<void()> waiting_;
  std::promise<std::string> stuck_;
  std::unique_ptr<Mailbox> mailbox_;
  std::unique_ptr<TaskExecutor> executor_;
};

TEST_F(TaskExecutorTest, DeploysRunsAndReleasesAnAttempt) {
  deploy(0, 0);
  ASSERT_TRUE(reaches(pb::TaskStateChanged::DEPLOYED));
  start_tasks(0);
  ASSERT_TRUE(reaches(pb::TaskStateChanged::RUNNING));
  cancel(0);
  EXPECT_TRUE(reaches(pb::TaskStateChanged::CANCELED));
  EXPECT_TRUE(released(0));
}

TEST_F(TaskExecutorTest, AnAttemptThatIsNotHereIsReleasedAtOnce) {
  cancel(5);
  EXPECT_TRUE(released(5));
}

TEST_F(TaskExecutorTest, CancelEndsAllOlderAttemptsToo) {
  deploy(0, 0);
  ASSERT_TRUE(reaches(pb::TaskStateChanged::DEPLOYED));
  cancel(1);
  EXPECT_TRUE(reaches(pb::TaskStateChanged::CANCELED));
  EXPECT_TRUE(released(1));
}

TEST_F(TaskExecutorTest, ATaskIsReplacedByOneOfALaterAttemptWhileTheOthersGoOn) {
  start(2, 0ms);
  deploy(0, 0);
  deploy(0, 1);
  ASSERT_TRUE(reaches(pb::TaskStateChanged::DEPLOYED));
  ASSERT_TRUE(reaches(pb::TaskStateChanged::DEPLOYED));
  start_tasks(0);
  ASSERT_TRUE(reaches(pb::TaskStateChanged::RUNNING));
  ASSERT_TRUE(reaches(pb::TaskStateChanged::RUNNING));
  cancel_task(0, 1, 3);
  ASSERT_TRUE(tasks_released(3));
  // It takes the slot of the one before.
  deploy(4, 1);
  const auto deployed = reaches(pb::TaskStateChanged::DEPLOYED);
  ASSERT_TRUE(deployed);
  EXPECT_EQ(deployed->task().attempt(), 4);
  start_tasks(4);
  ASSERT_TRUE(reaches(pb::TaskStateChanged::RUNNING));
  EXPECT_EQ(sender_.count([](const pb::FromTaskManager& sent) {
    return sent.has_task_state_changed() &&
           sent.task_state_changed().state() == pb::TaskStateChanged::CANCELED;
  }),
            1);
  cancel(4);
  EXPECT_TRUE(released(4));
}

TEST_F(TaskExecutorTest, ATaskThatIsCancelledBeforeItsLibraryIsThereNeverBegins) {
  library_is_slow_ = true;
  deploy(0, 0);
  cancel_task(0, 0, 1);
  EXPECT_TRUE(tasks_released(1));
  run(waiting_);
  EXPECT_EQ(
      sender_.count([](const pb::FromTaskManager& sent) { return sent.has_task_state_changed(); }),
      0);
}

TEST_F(TaskExecutorTest, MessagesOfAnotherAttemptChangeNothing) {
  deploy(1, 0);
  ASSERT_TRUE(reaches(pb::TaskStateChanged::DEPLOYED));
  start_tasks(0);
  start_tasks(1);
  ASSERT_TRUE(reaches(pb::TaskStateChanged::RUNNING));
  pb::ToTaskManager trigger;
  trigger.mutable_trigger_checkpoint()->set_job_id(kJob);
  trigger.mutable_trigger_checkpoint()->set_attempt(0);
  trigger.mutable_trigger_checkpoint()->set_checkpoint_id(1);
  handle(trigger);
  trigger.mutable_trigger_checkpoint()->set_attempt(1);
  trigger.mutable_trigger_checkpoint()->set_checkpoint_id(2);
  handle(trigger);
  const auto acknowledged = sender_.wait_for(
      [](const pb::FromTaskManager& sent) { return sent.has_acknowledge_checkpoint(); });
  ASSERT_TRUE(acknowledged);
  EXPECT_EQ(acknowledged->acknowledge_checkpoint().checkpoint_id(), 2);
}

TEST_F(TaskExecutorTest, MoreTasksThanSlotsAreRefused) {
  deploy(0, 0);
  deploy(0, 1);
  const auto failed = reaches(pb::TaskStateChanged::FAILED);
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->task().subtask(), 1);
  EXPECT_THAT(failed->cause(), HasSubstr("taskmanager.numberOfTaskSlots"));
}

TEST_F(TaskExecutorTest, ALibraryThatCannotBeLoadedFailsTheTaskForGood) {
  library_error_ = absl::InvalidArgumentError("built with another compiler");
  deploy(0, 0);
  const auto failed = reaches(pb::TaskStateChanged::FAILED);
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->cause(), "built with another compiler");
  EXPECT_TRUE(failed->fatal());
}

TEST_F(TaskExecutorTest, ALibraryThatComesAfterTheCancelStartsNothing) {
  library_is_slow_ = true;
  deploy(0, 0);
  cancel(0);
  EXPECT_EQ(sender_.count([](const auto& sent) { return sent.has_attempt_released(); }), 0);
  run(waiting_);
  EXPECT_TRUE(released(0));
  EXPECT_EQ(sender_.count([](const auto& sent) { return sent.has_task_state_changed(); }), 0);
}

TEST_F(TaskExecutorTest, CancelAllTellsWhenNothingIsLeft) {
  deploy(0, 0);
  ASSERT_TRUE(reaches(pb::TaskStateChanged::DEPLOYED));
  std::promise<void> ended;
  run([&] { executor_->cancel_all([&] { ended.set_value(); }); });
  EXPECT_EQ(ended.get_future().wait_for(10s), std::future_status::ready);
}

TEST_F(TaskExecutorTest, SourceEventsReachTheReaderOfTheSubtask) {
  deploy(0, 0);
  start_tasks(0);
  ASSERT_TRUE(reaches(pb::TaskStateChanged::RUNNING));
  pb::ToTaskManager message;
  pb::SourceEvent& event = *message.mutable_source_event();
  event.mutable_coordinator()->set_job_id(kJob);
  event.mutable_coordinator()->set_uid("lines");
  event.set_to_reader("for another");
  event.set_subtask(1);
  handle(message);
  event.set_subtask(0);
  event.set_to_reader("for me");
  handle(message);
  ASSERT_TRUE(job_->wait([&] { return !job_->reader_events.empty(); }));
  EXPECT_EQ(job_->reader_events.front(), "for me");
}

TEST_F(TaskExecutorTest, HeartbeatsCarryTheTasksMetrics) {
  deploy(0, 0);
  ASSERT_TRUE(reaches(pb::TaskStateChanged::DEPLOYED));
  pb::HeartbeatFromTaskManager heartbeat;
  run([&] { executor_->add_metrics(heartbeat); });
  ASSERT_EQ(heartbeat.tasks_size(), 1);
  EXPECT_EQ(heartbeat.tasks(0).task().job_id(), kJob);
}

TEST_F(TaskExecutorTest, ATaskThatDoesNotEndIsNamed) {
  TearDown();
  start(1, 20ms);
  std::promise<void> release;
  deploy(0, 0);
  start_tasks(0);
  ASSERT_TRUE(reaches(pb::TaskStateChanged::RUNNING));
  const auto held = release.get_future().share();
  job_->with([&](MemoryJob& job) { job.on_prepare = [held] { held.wait(); }; });
  pb::ToTaskManager trigger;
  trigger.mutable_trigger_checkpoint()->set_job_id(kJob);
  trigger.mutable_trigger_checkpoint()->set_checkpoint_id(1);
  handle(trigger);
  cancel(0);
  auto stuck = stuck_.get_future();
  ASSERT_EQ(stuck.wait_for(10s), std::future_status::ready);
  EXPECT_EQ(stuck.get(), "lines -> out (1/2)");
  release.set_value();
  EXPECT_TRUE(released(0));
}

}  // namespace
}  // namespace weir
