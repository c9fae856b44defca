// Only the region of what failed restarts, by scripted TaskManagers.
#include <utility>

#include "jobmanager/job/scripted_cluster.h"

namespace weir {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

class JobRegionsTest : public ScriptedCluster {
 protected:
  JobRegionsTest() { restarts_subtasks_ = true; }

  // "a" has the coordinators and subtask 0, "b" subtask 1.
  void start() {
    a_ = &add_taskmanager("a", 1);
    b_ = &add_taskmanager("b", 1);
    const auto job = submit(graph());
    ASSERT_THAT(job, IsOk());
    job_ = *job;
    if (a_->tasks.empty() || a_->tasks[0].task().subtask() != 0) std::swap(a_, b_);
    ASSERT_EQ(state(job_), "RUNNING");
  }
  static int deployments(const TaskManager& taskmanager) {
    return count(taskmanager, [](const auto& message) { return message.has_deploy_task(); });
  }
  static int cancels(const TaskManager& taskmanager) {
    return count(taskmanager, [](const auto& message) { return message.has_cancel_attempt(); });
  }
  int32_t attempt_of(int32_t subtask) {
    return details(job_).vertices(0).subtasks(subtask).attempt();
  }

  TaskManager* a_ = nullptr;
  TaskManager* b_ = nullptr;
  std::string job_;
};

TEST_F(JobRegionsTest, ATaskThatFailsRestartsAloneFromTheLastCheckpoint) {
  start();
  advance(seconds(1));
  task_state(*b_, b_->tasks[0].task(), pb::TaskStateChanged::FAILED, "boom");
  run();
  EXPECT_EQ(state(job_), "RUNNING");
  EXPECT_EQ(details(job_).restarts(), 1);
  EXPECT_EQ(deployments(*a_), 1);
  EXPECT_EQ(deployments(*b_), 2);
  EXPECT_EQ(cancels(*a_) + cancels(*b_), 0);
  EXPECT_EQ(attempt_of(0), 0);
  EXPECT_EQ(attempt_of(1), 1);

  const pb::RecoverCoordinator* sink = last_recovery(*a_, "out");
  EXPECT_EQ(sink->coordinator().attempt(), 0);
  EXPECT_EQ(sink->for_attempt(), 1);
  EXPECT_THAT(sink->subtasks(), ElementsAre(1));
  EXPECT_GT(sink->generation(), sink->generation_from());
  ASSERT_EQ(sink->committables_size(), 1);
  EXPECT_EQ(sink->committables(0).committable().transaction(), "t1-1");
  EXPECT_EQ(last_recovery(*a_, "lines")->splits_size(), 2);
}

TEST_F(JobRegionsTest, CheckpointsGoOnWithTasksOfSeveralAttempts) {
  start();
  advance(seconds(1));
  task_state(*b_, b_->tasks[0].task(), pb::TaskStateChanged::FAILED, "boom");
  run();
  const int before = notifications(*a_);
  advance(seconds(1));
  EXPECT_GE(details(job_).checkpoint_counts().completed(), 3);
  EXPECT_EQ(details(job_).checkpoint_counts().failed(), 0);
  EXPECT_GT(notifications(*a_), before);
  // Each heard of its own attempt, and committed.
  EXPECT_TRUE(a_->prepared.empty());
  EXPECT_TRUE(b_->prepared.empty());
}

TEST_F(JobRegionsTest, ALostTaskManagerTakesOnlyItsRegionsWithIt) {
  start();
  advance(seconds(1));
  kill(*b_);
  run();
  EXPECT_EQ(state(job_), "RESTARTING");
  EXPECT_EQ(deployments(*a_), 1);
  TaskManager& c = add_taskmanager("c", 1);
  run();
  EXPECT_EQ(state(job_), "RUNNING");
  EXPECT_EQ(deployments(*a_), 1);
  ASSERT_EQ(c.tasks.size(), 1u);
  EXPECT_EQ(c.tasks[0].task().subtask(), 1);
  EXPECT_EQ(c.tasks[0].task().attempt(), 1);
  advance(seconds(1));
  cancel(job_);
  EXPECT_EQ(state(job_), "CANCELED");
  EXPECT_THAT(c.tasks, IsEmpty());
}

TEST_F(JobRegionsTest, TheTaskManagerWithTheCoordinatorsRestartsEverything) {
  start();
  advance(seconds(1));
  kill(*a_);
  add_taskmanager("c", 1);
  run();
  EXPECT_EQ(state(job_), "RUNNING");
  EXPECT_EQ(attempt_of(0), 1);
  EXPECT_EQ(attempt_of(1), 1);
}

TEST_F(JobRegionsTest, FullFailoverOrACoordinatorThatCannotRestartsEverything) {
  restarts_subtasks_ = false;
  start();
  task_state(*b_, b_->tasks[0].task(), pb::TaskStateChanged::FAILED, "boom");
  run();
  EXPECT_EQ(attempt_of(0), 1);
  cancel(job_);

  restarts_subtasks_ = true;
  pb::JobGraph full = graph();
  (*full.mutable_configuration())["jobmanager.execution.failover-strategy"] = "full";
  job_ = *submit(full);
  task_state(*b_, b_->tasks[0].task(), pb::TaskStateChanged::FAILED, "boom");
  run();
  EXPECT_EQ(attempt_of(0), 1);
}

TEST_F(JobRegionsTest, WhatSourcesAndReadersTellEachOtherFindsItsAttempt) {
  start();
  const auto events = [](const TaskManager& taskmanager) {
    return count(taskmanager, [](const auto& message) { return message.has_source_event(); });
  };
  task_state(*b_, b_->tasks[0].task(), pb::TaskStateChanged::FAILED, "boom");
  run();
  ASSERT_EQ(attempt_of(1), 1);
  pb::FromTaskManager message;
  auto* event = message.mutable_source_event();
  event->mutable_coordinator()->set_job_id(job_);
  event->mutable_coordinator()->set_uid("lines");
  event->set_subtask(1);
  event->set_to_reader("read on");
  send(*a_, message);
  run();
  ASSERT_EQ(events(*b_), 1);
  EXPECT_EQ(b_->seen.back().source_event().coordinator().attempt(), 1);
  // The reader's answer, in its attempt; one of its old attempt is dropped.
  event->set_to_coordinator("more");
  send(*b_, message);
  run();
  EXPECT_EQ(events(*a_), 0);
  event->mutable_coordinator()->set_attempt(1);
  send(*b_, message);
  run();
  ASSERT_EQ(events(*a_), 1);
  EXPECT_EQ(a_->seen.back().source_event().coordinator().attempt(), 0);
}

TEST_F(JobRegionsTest, ATaskThatDoesNotEndRestartsEverything) {
  start();
  b_->releases_tasks = false;
  task_state(*b_, b_->tasks[0].task(), pb::TaskStateChanged::FAILED, "boom");
  run();
  EXPECT_EQ(state(job_), "RESTARTING");
  advance(seconds(10));
  EXPECT_EQ(state(job_), "RUNNING");
  EXPECT_EQ(cancels(*a_), 1);
}

TEST_F(JobRegionsTest, AJobManagerThatDiesMeanwhileRestartsEverything) {
  start();
  advance(seconds(1));
  kill(*b_);
  run();
  stop_jobmanager();
  start_jobmanager();
  TaskManager& c = add_taskmanager("c", 2);
  EXPECT_EQ(state(job_), "RUNNING");
  EXPECT_EQ(c.tasks.size(), 2u);
  // All of the recovery point's transactions are settled again.
  EXPECT_THAT(last_recovery(c, "out")->subtasks(), IsEmpty());
  EXPECT_EQ(last_recovery(c, "out")->committables_size(), 2);
}

}  // namespace
}  // namespace weir
