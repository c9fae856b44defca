#include "jobmanager/rest/operations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status_matchers.h"

namespace weir::rest {
namespace {

using testing::HasSubstr;

constexpr char kTrigger[] = "89692438a37be5fe6a6d35d5ca5c588b";

TEST(Operations, AreInProgressUntilTheyAreComplete) {
  Operations operations(2);
  const auto begun = operations.begin("job", "");
  ASSERT_THAT(begun, IsOk());
  EXPECT_EQ(begun->trigger_id.size(), 32);
  EXPECT_EQ(operations.poll("job", begun->trigger_id)->dump(),
            R"({"status":{"id":"IN_PROGRESS"},"operation":null})");
  operations.complete("job", begun->trigger_id, {{"location", "file:/data/savepoint"}});
  EXPECT_EQ(operations.poll("job", begun->trigger_id)->dump(),
            R"({"status":{"id":"COMPLETED"},"operation":{"location":"file:/data/savepoint"}})");
}

TEST(Operations, BeginOnceForATriggerIdOfTheClient) {
  Operations operations(2);
  EXPECT_TRUE(operations.begin("job", kTrigger)->is_new);
  EXPECT_FALSE(operations.begin("job", kTrigger)->is_new);
}

TEST(Operations, AreFoundUnderTheirJobOnly) {
  Operations operations(2);
  ASSERT_THAT(operations.begin("job", kTrigger), IsOk());
  EXPECT_THAT(operations.poll("other", kTrigger),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr(kTrigger)));
}

TEST(Operations, ForgetTheOldestCompleteOneForANewOne) {
  Operations operations(2);
  const std::string first = operations.begin("job", "")->trigger_id;
  const std::string second = operations.begin("job", "")->trigger_id;
  EXPECT_THAT(operations.begin("job", ""), StatusIs(absl::StatusCode::kResourceExhausted));
  operations.complete("job", second, {});
  EXPECT_THAT(operations.begin("job", ""), IsOk());
  EXPECT_THAT(operations.poll("job", first), IsOk());
  EXPECT_THAT(operations.poll("job", second), StatusIs(absl::StatusCode::kNotFound));
}

}  // namespace
}  // namespace weir::rest
