#include "tests/cluster/process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>

namespace weir::cluster_test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Optional;

class ProcessTest : public ::testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove_all(folder_); }

  Process shell(const std::string& script, const Environment& environment = {}) {
    return Process({"sh", "-c", script}, environment, log_);
  }

  const std::string folder_ = make_temporary_folder("process-test");
  const std::string log_ = folder_ + "/log";
};

TEST_F(ProcessTest, TellsHowTheProcessEnded) {
  EXPECT_THAT(shell("exit 3").wait(seconds(10)), Optional(ExitStatus{.code = 3, .signal = 0}));
  EXPECT_THAT(shell("kill -9 $$").wait(seconds(10)),
              Optional(ExitStatus{.code = -1, .signal = SIGKILL}));
}

TEST_F(ProcessTest, IsKilledAlsoWhileItIsStopped) {
  Process process = shell("sleep 100");
  process.signal(SIGSTOP);
  EXPECT_TRUE(process.running());
  EXPECT_EQ(process.wait(milliseconds(1)), std::nullopt);
  process.kill();
  EXPECT_FALSE(process.running());
}

TEST_F(ProcessTest, AppendsToItsLogWithItsOwnEnvironment) {
  shell("echo $GREETING").wait(seconds(10));
  shell("echo $GREETING >&2", {{"GREETING", "hello"}}).wait(seconds(10));
  EXPECT_THAT(tail(log_), EndsWith("/log\n\nhello\n"));
  EXPECT_THAT(tail(log_, 1), EndsWith("/log\nhello\n"));
}

TEST_F(ProcessTest, FindsTheReportOfASanitizerInALog) {
  shell("echo starts").wait(seconds(10));
  EXPECT_EQ(sanitizer_report(log_), "");
  shell("echo '==1==ERROR: AddressSanitizer: heap-use-after-free'; echo '#0 main'; echo ends")
      .wait(seconds(10));
  EXPECT_EQ(sanitizer_report(log_, 2),
            "==1==ERROR: AddressSanitizer: heap-use-after-free\n#0 main\n");
}

TEST_F(ProcessTest, FindsTheReportOfUndefinedBehaviourInALog) {
  shell("echo 'a.cc:3:6: runtime error: signed integer overflow'").wait(seconds(10));
  EXPECT_EQ(sanitizer_report(log_), "a.cc:3:6: runtime error: signed integer overflow\n");
}

TEST_F(ProcessTest, RunsCommandsToTheirEndOrTimeout) {
  CommandResult result = run_command({"sh", "-c", "echo out; echo err >&2; exit 4"});
  EXPECT_EQ(result.exit_code, 4);
  EXPECT_EQ(result.output, "out\n");
  EXPECT_EQ(result.errors, "err\n");
  EXPECT_EQ(run_command({"sleep", "100"}, {}, milliseconds(50)).exit_code, 128 + SIGKILL);
  result = run_command({"no-such-program"});
  EXPECT_EQ(result.exit_code, 127);
  EXPECT_THAT(result.errors, HasSubstr("no-such-program: No such file"));
}

TEST_F(ProcessTest, DoesNotWaitForWhatACommandLeavesBehind) {
  CommandResult result = run_command({"sh", "-c", "sleep 100 & echo $!"}, {}, seconds(20));
  EXPECT_EQ(result.exit_code, 0);
  kill(std::stoi(result.output), SIGKILL);
}

}  // namespace
}  // namespace weir::cluster_test
