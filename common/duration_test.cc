#include "common/duration.h"

#include <gtest/gtest.h>

#include "common/memory_size.h"
#include "common/status_matchers.h"

namespace weir {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

TEST(Duration, ReadsFlinksSyntax) {
  EXPECT_EQ(*parse_duration("10 s"), 10s);
  EXPECT_EQ(*parse_duration("5min"), 5min);
  EXPECT_EQ(*parse_duration(" 100ms "), 100ms);
  EXPECT_EQ(*parse_duration("180000"), 180s);
  EXPECT_EQ(*parse_duration("2 Hours"), 2h);
  EXPECT_EQ(*parse_duration("1 d"), 24h);
  EXPECT_EQ(*parse_duration("3000 µs"), 3ms);
  EXPECT_EQ(*parse_duration("0"), 0ms);
}

TEST(Duration, RefusesWhatIsNone) {
  EXPECT_THAT(parse_duration(""), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(parse_duration("-1 s"), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(parse_duration("1.5 s"), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(parse_duration("5 parsecs"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("unknown unit 'parsecs'")));
  EXPECT_THAT(parse_duration("10 ns"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("whole number of milli")));
  EXPECT_FALSE(parse_duration("99999999999 d").ok());
  EXPECT_FALSE(parse_duration("99999999999999999999").ok());
}

TEST(Duration, RoundTrips) {
  for (const auto duration :
       {0ms, 1ms, 999ms, 1000ms, 1500ms, 60000ms, 90000ms, 3600000ms, 86400000ms, 86400001ms}) {
    EXPECT_EQ(*parse_duration(format_duration(duration)), duration) << duration.count();
  }
  EXPECT_EQ(format_duration(5min), "5 min");
  EXPECT_EQ(format_duration(1500ms), "1500 ms");
  EXPECT_EQ(format_duration(0ms), "0 ms");
}

TEST(MemorySize, ReadsFlinksSyntax) {
  EXPECT_EQ(parse_memory_size("64mb")->bytes, 64 << 20);
  EXPECT_EQ(parse_memory_size("1 gb")->bytes, 1 << 30);
  EXPECT_EQ(parse_memory_size("1728m")->bytes, 1728ll << 20);
  EXPECT_EQ(parse_memory_size("2 KibiBytes")->bytes, 2048);
  EXPECT_EQ(parse_memory_size("17")->bytes, 17);
}

TEST(MemorySize, RefusesWhatIsNone) {
  EXPECT_THAT(parse_memory_size("mb"), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(parse_memory_size("1 pb"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("unknown unit 'pb'")));
  EXPECT_FALSE(parse_memory_size("9999999999 tb").ok());
}

TEST(MemorySize, RoundTrips) {
  for (const int64_t bytes : {0l, 1l, 1023l, 1024l, 1025l, 1l << 20, 3l << 30, (1l << 40) + 1}) {
    EXPECT_EQ(parse_memory_size(format_memory_size({bytes}))->bytes, bytes);
  }
  EXPECT_EQ(format_memory_size({64 << 20}), "64 mb");
}

}  // namespace
}  // namespace weir
