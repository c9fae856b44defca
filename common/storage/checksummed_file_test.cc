#include "common/storage/checksummed_file.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/escaping.h"
#include "common/status_matchers.h"

namespace weir::storage {
namespace {

using testing::HasSubstr;

TEST(ChecksummedFile, GoldenBytes) {
  // Yesterday's files load tomorrow: a change here needs a new format version.
  const std::string golden = absl::HexStringToBytes(
      "5745495246494c4501000000000000000b00000000000000a00b7e2527674e0e68656c6c6f2c2077656972");
  EXPECT_EQ(absl::BytesToHexString(encode_checksummed("hello, weir")),
            absl::BytesToHexString(golden));
  EXPECT_EQ(*decode_checksummed(golden, "f"), "hello, weir");
}

TEST(ChecksummedFile, EveryPayloadRoundTrips) {
  for (const std::string& payload :
       {std::string(), std::string("\0x", 2), std::string(100'000, 'q')}) {
    EXPECT_EQ(*decode_checksummed(encode_checksummed(payload), "f"), payload);
  }
}

TEST(ChecksummedFile, EveryTruncationIsRefusedByName) {
  const std::string whole = encode_checksummed(std::string(100, 'x'));
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_THAT(
        decode_checksummed(whole.substr(0, size), "/c/m"),
        StatusIs(absl::StatusCode::kDataLoss, HasSubstr("checkpoint file /c/m is truncated")));
  }
  EXPECT_THAT(
      decode_checksummed(whole.substr(0, 120), "/c/m"),
      StatusIs(absl::StatusCode::kDataLoss, "checkpoint file /c/m is truncated: 120 of 132 bytes"));
}

TEST(ChecksummedFile, EveryFlippedBitIsRefused) {
  const std::string whole = encode_checksummed("some state");
  for (size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::string altered = whole;
    altered[bit / 8] = static_cast<char>(altered[bit / 8] ^ (1 << (bit % 8)));
    const auto result = decode_checksummed(altered, "/c/m");
    EXPECT_FALSE(result.ok()) << "bit " << bit;
    EXPECT_THAT(std::string(result.status().message()), HasSubstr("/c/m"));
  }
}

TEST(ChecksummedFile, TrailingBytesAreRefused) {
  EXPECT_THAT(
      decode_checksummed(encode_checksummed("x") + "y", "/c/m"),
      StatusIs(absl::StatusCode::kDataLoss, HasSubstr("is altered: 34 bytes instead of 33")));
}

TEST(ChecksummedFile, ALaterFormatVersionIsRefusedAsSuch) {
  std::string later = encode_checksummed("x");
  later[8] = 2;
  EXPECT_THAT(decode_checksummed(later, "/c/m"),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("has format version 2, this build reads version 1")));
}

}  // namespace
}  // namespace weir::storage
