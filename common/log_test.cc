#include "common/log.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>

#include "common/status_matchers.h"

namespace weir {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

class LogTest : public testing::Test {
 protected:
  void TearDown() override {
    ASSERT_THAT(log_init({}), IsOk());
    std::filesystem::remove(path_);
  }
  std::string written() const {
    std::ifstream file(path_);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  const std::string path_ = testing::TempDir() + "/weir.log." + std::to_string(::getpid());
  const LogContext context_{.job = JobId(0, 10),
                            .attempt = Attempt(2),
                            .checkpoint = CheckpointId(5),
                            .subtask = SubtaskIndex(1)};
};

TEST_F(LogTest, ATextLineCarriesTheContext) {
  ASSERT_THAT(log_init({.path = path_}), IsOk());
  WEIR_LOG_WARN(context_, "{} of {} acknowledged by attempt {}", 3, "four", Attempt(2));
  EXPECT_THAT(written(), HasSubstr(" WARN  job=0000000000000000000000000000000a attempt=2 "
                                   "checkpoint=5 subtask=1 3 of four acknowledged by attempt 2 "
                                   "(log_test.cc:"));
}

TEST_F(LogTest, WhatIsNotSetIsNotShown) {
  ASSERT_THAT(log_init({.path = path_}), IsOk());
  WEIR_LOG_INFO(LogContext{}, "started");
  EXPECT_THAT(written(), HasSubstr(" INFO  started (log_test.cc:"));
}

TEST_F(LogTest, AJsonLineIsAnObjectWhateverTheMessage) {
  ASSERT_THAT(log_init({.path = path_, .json = true}), IsOk());
  WEIR_LOG_ERROR(context_, "quote \" newline \n and \xff");
  EXPECT_THAT(written(), EndsWith("}\n"));
  const auto line = nlohmann::json::parse(written());
  EXPECT_EQ(line["level"], "ERROR");
  EXPECT_EQ(line["job"], "0000000000000000000000000000000a");
  EXPECT_EQ(line["attempt"], 2);
  EXPECT_EQ(line["checkpoint"], 5);
  EXPECT_EQ(line["subtask"], 1);
  EXPECT_EQ(line["message"], "quote \" newline \n and \xef\xbf\xbd");
}

TEST_F(LogTest, LowerLevelsAreLeftOutAndTheirArgumentsNotComputed) {
  ASSERT_THAT(log_init({.level = LogLevel::kWarn, .path = path_}), IsOk());
  int computed = 0;
  WEIR_LOG_INFO(context_, "quiet {}", ++computed);
  WEIR_LOG_WARN(context_, "loud {}", ++computed);
  EXPECT_THAT(written(), Not(HasSubstr("quiet")));
  EXPECT_THAT(written(), HasSubstr("loud 1"));
}

TEST_F(LogTest, AFileThatCanNotBeOpenedIsNamed) {
  EXPECT_THAT(log_init({.path = "/proc/weir/x.log"}),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("/proc/weir/x.log")));
}

TEST(LogLevel, IsReadInAnyCase) {
  EXPECT_EQ(parse_log_level("INFO"), LogLevel::kInfo);
  EXPECT_EQ(parse_log_level("debug"), LogLevel::kDebug);
  EXPECT_EQ(parse_log_level("FATAL"), LogLevel::kError);
  EXPECT_EQ(parse_log_level("loud"), std::nullopt);
}

}  // namespace
}  // namespace weir
