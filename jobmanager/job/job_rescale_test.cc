// A job goes on at another parallelism, by scripted TaskManagers.
#include <map>
#include <utility>

#include "jobmanager/job/scripted_cluster.h"

namespace weir {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

class JobRescaleTest : public ScriptedCluster {
 protected:
  using Answer = std::optional<absl::StatusOr<pb::RescaleJobResponse>>;

  void ask(const std::string& job, int32_t parallelism, Answer& answer, bool detached = false) {
    pb::RescaleJobRequest request;
    request.set_job_id(job);
    request.set_parallelism(parallelism);
    request.set_detached(detached);
    dispatcher_->rescale(request, into(answer));
    run();
  }
  absl::StatusOr<pb::RescaleJobResponse> rescale(const std::string& job, int32_t parallelism) {
    Answer answer;
    ask(job, parallelism, answer);
    return answer ? *answer : absl::DeadlineExceededError("not answered");
  }
  int32_t parallelism(const std::string& job) { return details(job).vertices(0).parallelism(); }
  int32_t attempt(const std::string& job) { return details(job).status().attempt(); }
  pb::JobGraph without_checkpoints() {
    pb::JobGraph result = graph();
    result.mutable_configuration()->erase("execution.checkpointing.interval");
    return result;
  }
};

TEST_F(JobRescaleTest, TheJobGoesOnFromACheckpointAtTheNewParallelism) {
  add_taskmanager("a", 4);
  const auto job = submit(keyed_graph(2));
  const auto rescaled = rescale(*job, 3);
  ASSERT_THAT(rescaled, IsOk());
  EXPECT_TRUE(rescaled->changed());
  EXPECT_EQ(rescaled->attempt(), 0);
  EXPECT_EQ(state(*job), "RUNNING");
  EXPECT_EQ(attempt(*job), 1);
  const pb::JobDetails shown = details(*job);
  EXPECT_EQ(shown.vertices(0).parallelism(), 3);
  EXPECT_EQ(shown.vertices(1).parallelism(), 3);
  EXPECT_EQ(shown.restored().checkpoint_id(), rescaled->checkpoint_id());
  EXPECT_EQ(shown.restarts(), 0);
  EXPECT_FALSE(shown.status().has_first_fault());
  // Before: 0 to 63, 64 to 127; now 43 to 85 belongs to the second of three.
  std::vector<int32_t> first_key_groups;
  for (const pb::DeployTask& task : taskmanagers_[0]->tasks) {
    if (task.task().vertex() != 1 || task.task().subtask() != 1) continue;
    for (const pb::OperatorState& state : task.restored()) {
      for (const auto& handle : state.keyed()) first_key_groups.push_back(handle.first_key_group());
    }
  }
  EXPECT_THAT(first_key_groups, ElementsAre(0, 64));
}

TEST_F(JobRescaleTest, FewerSubtasksCommitWhatMoreHavePrepared) {
  TaskManager& a = add_taskmanager("a", 3);
  a.commits = false;
  pb::JobGraph three = graph();
  for (pb::JobGraph::Node& node : *three.mutable_nodes()) node.set_parallelism(3);
  const auto job = submit(three);
  ASSERT_THAT(rescale(*job, 1), IsOk());
  EXPECT_EQ(parallelism(*job), 1);
  const pb::RecoverCoordinator* recovery = last_recovery(a, "out");
  EXPECT_EQ(recovery->committables_size(), 3);
  EXPECT_EQ(last_recovery(a, "lines")->splits_size(), 3);
  EXPECT_EQ(a.tasks.size(), 1u);
}

TEST_F(JobRescaleTest, TheNewParallelismSurvivesTheJobManager) {
  add_taskmanager("a", 4);
  const auto job = submit(graph());
  ASSERT_THAT(rescale(*job, 4), IsOk());
  stop_jobmanager();
  start_jobmanager();
  add_taskmanager("b", 4);
  EXPECT_EQ(state(*job), "RUNNING");
  EXPECT_EQ(parallelism(*job), 4);
}

TEST_F(JobRescaleTest, WithoutItsCheckpointNothingHasChangedWhenTheJobManagerDies) {
  TaskManager& a = add_taskmanager("a", 4);
  const auto job = submit(graph());
  a.acknowledges = false;
  Answer answer;
  ask(*job, 4, answer);
  EXPECT_FALSE(answer.has_value());
  stop_jobmanager();
  EXPECT_THAT(answer->status(), StatusIs(absl::StatusCode::kUnavailable));
  start_jobmanager();
  add_taskmanager("b", 4);
  EXPECT_EQ(state(*job), "RUNNING");
  EXPECT_EQ(parallelism(*job), 2);
}

TEST_F(JobRescaleTest, TooFewSlotsAreRefusedInOneLineAndTheJobGoesOn) {
  add_taskmanager("a", 2);
  add_taskmanager("b", 1);
  const auto job = submit(graph());
  EXPECT_THAT(rescale(*job, 4).status(),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("needs 4 slots"), HasSubstr("can have 3"))));
  EXPECT_EQ(state(*job), "RUNNING");
  EXPECT_EQ(attempt(*job), 0);
  EXPECT_EQ(details(*job).checkpoint_counts().total(), 0);
  EXPECT_THAT(rescale(*job, 3), IsOk());
}

