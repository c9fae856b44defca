// How values become bytes, in state and between tasks.
//
// Every number is little-endian in its full width, a bool one byte (0 or 1),
// text its length (32 bits) and its bytes, a vector its count (32 bits) and its
// elements, an optional one byte and the value, a pair, tuple, array or struct
// its fields in order, a map its count and its pairs. The bytes are durable: a
// changed field list can't read older state.
#pragma once

#include <array>
#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <limits>
#include <map>
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
// or specialize Codec for it with encode() and decode(). decode() takes the
// value's bytes off the front of `in` and throws Error when there are too few
// or they make no sense. A specialization may add decode_into(in, value), which
// is the same but reuses what `value` has allocated.
template <typename T>
struct Codec {
  static constexpr bool kSerializable = internal::HasFields<T>;

  static void encode(const T& value, std::string& out) {
    check();
    std::apply([&out](const auto&... field) { (encode_field(field, out), ...); },
               weir_fields(value));
  }
  static T decode(std::string_view& in) {
    T value;
    decode_into(in, value);
    return value;
  }
  static void decode_into(std::string_view& in, T& value) {
    check();
    std::apply([&in](auto&... field) { (decode_field(in, field), ...); }, weir_fields(value));
  }

 private:
  static constexpr void check() {
    static_assert(internal::HasFields<T>,
                  "this type can't be serialized: add WEIR_FIELDS(Type, field, ...) with "
                  "all its "
                  "fields after its definition, or specialize weir::Codec<Type>");
  }
  template <typename Field>
  static void encode_field(const Field& field, std::string& out) {
    Codec<Field>::encode(field, out);
  }
  template <typename Field>
  static void decode_field(std::string_view& in, Field& field);
};

// Whether values of T can become bytes. A struct with WEIR_FIELDS is taken at
// its word: that one of its fields can't is an error where it is encoded.
template <typename T>
inline constexpr bool is_serializable = [] {
  if constexpr (requires { Codec<T>::kSerializable; }) {
    return Codec<T>::kSerializable;
  } else {
    return true;  // specialized by the job
  }
}();

// Takes a value off the front of `in`, reusing what `value` has allocated.
// After an Error `value` is anything.
template <typename T>
void decode_into(std::string_view& in, T& value) {
  if constexpr (requires { Codec<T>::decode_into(in, value); }) {
    Codec<T>::decode_into(in, value);
  } else {
    value = Codec<T>::decode(in);
  }
}

template <typename T>
template <typename Field>
void Codec<T>::decode_field(std::string_view& in, Field& field) {
  weir::decode_into(in, field);
}

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
    throw Error("can't encode: a text, vector or map has more than 2^32 - 1 elements");
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
  static std::string decode(std::string_view& in) { return std::string(decode_view(in)); }
  static void decode_into(std::string_view& in, std::string& value) {
    value.assign(decode_view(in));
  }
  // The text where it is: valid as long as the bytes of `in`.
  static std::string_view decode_view(std::string_view& in) {
    const std::uint32_t size = Codec<std::uint32_t>::decode(in);
    return internal::take_bytes(in, size);
  }
};

template <typename T>
struct Codec<std::vector<T>> {
  static constexpr bool kSerializable = is_serializable<T>;

  static void encode(const std::vector<T>& values, std::string& out) {
    internal::encode_size(values.size(), out);
    for (const T& value : values) Codec<T>::encode(value, out);
  }
  static std::vector<T> decode(std::string_view& in) {
    std::vector<T> values;
    decode_into(in, values);
    return values;
  }
  // Grows as elements come, so that a damaged count can't ask for memory that
  // isn't there.
  static void decode_into(std::string_view& in, std::vector<T>& values) {
    const std::uint32_t count = Codec<std::uint32_t>::decode(in);
    if (count < values.size()) values.erase(values.begin() + count, values.end());
    for (std::uint32_t i = 0; i < count; ++i) {
      if (i == values.size()) {
        values.push_back(Codec<T>::decode(in));
      } else if constexpr (std::is_same_v<T, bool>) {
        values[i] = Codec<bool>::decode(in);  // no reference to decode into
      } else {
        weir::decode_into(in, values[i]);
      }
    }
  }
};

template <typename T>
struct Codec<std::optional<T>> {
  static constexpr bool kSerializable = is_serializable<T>;

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
  static constexpr bool kSerializable = is_serializable<A> && is_serializable<B>;

  static void encode(const std::pair<A, B>& value, std::string& out) {
    Codec<A>::encode(value.first, out);
    Codec<B>::encode(value.second, out);
  }
  static std::pair<A, B> decode(std::string_view& in) {
    A first = Codec<A>::decode(in);
    return {std::move(first), Codec<B>::decode(in)};
  }
  static void decode_into(std::string_view& in, std::pair<A, B>& value) {
    weir::decode_into(in, value.first);
    weir::decode_into(in, value.second);
  }
};

template <typename... Types>
struct Codec<std::tuple<Types...>> {
  static constexpr bool kSerializable = (is_serializable<Types> && ...);

  static void encode(const std::tuple<Types...>& value, std::string& out) {
    std::apply([&out](const Types&... field) { (Codec<Types>::encode(field, out), ...); }, value);
  }
  static std::tuple<Types...> decode(std::string_view& in) {
    return std::tuple<Types...>{Codec<Types>::decode(in)...};  // braces: from left to right
  }
  static void decode_into(std::string_view& in, std::tuple<Types...>& value) {
    std::apply([&in](Types&... field) { (weir::decode_into(in, field), ...); }, value);
  }
};

template <typename T, std::size_t kCount>
struct Codec<std::array<T, kCount>> {
  static constexpr bool kSerializable = is_serializable<T>;

  static void encode(const std::array<T, kCount>& values, std::string& out) {
    for (const T& value : values) Codec<T>::encode(value, out);
  }
  static std::array<T, kCount> decode(std::string_view& in) {
    std::array<T, kCount> values;
    decode_into(in, values);
    return values;
  }
  static void decode_into(std::string_view& in, std::array<T, kCount>& values) {
    for (T& value : values) weir::decode_into(in, value);
  }
};

// In the order of the keys, so that equal maps are equal bytes.
template <typename K, typename V>
struct Codec<std::map<K, V>> {
  static constexpr bool kSerializable = is_serializable<K> && is_serializable<V>;

  static void encode(const std::map<K, V>& values, std::string& out) {
    internal::encode_size(values.size(), out);
    for (const auto& [key, value] : values) {
      Codec<K>::encode(key, out);
      Codec<V>::encode(value, out);
    }
  }
  static std::map<K, V> decode(std::string_view& in) {
    std::map<K, V> values;
    for (std::uint32_t left = Codec<std::uint32_t>::decode(in); left > 0; --left) {
      K key = Codec<K>::decode(in);
      values.insert_or_assign(values.end(), std::move(key), Codec<V>::decode(in));
    }
    return values;
  }
};

}  // namespace weir

// Names all fields of a struct, in their order; one left out is a compile
// error. Stands in the struct's namespace, after it.
#define WEIR_FIELDS(Type, ...)                                       \
  [[maybe_unused]] inline auto weir_fields(Type& weir_value) {       \
    auto& [__VA_ARGS__] = weir_value;                                \
    return std::tie(__VA_ARGS__);                                    \
  }                                                                  \
  [[maybe_unused]] inline auto weir_fields(const Type& weir_value) { \
    const auto& [__VA_ARGS__] = weir_value;                          \
    return std::tie(__VA_ARGS__);                                    \
  }
