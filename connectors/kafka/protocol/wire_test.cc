#include "connectors/kafka/protocol/wire.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "common/status_matchers.h"

namespace weir::kafka::protocol {
namespace {

using ::testing::HasSubstr;

std::string bytes(std::initializer_list<int> values) {
  return std::string(values.begin(), values.end());
}

TEST(WireTest, IntegersAreBigEndianAndComeBack) {
  Writer out;
  out.int8(-2);
  out.int16(0x0102);
  out.int32(-1);
  out.int64(0x0102030405060708);
  EXPECT_EQ(out.data(), bytes({0xfe, 1, 2, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4, 5, 6, 7, 8}));

  Reader in(out.data());
  EXPECT_EQ(in.int8(), -2);
  EXPECT_EQ(in.int16(), 0x0102);
  EXPECT_EQ(in.int32(), -1);
  EXPECT_EQ(in.int64(), 0x0102030405060708);
  EXPECT_THAT(in.finish(), IsOk());
}

TEST(WireTest, UnsignedVarintsTakeSevenBitsAByte) {
  Writer out;
  out.unsigned_varint(0);
  out.unsigned_varint(127);
  out.unsigned_varint(300);
  out.unsigned_varint(std::numeric_limits<uint32_t>::max());
  EXPECT_EQ(out.data(), bytes({0, 0x7f, 0xac, 0x02, 0xff, 0xff, 0xff, 0xff, 0x0f}));

  Reader in(out.data());
  EXPECT_EQ(in.unsigned_varint(), 0u);
  EXPECT_EQ(in.unsigned_varint(), 127u);
  EXPECT_EQ(in.unsigned_varint(), 300u);
  EXPECT_EQ(in.unsigned_varint(), std::numeric_limits<uint32_t>::max());
  EXPECT_THAT(in.finish(), IsOk());
}

TEST(WireTest, AVarintOverThirtyTwoBitsIsMalformed) {
  const std::string too_large = bytes({0xff, 0xff, 0xff, 0xff, 0x1f});
  const std::string too_long = bytes({0x80, 0x80, 0x80, 0x80, 0x80, 0x01});
  for (const std::string& data : {too_large, too_long}) {
    Reader in(data);
    in.unsigned_varint();
    EXPECT_TRUE(in.failed());
  }
}

TEST(WireTest, StringsComeBackAlsoWhenNull) {
  Writer out;
  out.string("abc");
  out.nullable_string(std::nullopt);
  out.nullable_string("d");
  out.bytes(bytes({0, 1}));
  out.compact_string("ef");
  Reader in(out.data());
  EXPECT_EQ(in.string(), "abc");
  EXPECT_EQ(in.nullable_string(), std::nullopt);
  EXPECT_EQ(in.nullable_string(), "d");
  EXPECT_EQ(in.bytes(), bytes({0, 1}));
  EXPECT_EQ(in.compact_string(), "ef");
  EXPECT_THAT(in.finish(), IsOk());
}

TEST(WireTest, AStringThatCannotBeNullIsMalformedWhenItIs) {
  for (const std::string& data : {bytes({0xff, 0xff}), bytes({0})}) {
    Reader in(data);
    data.size() == 2 ? in.string() : in.compact_string();
    EXPECT_TRUE(in.failed());
  }
}

TEST(WireTest, AStringTooLongForItsLengthFieldIsRefused) {
  Writer fits;
  fits.string(std::string(32767, 'x'));
  EXPECT_THAT(fits.finish(), IsOk());
  Writer out;
  out.string(std::string(32768, 'x'));
  EXPECT_THAT(out.finish(), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(WireTest, ReadingBeyondTheEndFailsForGood) {
  const std::string data = bytes({0, 0, 0});
  Reader in(data);
  EXPECT_EQ(in.int32(), 0);
  EXPECT_TRUE(in.failed());
  EXPECT_EQ(in.int8(), 0);
  EXPECT_THAT(in.finish(), StatusIs(absl::StatusCode::kInternal, HasSubstr("malformed")));
}

TEST(WireTest, BytesLeftOverAreMalformed) {
  const std::string data = bytes({0, 0, 0});
  Reader in(data);
  in.int16();
  EXPECT_THAT(in.finish(), StatusIs(absl::StatusCode::kInternal, HasSubstr("1 bytes left over")));
}

TEST(WireTest, AnArrayLongerThanItsBytesIsNotBelieved) {
  Writer out;
  out.array_length(3);
  out.int32(1);
  out.int32(2);
  Reader fits(out.data());
  EXPECT_EQ(fits.array_length(2), 3u);
  Reader too_long(out.data());
  EXPECT_EQ(too_long.array_length(4), 0u);
  EXPECT_TRUE(too_long.failed());

  const std::string huge = bytes({0xff, 0xff, 0xff, 0xff, 0x0f});
  Reader compact(huge);
  EXPECT_EQ(compact.compact_array_length(1), 0u);
  EXPECT_TRUE(compact.failed());
}

TEST(WireTest, ANullArrayIsEmpty) {
  const std::string data = bytes({0xff, 0xff, 0xff, 0xff, 0});
  Reader in(data);
  EXPECT_EQ(in.array_length(1), 0u);
  EXPECT_EQ(in.compact_array_length(1), 0u);
  EXPECT_THAT(in.finish(), IsOk());
}

TEST(WireTest, TaggedFieldsOfLaterVersionsArePassedOver) {
  const std::string data = bytes({2, 0, 1, 'x', 5, 2, 'y', 'z', 42});
  Reader in(data);
  in.skip_tagged_fields();
  EXPECT_EQ(in.int8(), 42);
  EXPECT_THAT(in.finish(), IsOk());
}

}  // namespace
}  // namespace weir::kafka::protocol
