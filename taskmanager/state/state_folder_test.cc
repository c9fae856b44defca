#include "taskmanager/state/state_folder.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace weir {
namespace {

class StateFolderTest : public testing::Test {
 protected:
  StateFolderTest() { std::filesystem::remove_all(parent_); }
  ~StateFolderTest() override { std::filesystem::remove_all(parent_); }

  std::unique_ptr<StateFolder> create(const std::string& id) {
    auto folder = StateFolder::create(parent_, id);
    EXPECT_TRUE(folder.ok()) << folder.status();
    return *std::move(folder);
  }
  static void write_into(const std::string& folder) {
    std::filesystem::create_directories(folder + "/job/db");
    std::ofstream(folder + "/job/db/000001.sst") << "entries";
  }

  const std::string parent_ =
      testing::TempDir() + "state_folder_test-" + std::to_string(::getpid());
};

TEST_F(StateFolderTest, GoesWithItsObject) {
  auto folder = create("a");
  const std::string path = folder->path();
  EXPECT_EQ(path, parent_ + "/weir-state-a");
  write_into(path);
  folder.reset();
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(StateFolderTest, OfAKilledProcessIsDeletedByTheNextThatStarts) {
  const pid_t killed = ::fork();
  if (killed == 0) {
    write_into(create("killed").release()->path());
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(killed, &status, 0), killed);
  ASSERT_EQ(status, 0);
  ASSERT_TRUE(std::filesystem::exists(parent_ + "/weir-state-killed/job/db/000001.sst"));
  const auto folder = create("next");
  EXPECT_FALSE(std::filesystem::exists(parent_ + "/weir-state-killed"));
  EXPECT_TRUE(std::filesystem::exists(folder->path()));
}

TEST_F(StateFolderTest, OfALivingProcessIsLeftAlone) {
  const auto living = create("living");
  write_into(living->path());
  const auto next = create("next");
  EXPECT_TRUE(std::filesystem::exists(living->path() + "/job/db/000001.sst"));
}

TEST_F(StateFolderTest, NothingElseIsDeleted) {
  std::filesystem::create_directories(parent_ + "/weir-libraries-0");
  std::filesystem::create_directories(parent_ + "/weir-statement");
  const auto folder = create("a");
  EXPECT_TRUE(std::filesystem::exists(parent_ + "/weir-libraries-0"));
  EXPECT_TRUE(std::filesystem::exists(parent_ + "/weir-statement"));
}

TEST_F(StateFolderTest, AFolderThatCannotBeMadeIsNamed) {
  std::ofstream(parent_) << "a file";
  const auto folder = StateFolder::create(parent_, "a");
  ASSERT_FALSE(folder.ok());
  EXPECT_NE(folder.status().message().find(parent_), std::string::npos) << folder.status();
}

}  // namespace
}  // namespace weir
