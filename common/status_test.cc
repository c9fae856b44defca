#include "common/status.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/strings/cord.h"
#include "common/check.h"
#include "common/status_matchers.h"

namespace weir {
namespace {

using testing::HasSubstr;

absl::StatusOr<std::unique_ptr<int>> make(bool good) {
  if (!good) return absl::NotFoundError("none");
  return std::make_unique<int>(7);
}

absl::StatusOr<int> twice(bool good) {
  WEIR_ASSIGN_OR_RETURN(const auto value, make(good));
  WEIR_ASSIGN_OR_RETURN(auto again, make(good));
  return *value + *again;
}

absl::Status checked(const absl::Status& status, bool& went_on) {
  WEIR_RETURN_IF_ERROR(status);
  went_on = true;
  return absl::OkStatus();
}

TEST(StatusMacros, AssignOrReturnMovesTheValueOrReturnsTheStatus) {
  EXPECT_EQ(*twice(true), 14);
  EXPECT_THAT(twice(false), StatusIs(absl::StatusCode::kNotFound, "none"));
}

TEST(StatusMacros, ReturnIfErrorGoesOnOnlyWhenOk) {
  bool went_on = false;
  EXPECT_THAT(checked(absl::AbortedError("x"), went_on), StatusIs(absl::StatusCode::kAborted));
  EXPECT_FALSE(went_on);
  EXPECT_THAT(checked(absl::OkStatus(), went_on), IsOk());
  EXPECT_TRUE(went_on);
}

TEST(Annotate, PutsTheContextInFrontAndKeepsCodeAndPayload) {
  absl::Status status = absl::DataLossError("torn");
  status.SetPayload("type", absl::Cord("payload"));
  const absl::Status annotated = Annotate(Annotate(status, "manifest"), "checkpoint 5");
  EXPECT_THAT(annotated, StatusIs(absl::StatusCode::kDataLoss, "checkpoint 5: manifest: torn"));
  EXPECT_EQ(annotated.GetPayload("type"), "payload");
  EXPECT_THAT(Annotate(absl::OkStatus(), "x"), IsOk());
}

TEST(CheckDeathTest, AFailedCheckNamesPlaceConditionAndMessage) {
  const int value = 3;
  WEIR_CHECK(value == 3) << "not evaluated";
  EXPECT_DEATH(WEIR_CHECK(value == 4) << "value is " << value,
               HasSubstr("check failed: value == 4: value is 3"));
  EXPECT_DEATH(WEIR_CHECK_OK(absl::NotFoundError("none")), "status_test.cc.*NOT_FOUND: none");
}

}  // namespace
}  // namespace weir
