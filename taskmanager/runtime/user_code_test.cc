#include "taskmanager/runtime/user_code.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "weir/error.h"

namespace weir {
namespace {

template <typename E>
Failure failure_of(E exception) {
  const auto failure = run_user_code([&] { throw exception; });
  EXPECT_TRUE(failure.has_value());
  return failure.value_or(Failure{});
}

TEST(UserCodeTest, WhatThrowsNothingHasNoFailure) {
  EXPECT_FALSE(run_user_code([] {}).has_value());
}

TEST(UserCodeTest, ErrorsKeepTheirText) {
  EXPECT_EQ(failure_of(Error("no record")).cause, "no record");
  EXPECT_FALSE(failure_of(Error("no record")).fatal);
  EXPECT_EQ(failure_of(std::string("text")).cause, "text");
  EXPECT_EQ(failure_of("literal").cause, "literal");
}

TEST(UserCodeTest, AFatalErrorIsFatal) {
  EXPECT_TRUE(failure_of(FatalError("no topic")).fatal);
}

TEST(UserCodeTest, OtherExceptionsAreNamedByTheirType) {
  EXPECT_EQ(failure_of(std::out_of_range("index 3")).cause, "std::out_of_range: index 3");
  EXPECT_EQ(failure_of(42).cause, "an exception of type int was thrown");
}

}  // namespace
}  // namespace weir
