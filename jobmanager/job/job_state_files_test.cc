// The files of keyed state: they live exactly as long as a checkpoint names them.
#include <fstream>
#include <utility>

#include "jobmanager/checkpoint/checkpoint_loader.h"
#include "jobmanager/job/scripted_cluster.h"

namespace weir {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class JobStateFilesTest : public ScriptedCluster {
 protected:
  // One keyed subtask: of checkpoint n the files shared/n-0 and chk-n/n-0.
  pb::JobGraph one_task(const std::string& retained = "1") {
    pb::JobGraph result = keyed_graph(1);
    result.mutable_nodes(0)->set_parallelism(1);
    auto& configuration = *result.mutable_configuration();
    configuration["execution.checkpointing.num-retained"] = retained;
    return result;
  }
  std::filesystem::path job_folder(const std::string& job) {
    return std::filesystem::path(folder_) / "checkpoints" / job;
  }
  std::vector<std::string> names_in(const std::filesystem::path& folder) {
    std::vector<std::string> names;
    if (!std::filesystem::exists(folder)) return names;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      if (entry.path().filename().string().starts_with("ledger")) continue;
      names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }
  // As a process leaves it that is killed while it writes.
  void leave_unfinished(const std::string& job) {
    std::ofstream(job_folder(job) / ".tmp-1-0-ledger-2") << "u";
    std::ofstream(job_folder(job) / "shared" / ".tmp-2-0-4-0") << "u";
  }
  void checkpoints(int count) {
    for (int i = 0; i < count; ++i) advance(seconds(1));
  }
};

TEST_F(JobStateFilesTest, ASharedFileGoesWithTheLastCheckpointThatNamesIt) {
  add_taskmanager("a", 1);
  const auto job = submit(one_task());
  checkpoints(4);
  EXPECT_THAT(names_in(job_folder(*job) / "shared"), ElementsAre("3-0", "4-0"));
  EXPECT_THAT(names_in(job_folder(*job)), ElementsAre("chk-4", "shared"));
  EXPECT_GE(details(*job).recovery_point().size_bytes(), 3000u);
}

TEST_F(JobStateFilesTest, EveryRetainedCheckpointKeepsItsFiles) {
  add_taskmanager("a", 1);
  const auto job = submit(one_task("3"));
  checkpoints(5);
  EXPECT_THAT(names_in(job_folder(*job) / "shared"), ElementsAre("2-0", "3-0", "4-0", "5-0"));
}

TEST_F(JobStateFilesTest, AnAbandonedCheckpointLeavesNoFiles) {
  TaskManager& a = add_taskmanager("a", 1);
  const auto job = submit(one_task());
  checkpoints(2);
  a.acknowledges = false;
  advance(seconds(1));
  const pb::DeployTask count = a.tasks.back();
  acknowledge(a, count, last_trigger(a));
  run();
  EXPECT_THAT(names_in(job_folder(*job)), ElementsAre("chk-2", "chk-3", "shared"));
  task_state(a, count.task(), pb::TaskStateChanged::FAILED, "boom");
  run();
  EXPECT_EQ(state(*job), "RUNNING");
  EXPECT_THAT(names_in(job_folder(*job)), ElementsAre("chk-2", "shared"));
  EXPECT_THAT(names_in(job_folder(*job) / "shared"), ElementsAre("1-0", "2-0"));
}

TEST_F(JobStateFilesTest, WhatIsWrittenOfAnAbandonedCheckpointGoesWithTheNext) {
  TaskManager& a = add_taskmanager("a", 1);
  pb::JobGraph tolerant = one_task();
  (*tolerant.mutable_configuration())["execution.checkpointing.tolerable-failed-checkpoints"] = "1";
  const auto job = submit(tolerant);
  checkpoints(2);
  a.acknowledges = false;
  advance(seconds(1));
  pb::FromTaskManager declined;
  *declined.mutable_decline_checkpoint()->mutable_task() = a.tasks.back().task();
  declined.mutable_decline_checkpoint()->set_checkpoint_id(last_trigger(a).checkpoint_id());
  send(a, declined);
  run();
  const auto own = job_folder(*job) / "chk-3";
  std::filesystem::create_directories(own);
  std::ofstream(own / "late") << "l";
  std::ofstream(job_folder(*job) / "shared" / "operator1-0-0-3-000012.sst") << "l";
  std::ofstream(job_folder(*job) / "shared" / "operator1-0-0-5-000013.sst") << "under way";
  a.acknowledges = true;
  checkpoints(1);
  EXPECT_EQ(details(*job).recovery_point().checkpoint_id(), 4);
  EXPECT_THAT(names_in(job_folder(*job)), ElementsAre("chk-4", "shared"));
  EXPECT_THAT(names_in(job_folder(*job) / "shared"),
              ElementsAre("4-0", "operator1-0-0-5-000013.sst"));
}

TEST_F(JobStateFilesTest, ANewAttemptFindsWhatNobodyHeardOf) {
  TaskManager& a = add_taskmanager("a", 1);
  const auto job = submit(one_task());
  checkpoints(2);
  std::ofstream(job_folder(*job) / "shared" / "stray") << "s";
  std::filesystem::create_directories(job_folder(*job) / "chk-77");
  leave_unfinished(*job);
  a.acknowledges = false;
  task_state(a, a.tasks.back().task(), pb::TaskStateChanged::FAILED, "boom");
  run();
  EXPECT_THAT(names_in(job_folder(*job)), ElementsAre("chk-2", "shared"));
  EXPECT_THAT(names_in(job_folder(*job) / "shared"), ElementsAre("1-0", "2-0"));
}

TEST_F(JobStateFilesTest, ARestartedJobManagerKnowsTheReferences) {
  add_taskmanager("a", 1);
  const auto job = submit(one_task("2"));
  checkpoints(3);
  stop_jobmanager();
  start_jobmanager();
  add_taskmanager("b", 1);
  checkpoints(1);
  const pb::JobDetails shown = details(*job);
  const int64_t last = shown.recovery_point().checkpoint_id();
  ASSERT_GT(last, 3);
  // Ids are skipped by a restart, so the two retained ones share no file.
  checkpoints(2);
  for (const std::string& name : names_in(job_folder(*job) / "shared")) {
    EXPECT_FALSE(name.starts_with("1-") || name.starts_with("2-") || name.starts_with("3-"))
        << name;
  }
  EXPECT_EQ(names_in(job_folder(*job) / "shared").size(), 3u);
}

TEST_F(JobStateFilesTest, ACheckpointThatCountsOnAFileThatIsGoneIsNotPublished) {
  TaskManager& a = add_taskmanager("a", 1);
  const auto job = submit(one_task());
  checkpoints(1);
  a.acknowledges = false;
  advance(seconds(1));
  const pb::TriggerCheckpoint trigger = last_trigger(a);
  for (const pb::DeployTask& task : std::vector<pb::DeployTask>(a.tasks)) {
    pb::FromTaskManager message;
    auto* ack = message.mutable_acknowledge_checkpoint();
    *ack->mutable_task() = task.task();
    ack->set_checkpoint_id(trigger.checkpoint_id());
    auto* file = ack->add_operators()->add_keyed()->add_files();
    file->set_path(trigger.shared_folder() + "/gone");
    file->set_shared(true);
    send(a, message);
  }
  pb::FromTaskManager message;
  auto* ack = message.mutable_acknowledge_coordinator_checkpoint();
  ack->mutable_coordinator()->set_job_id(*job);
  ack->mutable_coordinator()->set_uid("lines");
  ack->set_checkpoint_id(trigger.checkpoint_id());
  send(a, message);
  run();
  const pb::JobDetails shown = details(*job);
  EXPECT_EQ(shown.recovery_point().checkpoint_id(), 1);
  EXPECT_THAT(shown.status().last_fault().cause(), HasSubstr("shared/gone"));
}

TEST_F(JobStateFilesTest, WithTheJobsCheckpointsGoTheirFiles) {
  add_taskmanager("a", 1);
  const auto dropped = submit(one_task());
  checkpoints(2);
  cancel(*dropped);
  EXPECT_THAT(names_in(job_folder(*dropped)), IsEmpty());

  pb::JobGraph retaining = one_task();
  (*retaining
        .mutable_configuration())["execution.checkpointing.externalized-checkpoint-retention"] =
      "RETAIN_ON_CANCELLATION";
  const auto kept = submit(retaining);
  checkpoints(3);
  std::ofstream(job_folder(*kept) / "shared" / "stray") << "s";
  leave_unfinished(*kept);
  cancel(*kept);
  EXPECT_THAT(names_in(job_folder(*kept)), ElementsAre("chk-3", "shared"));
  EXPECT_THAT(names_in(job_folder(*kept) / "shared"), ElementsAre("2-0", "3-0"));
}

TEST_F(JobStateFilesTest, ARetainedCheckpointThatIsDeletedByHandTakesItsFilesAlong) {
  add_taskmanager("a", 1);
  pb::JobGraph retaining = one_task();
  (*retaining
        .mutable_configuration())["execution.checkpointing.externalized-checkpoint-retention"] =
      "RETAIN_ON_CANCELLATION";
  const auto kept = submit(retaining);
  checkpoints(2);
  cancel(*kept);
  std::filesystem::remove_all(job_folder(*kept) / "chk-2");
  for (int job = 0; job < 3; ++job) {  // jobstore.max-capacity is 3
    clock_.advance(seconds(1));
    cancel(*submit(one_task()));
  }
  EXPECT_FALSE(std::filesystem::exists(job_folder(*kept)));
}

}  // namespace
}  // namespace weir
