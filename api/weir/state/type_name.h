// Names a type by how its Codec writes it, so that a snapshot can say what its bytes are: "i64",
// "vector<string>", "{i64,optional<f64>}". Structs are named by their fields, so renaming one
// changes nothing; a type with a Codec of its own by Codec<T>::type_name(), or else by its C++
// name.
#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

#include "weir/codec.h"

namespace weir {

template <typename T>
std::string type_name();

namespace internal {

template <typename... Ts>
std::string type_names() {
  std::string names;
  ((names += (names.empty() ? "" : ",") + type_name<std::remove_cvref_t<Ts>>()), ...);
  return names;
}

template <typename T>
struct TypeName {
  static std::string get() {
    if constexpr (requires { Codec<T>::type_name(); }) {
      return Codec<T>::type_name();
    } else if constexpr (std::is_same_v<T, bool>) {
      return "bool";
    } else if constexpr (std::is_enum_v<T>) {
      return type_name<std::underlying_type_t<T>>();
    } else if constexpr (std::is_arithmetic_v<T>) {
      const char kind = std::is_floating_point_v<T> ? 'f' : std::is_signed_v<T> ? 'i' : 'u';
      return kind + std::to_string(8 * sizeof(T));
    } else if constexpr (HasFields<T>) {
      return fields(static_cast<decltype(weir_fields(std::declval<T&>()))*>(nullptr));
    } else {
      return typeid(T).name();
    }
  }

 private:
  template <typename... Ts>
  static std::string fields(std::tuple<Ts...>*) {
    return "{" + type_names<Ts...>() + "}";
  }
};
template <>
struct TypeName<std::string> {
  static std::string get() { return "string"; }
};
template <typename T>
struct TypeName<std::vector<T>> {
  static std::string get() { return "vector<" + type_name<T>() + ">"; }
};
template <typename T>
struct TypeName<std::optional<T>> {
  static std::string get() { return "optional<" + type_name<T>() + ">"; }
};
template <typename A, typename B>
struct TypeName<std::pair<A, B>> {
  static std::string get() { return "{" + type_names<A, B>() + "}"; }
};
template <typename... Ts>
struct TypeName<std::tuple<Ts...>> {
  static std::string get() { return "{" + type_names<Ts...>() + "}"; }
};
template <typename T, std::size_t kSize>
struct TypeName<std::array<T, kSize>> {
  static std::string get() { return "array<" + type_name<T>() + "," + std::to_string(kSize) + ">"; }
};
template <typename K, typename V>
struct TypeName<std::map<K, V>> {
  static std::string get() { return "map<" + type_names<K, V>() + ">"; }
};

}  // namespace internal

template <typename T>
std::string type_name() {
  return internal::TypeName<T>::get();
}

}  // namespace weir
