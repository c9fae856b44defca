#include "common/fault_point.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "common/status_matchers.h"

namespace weir {
namespace {

using testing::Contains;
using testing::HasSubstr;

void pass_plain_point() {
  WEIR_FAULT_POINT("test.plain");
}
absl::Status pass_status_point() {
  return WEIR_FAULT_POINT_STATUS("test.status");
}

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

class FaultPointTest : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::remove(log_path_); }
  void TearDown() override {
    ASSERT_THAT(fault_points_configure("", ""), IsOk());
    std::filesystem::remove(log_path_);
  }

  // Runs `body` in a process of its own, with `spec`; its wait status.
  template <typename Body>
  int wait_status_of(const std::string& spec, Body body, int wait_options = 0) {
    child_ = ::fork();
    if (child_ == 0) {
      if (!fault_points_configure(spec, log_path_).ok()) ::_exit(100);
      body();
      ::_exit(0);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child_, &status, wait_options), child_);
    return status;
  }

  const std::string log_path_ = testing::TempDir() + "/fault_log." + std::to_string(::getpid());
  pid_t child_ = 0;
};

TEST_F(FaultPointTest, EveryCompiledPointIsRegistered) {
  EXPECT_THAT(fault_point_names(), Contains("test.plain"));
  EXPECT_THAT(fault_point_names(), Contains("test.status"));
}

TEST_F(FaultPointTest, OffItDoesNothing) {
  pass_plain_point();
  EXPECT_THAT(pass_status_point(), IsOk());
}

TEST_F(FaultPointTest, KillHappensAtTheGivenHitAndIsRecordedBefore) {
  const int status = wait_status_of("test.plain=kill@3", [] {
    for (int i = 0; i < 2; ++i) pass_plain_point();
    std::ofstream(testing::TempDir() + "/reached." + std::to_string(::getppid())) << "2";
    pass_plain_point();
  });
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGKILL);
  EXPECT_EQ(read_file(log_path_), "fault point test.plain hit 3 kill\n");
  const std::string reached = testing::TempDir() + "/reached." + std::to_string(::getpid());
  EXPECT_EQ(read_file(reached), "2");
  std::filesystem::remove(reached);
}

TEST_F(FaultPointTest, StopStopsTheProcessUntilItIsContinued) {
  int status = wait_status_of("test.plain=stop", [] { pass_plain_point(); }, WUNTRACED);
  ASSERT_TRUE(WIFSTOPPED(status));
  ASSERT_EQ(::kill(child_, SIGCONT), 0);
  ASSERT_EQ(::waitpid(child_, &status, 0), child_);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_EQ(read_file(log_path_), "fault point test.plain hit 1 stop\n");
}

TEST_F(FaultPointTest, ErrorComesBackOnceWithItsText) {
  ASSERT_THAT(fault_points_configure("test.status=error:disk gone@2", log_path_), IsOk());
  EXPECT_THAT(pass_status_point(), IsOk());
  EXPECT_THAT(pass_status_point(), StatusIs(absl::StatusCode::kInternal, "disk gone"));
  EXPECT_THAT(pass_status_point(), IsOk());
  EXPECT_EQ(read_file(log_path_), "fault point test.status hit 2 error:disk gone\n");
}

TEST_F(FaultPointTest, OnePointMayFailAtSeveralHits) {
  ASSERT_THAT(fault_points_configure("test.status=error@1,test.status=error@3", ""), IsOk());
  EXPECT_FALSE(pass_status_point().ok());
  EXPECT_TRUE(pass_status_point().ok());
  EXPECT_FALSE(pass_status_point().ok());
}

TEST_F(FaultPointTest, DelayTakesItsTime) {
  ASSERT_THAT(fault_points_configure("test.plain=delay:30", ""), IsOk());
  const auto begin = std::chrono::steady_clock::now();
  pass_plain_point();
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(30));
}

TEST_F(FaultPointTest, APlainPointCanNotReturnAnError) {
  const int status = wait_status_of("test.plain=error", [] { pass_plain_point(); });
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGABRT);
}

TEST_F(FaultPointTest, AKillMayWaitFirst) {
  const auto begin = std::chrono::steady_clock::now();
  const int status = wait_status_of("test.plain=kill:30", pass_plain_point);
  EXPECT_EQ(WTERMSIG(status), SIGKILL);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(30));
}

TEST_F(FaultPointTest, HitsCountFromWhenTheArmingFileExists) {
  const std::string armed_by = log_path_ + ".armed";
  ASSERT_THAT(fault_points_configure("test.status=error@2", "", armed_by), IsOk());
  for (int i = 0; i < 3; ++i) EXPECT_THAT(pass_status_point(), IsOk());
  std::ofstream(armed_by).flush();
  EXPECT_THAT(pass_status_point(), IsOk());
  EXPECT_FALSE(pass_status_point().ok());
  std::filesystem::remove(armed_by);
}

TEST_F(FaultPointTest, AMalformedSpecIsRefusedWithTheItem) {
  for (const char* spec :
       {"test.plain", "=kill", "test.plain=explode", "test.plain=kill@0", "test.plain=kill@x",
        "test.plain=delay", "test.plain=delay:soon", "test.plain=kill:now", "a=kill,b"}) {
    EXPECT_THAT(fault_points_configure(spec, ""),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("WEIR_FAULT: '")))
        << spec;
  }
}

TEST_F(FaultPointTest, TheEnvironmentIsReadAndAnUnknownNameIsWarnedAbout) {
  ::setenv("WEIR_FAULT", "test.statos=error", 1);
  testing::internal::CaptureStderr();
  EXPECT_THAT(fault_points_init(), IsOk());
  EXPECT_THAT(
      testing::internal::GetCapturedStderr(),
      HasSubstr("no fault point 'test.statos' is loaded yet; the nearest is 'test.status'"));
  ::setenv("WEIR_FAULT", "test.status=error", 1);
  EXPECT_THAT(fault_points_init(), IsOk());
  EXPECT_FALSE(pass_status_point().ok());
  ::setenv("WEIR_FAULT", "test.status", 1);
  EXPECT_THAT(fault_points_init(), StatusIs(absl::StatusCode::kInvalidArgument));
  ::unsetenv("WEIR_FAULT");
}

}  // namespace
}  // namespace weir
