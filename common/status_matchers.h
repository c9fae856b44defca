#pragma once

// EXPECT_THAT(Open(path), IsOk());
// EXPECT_THAT(Open(path), StatusIs(absl::StatusCode::kNotFound, HasSubstr("no such file")));
// For tests only.

#include <gmock/gmock.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/status.h"

namespace weir {

MATCHER(IsOk, negation ? "isn't OK" : "is OK") {
  *result_listener << status_of(arg).ToString();
  return status_of(arg).ok();
}

MATCHER_P(StatusIs, code, "has status " + absl::StatusCodeToString(code)) {
  *result_listener << status_of(arg).ToString();
  return status_of(arg).code() == code;
}

MATCHER_P2(StatusIs, code, message_matcher,
           "has status " + absl::StatusCodeToString(code) + " and a message that " +
               testing::DescribeMatcher<std::string>(message_matcher, negation)) {
  *result_listener << status_of(arg).ToString();
  return status_of(arg).code() == code &&
         testing::Matches(message_matcher)(std::string(status_of(arg).message()));
}

}  // namespace weir
