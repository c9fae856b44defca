// How values become bytes, in state and between tasks.
//
// Every number is little-endian in its full width, a bool one byte (0 or 1), text its length (32
// bits) and its bytes, a vector its count (32 bits) and its elements, an optional one byte and the
// value, a pair or struct its fields in order. The bytes are durable: a changed field list can't
// read older state.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "weir/error.h"

namespace weir {

namespace internal {
template <typename T>
concept HasFields = requires(T& value) { weir_fields(value); };
template <typename T>
concept Number = std::is_arithmetic_v<T> && !std::is_same_v<T, bool>;

std::string_view take_bytes(std::string_view& in, std::size_t count);
}  // namespace internal

// To serialize a type of your own, name all of its fields after its definition:
//
//   struct Count { std::string word; std::int64_t count = 0; };
//   WEIR_FIELDS(Count, word, count)
//
// or specialize Codec for it with these two functions. decode() takes the value's bytes off the
// front of `in` and throws Error when there are too few or they make no sense.
template <typename T>
struct Codec {
  static_assert(internal::HasFields<T>,
                "this type can't be serialized: add WEIR_FIELDS(Type, field, ...) with all its "
                "fields after its definition, or specialize weir::Codec<Type>");

  static void encode(const T& value, std::string& out) {
    std::apply([&out](const auto&... field) { (encode_field(field, out), ...); },
               weir_fields(value));
  }
  static T decode(std::string_view& in) {
    T value;
    std::apply([&in](auto&... field) { (decode_field(field, in), ...); }, weir_fields(value));
    return value;
  }

 private:
  template <typename Field>
  static void encode_field(const Field& field, std::string& out) {
    Codec<Field>::encode(field, out);
  }
  template <typename Field>
  static void decode_field(Field& field, std::string_view& in) {
    field = Codec<Field>::decode(in);
  }
};

// The whole of a value's bytes.
template <typename T>
std::string encode(const T& value) {
  std::string out;
  Codec<T>::encode(value, out);
  return out;
}

// Throws Error when `bytes` aren't exactly one T.
template <typename T>
T decode(std::string_view bytes) {
  T value = Codec<T>::decode(bytes);
  if (!bytes.empty()) {
    throw Error("can't decode: " + std::to_string(bytes.size()) + " bytes too many");
  }
  return value;
}

template <internal::Number T>
struct Codec<T> {
  static_assert(std::endian::native == std::endian::little);
  static_assert(!std::is_same_v<T, long double>, "long double differs between machines");

  static void encode(T value, std::string& out) {
    char bytes[sizeof(T)];
    std::memcpy(bytes, &value, sizeof(T));
    out.append(bytes, sizeof(T));
  }
  static T decode(std::string_view& in) {
    T value;
    std::memcpy(&value, internal::take_bytes(in, sizeof(T)).data(), sizeof(T));
    return value;
  }
};

template <>
struct Codec<bool> {
  static void encode(bool value, std::string& out) { out.push_back(value ? 1 : 0); }
  static bool decode(std::string_view& in) {
    const char byte = internal::take_bytes(in, 1)[0];
    if (byte != 0 && byte != 1) throw Error("can't decode: a bool is neither 0 nor 1");
    return byte == 1;
  }
};

template <typename T>
  requires std::is_enum_v<T>
struct Codec<T> {
  using Number = std::underlying_type_t<T>;
  static void encode(T value, std::string& out) {
    Codec<Number>::encode(static_cast<Number>(value), out);
  }
  static T decode(std::string_view& in) { return static_cast<T>(Codec<Number>::decode(in)); }
};

namespace internal {
inline void encode_size(std::size_t size, std::string& out) {
  if (size > std::numeric_limits<std::uint32_t>::max()) {
    throw Error("can't encode: a text or vector has more than 2^32 - 1 elements");
  }
  Codec<std::uint32_t>::encode(static_cast<std::uint32_t>(size), out);
}
}  // namespace internal

template <>
struct Codec<std::string> {
  static void encode(std::string_view value, std::string& out) {
    internal::encode_size(value.size(), out);
    out.append(value);
  }
  static std::string decode(std::string_view& in) {
    const std::uint32_t size = Codec<std::uint32_t>::decode(in);
    return std::string(internal::take_bytes(in, size));
  }
};

template <typename T>
struct Codec<std::vector<T>> {
  static void encode(const std::vector<T>& values, std::string& out) {
    internal::encode_size(values.size(), out);
    for (const T& value : values) Codec<T>::encode(value, out);
  }
  // Grows as elements come, so that a damaged count can't ask for memory that isn't there.
  static std::vector<T> decode(std::string_view& in) {
    std::vector<T> values;
    for (std::uint32_t left = Codec<std::uint32_t>::decode(in); left > 0; --left) {
      values.push_back(Codec<T>::decode(in));
    }
    return values;
  }
};

template <typename T>
struct Codec<std::optional<T>> {
  static void encode(const std::optional<T>& value, std::string& out) {
    Codec<bool>::encode(value.has_value(), out);
    if (value.has_value()) Codec<T>::encode(*value, out);
  }
  static std::optional<T> decode(std::string_view& in) {
    if (!Codec<bool>::decode(in)) return std::nullopt;
    return Codec<T>::decode(in);
  }
};

template <typename A, typename B>
struct Codec<std::pair<A, B>> {
  static void encode(const std::pair<A, B>& value, std::string& out) {
    Codec<A>::encode(value.first, out);
    Codec<B>::encode(value.second, out);
  }
  static std::pair<A, B> decode(std::string_view& in) {
    A first = Codec<A>::decode(in);
    return {std::move(first), Codec<B>::decode(in)};
  }
};

}  // namespace weir

// Names all fields of a struct, in their order; one left out is a compile error. Stands in the
// struct's namespace, after it.
#define WEIR_FIELDS(Type, ...)                                       \
  [[maybe_unused]] inline auto weir_fields(Type& weir_value) {       \
    auto& [__VA_ARGS__] = weir_value;                                \
    return std::tie(__VA_ARGS__);                                    \
  }                                                                  \
  [[maybe_unused]] inline auto weir_fields(const Type& weir_value) { \
    const auto& [__VA_ARGS__] = weir_value;                          \
    return std::tie(__VA_ARGS__);                                    \
  }
