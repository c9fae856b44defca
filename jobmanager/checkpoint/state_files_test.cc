#include "jobmanager/checkpoint/state_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "common/status_matchers.h"

namespace weir {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Beside these, job/job_state_files_test.cc has whole lives of jobs.
class StateFilesTest : public testing::Test {
 protected:
  StateFilesTest() { std::filesystem::create_directories(job_ + "/shared"); }
  ~StateFilesTest() override { std::filesystem::remove_all(root_); }

  std::string chk(int64_t id) const { return "file://" + job_ + "/chk-" + std::to_string(id); }
  void write(const std::string& path) const {
    const std::filesystem::path file(job_ + "/" + path);
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << "x";
  }
  std::vector<std::string> names_in(const std::string& folder) const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }
  static pb::CheckpointManifest manifest(int64_t id) {
    pb::CheckpointManifest result;
    result.set_checkpoint_id(id);
    return result;
  }
  pb::JobRecord retaining(int64_t id) const {
    pb::JobRecord record;
    record.add_checkpoints()->set_checkpoint_id(id);
    record.mutable_checkpoints(0)->set_path(chk(id));
    return record;
  }

  const std::string root_ = testing::TempDir() + "state_files_test-" + std::to_string(::getpid());
  const std::string job_ = root_ + "/job";
  StateFiles files_{"file://" + root_, "job"};
};

TEST_F(StateFilesTest, WhatIsWrittenOfACheckpointThatWasGivenUpGoesWithTheNext) {
  write("chk-3/early");
  EXPECT_THAT(files_.discard(chk(3), manifest(3)), IsOk());
  EXPECT_THAT(names_in(job_), ElementsAre("shared"));
  write("chk-3/late");
  write("shared/operator1-0-0-3-000012.sst");
  write("shared/operator1-0-0-4-000013.sst");  // nobody has said what becomes of it
  write("chk-4/manifest");
  files_.retain(chk(4), manifest(4));
  EXPECT_THAT(files_.delete_subsumed(retaining(2), retaining(4)), IsOk());
  EXPECT_THAT(names_in(job_), ElementsAre("chk-4", "shared"));
  EXPECT_THAT(names_in(job_ + "/shared"), ElementsAre("operator1-0-0-4-000013.sst"));
}

TEST_F(StateFilesTest, AFileThatARetainedCheckpointNamesStays) {
  write("shared/operator1-0-0-3-000012.sst");
  pb::CheckpointManifest naming = manifest(4);
  pb::KeyedStateHandle::File& file = *naming.add_operators()->add_keyed()->add_files();
  file.set_path("file://" + job_ + "/shared/operator1-0-0-3-000012.sst");
  file.set_shared(true);
  EXPECT_THAT(files_.discard(chk(3), manifest(3)), IsOk());
  files_.retain(chk(4), naming);
  EXPECT_THAT(files_.delete_subsumed(retaining(2), retaining(4)), IsOk());
  EXPECT_THAT(names_in(job_ + "/shared"), ElementsAre("operator1-0-0-3-000012.sst"));
}

TEST_F(StateFilesTest, WhatKilledWritersHaveLeftGoesWhenAnAttemptBegins) {
  write(".tmp-1-0-ledger-2");
  write("shared/.tmp-2-0-operator1-0-0-4-000013.sst");
  files_.take_stock(pb::JobRecord());
  EXPECT_THAT(files_.delete_leftovers(), IsOk());
  EXPECT_THAT(names_in(job_), ElementsAre("shared"));
  EXPECT_THAT(names_in(job_ + "/shared"), IsEmpty());
}

}  // namespace
}  // namespace weir
