// What is left when jobs have ended, and when they are forgotten.
#include "jobmanager/job/scripted_cluster.h"

namespace weir {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

class CleanupTest : public ScriptedCluster {
 protected:
  void upload(const std::string& sha256) {
    std::optional<absl::StatusOr<pb::LibraryUploaded>> answer;
    dispatcher_->put_library(sha256, "ELF", into(answer));
    run();
    EXPECT_THAT(*answer, IsOk());
  }
  // Waits for slots, for a day.
  std::string submit_with(const std::string& sha256) {
    pb::JobGraph with_library = graph();
    with_library.set_library_sha256(sha256);
    (*with_library.mutable_configuration())["slot.request.timeout"] = "24 h";
    return submit(with_library).value();
  }
  bool has_library(const std::string& sha256) { return store_->library_path(sha256).ok(); }
  std::filesystem::path job_folder(const std::string& job_id) {
    return std::filesystem::path(folder_) / "checkpoints" / job_id;
  }
};

TEST_F(CleanupTest, ALibraryGoesWithTheLastJobThatNeedsIt) {
  upload("aa");
  const std::string first = submit_with("aa");
  const std::string second = submit_with("aa");
  advance(minutes(11));
  cancel(first);
  EXPECT_TRUE(has_library("aa"));
  cancel(second);
  EXPECT_FALSE(has_library("aa"));
}

TEST_F(CleanupTest, ALibraryThatWasJustUploadedWaitsForItsJob) {
  upload("aa");
  const std::string job = submit_with("aa");
  advance(minutes(11));
  upload("bb");
  cancel(job);
  EXPECT_FALSE(has_library("aa"));
  EXPECT_TRUE(has_library("bb"));
}

TEST_F(CleanupTest, ARestartedJobManagerKeepsOnlyLibrariesThatItsJobsNeed) {
  upload("aa");
  upload("bb");
  submit_with("aa");
  stop_jobmanager();
  start_jobmanager();
  EXPECT_TRUE(has_library("aa"));
  EXPECT_FALSE(has_library("bb"));
}

TEST_F(CleanupTest, WhatAPublicationLeftThatNeverHappenedGoesWithTheJob) {
  add_taskmanager("a", 2);
  pb::JobGraph retaining = graph();
  (*retaining
        .mutable_configuration())["execution.checkpointing.externalized-checkpoint-retention"] =
      "RETAIN_ON_CANCELLATION";
  const auto job = submit(retaining);
  advance(seconds(1));
  std::filesystem::create_directories(job_folder(*job) / "chk-99");
  cancel(*job);
  EXPECT_TRUE(std::filesystem::exists(job_folder(*job) / "chk-1"));
  EXPECT_FALSE(std::filesystem::exists(job_folder(*job) / "chk-99"));
}

TEST_F(CleanupTest, AForgottenJobsFolderIsDeletedUnlessACheckpointOrALossIsInIt) {
  TaskManager& a = add_taskmanager("a", 2);
  const auto finish = [&](const pb::JobGraph& of, bool lose) {
    const std::string job = submit(of).value();
    a.commits = !lose;
    a.recovery_outcome = lose ? pb::LedgerEntry::LOST : pb::LedgerEntry::COMMITTED;
    advance(seconds(1));
    cancel(job);
    EXPECT_TRUE(std::filesystem::exists(job_folder(job)));
    return job;
  };
  pb::JobGraph retaining = graph();
  (*retaining
        .mutable_configuration())["execution.checkpointing.externalized-checkpoint-retention"] =
      "RETAIN_ON_CANCELLATION";
  pb::JobGraph accepting = graph();
  (*accepting.mutable_configuration())["sink.on-lost-transaction"] = "accept";
  const std::string plain = finish(graph(), false);
  const std::string retained = finish(retaining, false);
  const std::string lossy = finish(accepting, true);
  for (int i = 0; i < 3; ++i) finish(graph(), false);  // jobstore.max-capacity is 3
  EXPECT_FALSE(std::filesystem::exists(job_folder(plain)));
  EXPECT_TRUE(std::filesystem::exists(job_folder(retained) / "chk-1"));
  EXPECT_TRUE(std::filesystem::exists(job_folder(lossy)));
  EXPECT_THAT(store_->read(lossy), StatusIs(absl::StatusCode::kNotFound));
}

}  // namespace
}  // namespace weir
