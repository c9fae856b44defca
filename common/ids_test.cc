#include "common/ids.h"

#include <gtest/gtest.h>

#include <random>
#include <sstream>
#include <type_traits>
#include <unordered_set>

namespace weir {
namespace {

TEST(StrongInt, CountsFromItsFirstValue) {
  EXPECT_EQ(CheckpointId().value(), 1);
  EXPECT_EQ(Attempt().value(), 0);
  EXPECT_EQ(CheckpointId(6).next(), CheckpointId(7));
  CheckpointId id(6);
  EXPECT_EQ(++id, CheckpointId(7));
  EXPECT_LT(CheckpointId(6), id);
}

TEST(StrongInt, IsNeitherANumberNorAnotherId) {
  static_assert(!std::is_convertible_v<int64_t, CheckpointId>);
  static_assert(!std::is_convertible_v<CheckpointId, int64_t>);
  static_assert(!std::is_constructible_v<Attempt, SubtaskIndex>);
}

TEST(StrongInt, PrintsItsNumber) {
  std::ostringstream out;
  out << LeaderEpoch(18446744073709551615u);
  EXPECT_EQ(out.str(), "18446744073709551615");
  EXPECT_EQ(to_string(Attempt(3)), "3");
}

TEST(StrongInt, IsAHashKey) {
  std::unordered_set<CheckpointId> ids{CheckpointId(1), CheckpointId(2), CheckpointId(1)};
  EXPECT_EQ(ids.size(), 2u);
}

TEST(JobId, RoundTripsAs32HexDigits) {
  const JobId id(0x0123456789abcdef, 0xfedcba9876543210);
  EXPECT_EQ(to_string(id), "0123456789abcdeffedcba9876543210");
  EXPECT_EQ(JobId::parse(to_string(id)), id);
  EXPECT_EQ(JobId::parse("0123456789ABCDEFFEDCBA9876543210"), id);
}

TEST(JobId, RefusesWhatIsNot32HexDigits) {
  EXPECT_EQ(JobId::parse(""), std::nullopt);
  EXPECT_EQ(JobId::parse("0123456789abcdeffedcba987654321"), std::nullopt);
  EXPECT_EQ(JobId::parse("0123456789abcdeffedcba98765432100"), std::nullopt);
  EXPECT_EQ(JobId::parse("0123456789abcdeffedcba987654321g"), std::nullopt);
}

TEST(JobId, RandomIdsComeFromTheEngine) {
  std::mt19937_64 a(1), b(1);
  const JobId id = JobId::random(a);
  EXPECT_EQ(id, JobId::random(b));
  EXPECT_NE(id, JobId::random(b));
  EXPECT_EQ(std::unordered_set<JobId>({id, JobId()}).size(), 2u);
}

}  // namespace
}  // namespace weir