TEST_F(JobRescaleTest, SlotsOfAnotherJobAreNotCounted) {
  add_taskmanager("a", 4);
  ASSERT_THAT(submit(keyed_graph(2)), IsOk());
  pb::JobGraph other = graph();
  other.mutable_nodes(1)->set_uid("elsewhere");
  const auto job = submit(other);
  ASSERT_EQ(state(*job), "RUNNING");
  EXPECT_THAT(rescale(*job, 3).status(),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("can have 2")));
}

TEST_F(JobRescaleTest, AFailedCheckpointLeavesTheJobAtItsParallelismAndSaysWhy) {
  TaskManager& a = add_taskmanager("a", 4);
  const auto job = submit(without_checkpoints());
  a.acknowledges = false;
  Answer answer;
  ask(*job, 4, answer);
  Answer second;
  ask(*job, 3, second);
  EXPECT_THAT(second->status(),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("being rescaled already")));
  pb::FromTaskManager declined;
  *declined.mutable_decline_checkpoint()->mutable_task() = a.tasks[1].task();
  declined.mutable_decline_checkpoint()->set_checkpoint_id(1);
  declined.mutable_decline_checkpoint()->set_cause("disk full");
  send(a, declined);
  run();
  ASSERT_TRUE(answer.has_value());
  EXPECT_THAT(answer->status(),
              StatusIs(absl::StatusCode::kAborted,
                       AllOf(HasSubstr("disk full"), HasSubstr("keeps parallelism 2"))));
  EXPECT_EQ(state(*job), "RUNNING");
  EXPECT_EQ(attempt(*job), 0);
  a.acknowledges = true;
  EXPECT_THAT(rescale(*job, 4), IsOk());
  EXPECT_EQ(parallelism(*job), 4);
}

TEST_F(JobRescaleTest, AnAttemptThatFailsMeanwhileComesBackAtTheOldParallelism) {
  TaskManager& a = add_taskmanager("a", 4);
  const auto job = submit(graph());
  a.acknowledges = false;
  Answer answer;
  ask(*job, 4, answer);
  a.acknowledges = true;
  task_state(a, a.tasks[0].task(), pb::TaskStateChanged::FAILED, "boom");
  run();
  EXPECT_THAT(answer->status(), StatusIs(absl::StatusCode::kAborted));
  EXPECT_EQ(state(*job), "RUNNING");
  EXPECT_EQ(attempt(*job), 1);
  EXPECT_EQ(parallelism(*job), 2);
}

TEST_F(JobRescaleTest, OnlyARunningJobIsRescaled) {
  const auto job = submit(graph());
  EXPECT_THAT(rescale(*job, 3).status(),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("CREATED")));
  add_taskmanager("a", 2);
  cancel(*job);
  EXPECT_THAT(rescale(*job, 1).status(),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("CANCELED")));
  EXPECT_THAT(rescale("0123456789abcdef0123456789abcdef", 1).status(),
              StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(JobRescaleTest, AskedOnceMoreItChangesNothing) {
  add_taskmanager("a", 3);
  const auto job = submit(graph());
  ASSERT_THAT(rescale(*job, 3), IsOk());
  const auto again = rescale(*job, 3);
  ASSERT_THAT(again, IsOk());
  EXPECT_FALSE(again->changed());
  EXPECT_EQ(attempt(*job), 1);
}

TEST_F(JobRescaleTest, DetachedItIsAnsweredWhenItHasBegun) {
  TaskManager& a = add_taskmanager("a", 3);
  const auto job = submit(graph());
  a.acknowledges = false;
  Answer answer;
  ask(*job, 3, answer, true);
  ASSERT_TRUE(answer.has_value());
  EXPECT_TRUE((*answer)->changed());
  EXPECT_EQ((*answer)->checkpoint_id(), 0);
  EXPECT_EQ(parallelism(*job), 2);
}

// The TaskManager that was counted on is gone when the attempt ends.
TEST_F(JobRescaleTest, ALostTaskManagerIsWaitedForAtTheNewParallelism) {
  add_taskmanager("a", 2);
  TaskManager& b = add_taskmanager("b", 2);
  const auto job = submit(graph());
  b.acknowledges = false;
  Answer answer;
  ask(*job, 4, answer);
  for (const pb::DeployTask& task : std::vector<pb::DeployTask>(b.tasks)) {
    acknowledge(b, task, last_trigger(b));
  }
  kill(b);
  run();
  EXPECT_NE(state(*job), "FAILED");
  add_taskmanager("c", 2);
  advance(minutes(0));
  EXPECT_EQ(state(*job), "RUNNING");
}

}  // namespace
}  // namespace weir
