#include "weir/codec.h"

#include <gtest/gtest.h>

#include <cmath>

namespace weir {
namespace {

enum class Colour : std::uint8_t { kRed = 1, kBlue = 2 };

struct Order {
  std::int32_t id = 0;
  std::string text;
  std::optional<double> price;
  std::vector<std::pair<std::string, bool>> flags;
  Colour colour = Colour::kRed;
  bool operator==(const Order&) const = default;
};
WEIR_FIELDS(Order, id, text, price, flags, colour)

struct Nested {
  Order order;
  std::uint64_t count = 0;
};
WEIR_FIELDS(Nested, order, count)

struct Unnamed {
  int field = 0;
};

// A type of the job's own codec, without decode_into().
struct Celsius {
  int degrees = 0;
};

}  // namespace

template <>
struct Codec<Celsius> {
  static void encode(Celsius value, std::string& out) {
    Codec<std::int8_t>::encode(static_cast<std::int8_t>(value.degrees), out);
  }
  static Celsius decode(std::string_view& in) { return {Codec<std::int8_t>::decode(in)}; }
};

namespace {

std::string bytes(std::initializer_list<int> values) {
  std::string result;
  for (const int value : values) result.push_back(static_cast<char>(value));
  return result;
}

TEST(CodecTest, NumbersAreLittleEndianInFullWidth) {
  EXPECT_EQ(encode<std::int8_t>(-1), bytes({0xff}));
  EXPECT_EQ(encode<std::uint16_t>(0x0102), bytes({2, 1}));
  EXPECT_EQ(encode<std::int32_t>(-2), bytes({0xfe, 0xff, 0xff, 0xff}));
  EXPECT_EQ(encode<std::uint64_t>(0x0102030405060708), bytes({8, 7, 6, 5, 4, 3, 2, 1}));
  EXPECT_EQ(encode(1.5), bytes({0, 0, 0, 0, 0, 0, 0xf8, 0x3f}));
  EXPECT_EQ(encode(1.5F), bytes({0, 0, 0xc0, 0x3f}));
}

TEST(CodecTest, GoldenBytesOfEveryOtherKind) {
  EXPECT_EQ(encode(true), bytes({1}));
  EXPECT_EQ(encode(std::string("ab")), bytes({2, 0, 0, 0, 'a', 'b'}));
  EXPECT_EQ(encode(std::vector<std::int8_t>{1, 2}), bytes({2, 0, 0, 0, 1, 2}));
  EXPECT_EQ(encode(std::optional<std::int8_t>()), bytes({0}));
  EXPECT_EQ(encode(std::optional<std::int8_t>(5)), bytes({1, 5}));
  EXPECT_EQ(encode(std::pair<bool, std::int8_t>(true, 3)), bytes({1, 3}));
  EXPECT_EQ(encode(std::tuple<bool, std::int8_t, bool>(true, 3, false)), bytes({1, 3, 0}));
  EXPECT_EQ(encode(std::array<std::int8_t, 2>{4, 5}), bytes({4, 5}));
  EXPECT_EQ(encode(std::map<std::int8_t, bool>{{7, false}, {6, true}}),
            bytes({2, 0, 0, 0, 6, 1, 7, 0}));
  EXPECT_EQ(encode(Colour::kBlue), bytes({2}));
}

TEST(CodecTest, SaysWhetherATypeCanBeSerialized) {
  static_assert(is_serializable<std::string> && is_serializable<int> && is_serializable<Colour>);
  static_assert(is_serializable<Nested> && is_serializable<Celsius>);
  static_assert(is_serializable<std::map<std::string, std::vector<Celsius>>>);
  static_assert(is_serializable<std::tuple<int, std::array<bool, 3>>>);
  static_assert(!is_serializable<Unnamed> && !is_serializable<int*>);
  static_assert(!is_serializable<std::vector<std::optional<Unnamed>>>);
  static_assert(!is_serializable<std::pair<int, Unnamed>>);
  static_assert(!is_serializable<std::tuple<Unnamed>> && !is_serializable<std::map<int, int*>>);
}

template <typename T>
T decoded_into(T value, const T& other) {
  const std::string encoded = encode(other);
  std::string_view in = encoded;
  decode_into(in, value);
  EXPECT_TRUE(in.empty());
  return value;
}

TEST(CodecTest, DecodingIntoAValueReplacesAllOfIt) {
  const Order long_one{7, "a long text that is longer", 1.5, {{"a", true}, {"b", false}}, {}};
  const Order short_one{8, "x", std::nullopt, {{"c", false}}, Colour::kBlue};
  EXPECT_EQ(decoded_into(long_one, short_one), short_one);
  EXPECT_EQ(decoded_into(short_one, long_one), long_one);
  EXPECT_EQ(decoded_into(Celsius{1}, Celsius{-5}).degrees, -5);
  const std::vector<bool> flags = {false, true, true};
  EXPECT_EQ(decoded_into({true}, flags), flags);
  const std::map<std::string, int> map = {{"a", 1}, {"b", 2}};
  EXPECT_EQ(decoded_into({{"c", 3}}, map), map);
  const std::tuple<int, std::array<std::string, 2>> tuple(5, {"a", "b"});
  EXPECT_EQ(decoded_into({}, tuple), tuple);
}

TEST(CodecTest, DecodingIntoAValueKeepsItsMemory) {
  std::vector<std::string> values = {std::string(100, 'a'), std::string(100, 'b')};
  const void* const first = values[0].data();
  values = decoded_into(std::move(values), {"c", "d"});
  EXPECT_EQ(values[0].data(), first);
  EXPECT_EQ(values[0], "c");
}

TEST(CodecTest, TextIsDecodedWhereItIs) {
  const std::string encoded = encode(std::string("text"));
  std::string_view in = encoded;
  const std::string_view view = Codec<std::string>::decode_view(in);
  EXPECT_EQ(view, "text");
  EXPECT_EQ(static_cast<const void*>(view.data()), encoded.data() + 4);
}

TEST(CodecTest, AStructIsItsFieldsInOrder) {
  const Order order{7, "x", std::nullopt, {{"y", true}}, Colour::kBlue};
  const std::string golden =
      bytes({7, 0, 0, 0, 1, 0, 0, 0, 'x', 0, 1, 0, 0, 0, 1, 0, 0, 0, 'y', 1, 2});
  EXPECT_EQ(encode(order), golden);
  EXPECT_EQ(decode<Order>(golden), order);
  const auto nested = decode<Nested>(encode(Nested{order, 9}));
  EXPECT_EQ(nested.order, order);
  EXPECT_EQ(nested.count, 9u);
}

TEST(CodecTest, ValuesComeBackAsTheyWent) {
  EXPECT_EQ(decode<std::int64_t>(encode(std::numeric_limits<std::int64_t>::min())),
            std::numeric_limits<std::int64_t>::min());
  EXPECT_TRUE(std::isnan(decode<double>(encode(std::nan("")))));
  const std::vector<bool> flags = {true, false};
  EXPECT_EQ(decode<std::vector<bool>>(encode(flags)), flags);
  const std::string text("a\0b", 3);
  EXPECT_EQ(decode<std::string>(encode(text)), text);
}

TEST(CodecTest, EveryTruncationIsRefused) {
  const std::string whole = encode(Order{7, "text", 1.5, {{"a", true}, {"b", false}}, {}});
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_THROW(decode<Order>(whole.substr(0, size)), Error) << size;
  }
}

TEST(CodecTest, WhatIsTooMuchOrMakesNoSenseIsRefused) {
  EXPECT_THROW(decode<bool>(bytes({1, 0})), Error);
  EXPECT_THROW(decode<bool>(bytes({2})), Error);
  EXPECT_THROW(decode<std::vector<std::string>>(bytes({0xff, 0xff, 0xff, 0xff, 0})), Error);
  EXPECT_THROW(decode<std::string>(bytes({0xff, 0xff, 0xff, 0xff, 'a'})), Error);
}

}  // namespace
}  // namespace weir
