#include "taskmanager/task/in_flight_file.h"

#include <gmock/gmock.h>

#include "common/status_matchers.h"

namespace weir {
namespace {

using ::testing::HasSubstr;

// Durable: these bytes are read for ever.
const std::string kGolden = std::string("WEIRFLOW") + std::string("\1\0\0\0", 4) +
                            std::string("\0\0\0\0\3\0\0\0", 8) + "one" +
                            std::string("\2\1\0\0\2\0\0\0", 8) + "xy" +
                            std::string("\0\0\0\0\5\0\0\0", 8) + "three";

std::string stream(std::string_view file, int number) {
  std::string bytes;
  EXPECT_THAT(append_stream(file, number, bytes), IsOk());
  return bytes;
}

TEST(InFlightFileTest, WritesAndReadsTheGoldenBytes) {
  InFlightFile file;
  file.add(0, "one");
  file.add(258, "xy");
  file.add(0, "three");
  EXPECT_EQ(file.bytes(), kGolden);
  EXPECT_EQ(stream(kGolden, 0), "onethree");
  EXPECT_EQ(stream(kGolden, 258), "xy");
  EXPECT_EQ(stream(kGolden, 1), "");
}

TEST(InFlightFileTest, WhatIsCutOrNoSuchFileIsRefused) {
  std::string bytes;
  for (size_t size = 0; size < kGolden.size(); ++size) {
    const bool between_pieces = size == 12 || size == 23 || size == 33;
    EXPECT_EQ(append_stream(kGolden.substr(0, size), 0, bytes).ok(), between_pieces) << size;
  }
  EXPECT_THAT(append_stream("WEIRKEYS\1\0\0\0", 0, bytes),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("isn't a file")));
}

TEST(InFlightFileTest, AnotherVersionIsRefusedWithBothNumbers) {
  std::string other = kGolden;
  other[8] = 2;
  std::string bytes;
  EXPECT_THAT(append_stream(other, 0, bytes),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("version 2")));
}

}  // namespace
}  // namespace weir
