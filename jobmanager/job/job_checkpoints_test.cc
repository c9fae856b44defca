// Checkpoints and savepoints of whole jobs, by scripted TaskManagers.
#include <utility>

#include "jobmanager/checkpoint/checkpoint_loader.h"
#include "jobmanager/job/scripted_cluster.h"

namespace weir {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;

class JobCheckpointsTest : public ScriptedCluster {
 protected:
  pb::JobGraph retaining(const std::string& retention) {
    pb::JobGraph result = graph();
    (*result.mutable_configuration())["execution.checkpointing.externalized-checkpoint-retention"] =
        retention;
    return result;
  }
  std::vector<std::string> checkpoint_folders(const std::string& job_id) {
    std::vector<std::string> names;
    for (const auto& entry :
         std::filesystem::directory_iterator(folder_ + "/checkpoints/" + job_id)) {
      if (entry.is_directory()) names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }
};

TEST_F(JobCheckpointsTest, CheckpointsArePublishedAndCommitted) {
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
  EXPECT_EQ(shown.transaction_oldest_prepared_age_ms(), 0);
}

TEST_F(JobCheckpointsTest, AStopPublishesItsSavepointCommitsItAndFinishes) {
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

TEST_F(JobCheckpointsTest, BarriersOfPlainCheckpointsMayOvertakeThoseOfSavepointsNever) {
  TaskManager& a = add_taskmanager("a", 2);
  pb::JobGraph unaligned = graph();
  auto& configuration = *unaligned.mutable_configuration();
  configuration["execution.checkpointing.unaligned.enabled"] = "true";
  configuration["execution.checkpointing.aligned-checkpoint-timeout"] = "250 ms";
  const auto job = submit(unaligned);
  advance(seconds(1));
  EXPECT_EQ(last_trigger(a).aligned_timeout_ms(), 250);
  pb::StopJobRequest request;
  request.set_job_id(*job);
  request.set_directory(folder_ + "/savepoints");
  std::optional<absl::StatusOr<pb::SavepointResponse>> answer;
  dispatcher_->stop(request, into(answer));
  run();
  EXPECT_TRUE(last_trigger(a).savepoint());
  EXPECT_FALSE(last_trigger(a).has_aligned_timeout_ms());
}

TEST_F(JobCheckpointsTest, UnalignedCheckpointsDontOverlap) {
  pb::JobGraph overlapping = graph();
  auto& configuration = *overlapping.mutable_configuration();
  configuration["execution.checkpointing.unaligned.enabled"] = "true";
  configuration["execution.checkpointing.max-concurrent-checkpoints"] = "2";
  EXPECT_THAT(submit(overlapping), StatusIs(absl::StatusCode::kInvalidArgument,
                                            HasSubstr("max-concurrent-checkpoints: 1")));
}

TEST_F(JobCheckpointsTest, APlainSavepointCommitsNothing) {
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

TEST_F(JobCheckpointsTest, AnUnwritableCheckpointFolderFailsTheCheckpointAndNamesThePath) {
  add_taskmanager("a", 2);
  pb::JobGraph bad = graph();
  (*bad.mutable_configuration())["execution.checkpointing.dir"] = "/proc/weir";
  (*bad.mutable_configuration())["restart-strategy.type"] = "none";
  const auto job = submit(bad);
  ASSERT_THAT(job, IsOk());
  advance(seconds(1));
  EXPECT_THAT(details(*job).status().first_fault().cause(), HasSubstr("/proc/weir"));
}

TEST_F(JobCheckpointsTest, ASecondCheckpointIsKeptIfSoConfigured) {
  pb::JobGraph two = graph();
  (*two.mutable_configuration())["execution.checkpointing.num-retained"] = "2";
  add_taskmanager("a", 2);
  const auto job = submit(two);
  for (int second = 0; second < 3; ++second) advance(seconds(1));
  EXPECT_THAT(checkpoint_folders(*job), ElementsAre("chk-2", "chk-3"));
}

TEST_F(JobCheckpointsTest, ACancelledJobsCheckpointsAreDeletedUnlessTheyAreToBeKept) {
  add_taskmanager("a", 2);
  for (const auto& [retention, kept] : {std::pair{"NO_EXTERNALIZED_CHECKPOINTS", 0},
                                        {"DELETE_ON_CANCELLATION", 0},
                                        {"RETAIN_ON_CANCELLATION", 1}}) {
    const auto job = submit(retaining(retention));
    advance(seconds(1));
    cancel(*job);
    EXPECT_EQ(state(*job), "CANCELED");
    EXPECT_EQ(checkpoint_folders(*job).size(), static_cast<size_t>(kept)) << retention;
  }
}

TEST_F(JobCheckpointsTest, AFailedJobsCheckpointsAreAlwaysKept) {
  for (const char* retention : {"NO_EXTERNALIZED_CHECKPOINTS", "DELETE_ON_CANCELLATION"}) {
    TaskManager& a = add_taskmanager("a", 2);
    const auto job = submit(retaining(retention));
    advance(seconds(1));
    task_state(a, a.tasks.front().task(), pb::TaskStateChanged::FAILED, "boom", /*fatal=*/true);
    run();
    EXPECT_EQ(state(*job), "FAILED");
    EXPECT_THAT(checkpoint_folders(*job), ElementsAre("chk-1")) << retention;
    kill(a);
  }
}

TEST_F(JobCheckpointsTest, ASavepointOutlivesItsJob) {
  add_taskmanager("a", 2);
  const auto job = submit(graph());
  pb::TriggerSavepointRequest request;
  request.set_job_id(*job);
  std::optional<absl::StatusOr<pb::SavepointResponse>> answer;
  dispatcher_->trigger_savepoint(request, into(answer));
  run();
  ASSERT_THAT(*answer, IsOk());
  for (int second = 0; second < 3; ++second) advance(seconds(1));
  cancel(*job);
  EXPECT_THAT(load_checkpoint((*answer)->path()), IsOk());
}

}  // namespace
}  // namespace weir
