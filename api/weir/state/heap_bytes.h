#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "weir/codec.h"

namespace weir::internal {

// About how much memory a value has besides sizeof(T), for the budget of tables in memory: exact
// for text, for containers by their capacity and their last element, and so always in constant
// time.
template <typename T>
std::size_t heap_bytes(const T& value);

template <typename... Ts>
std::size_t heap_bytes_of_all(const Ts&... values) {
  return (std::size_t{0} + ... + heap_bytes(values));
}

template <typename T>
struct HeapBytes {
  static std::size_t of(const T& value) {
    if constexpr (HasFields<T>) {
      return std::apply([](const auto&... field) { return heap_bytes_of_all(field...); },
                        weir_fields(value));
    } else {
      return 0;
    }
  }
};
template <>
struct HeapBytes<std::string> {
  static std::size_t of(const std::string& value) {
    static const std::size_t inside = std::string().capacity();
    return value.capacity() > inside ? value.capacity() + 1 : 0;
  }
};
template <typename T>
struct HeapBytes<std::vector<T>> {
  static std::size_t of(const std::vector<T>& values) {
    if constexpr (std::is_same_v<T, bool>) {
      return values.capacity() / 8;
    } else {
      const std::size_t each = values.empty() ? 0 : heap_bytes(values.back());
      return values.capacity() * sizeof(T) + values.size() * each;
    }
  }
};
template <typename K, typename V>
struct HeapBytes<std::map<K, V>> {
  static constexpr std::size_t kNodeBytes = 48;  // links, and the allocator's own
  static std::size_t of(const std::map<K, V>& values) {
    if (values.empty()) return 0;
    const auto& [key, value] = *values.rbegin();
    return values.size() * (sizeof(K) + sizeof(V) + kNodeBytes + heap_bytes_of_all(key, value));
  }
};
template <typename T>
struct HeapBytes<std::optional<T>> {
  static std::size_t of(const std::optional<T>& value) { return value ? heap_bytes(*value) : 0; }
};
template <typename A, typename B>
struct HeapBytes<std::pair<A, B>> {
  static std::size_t of(const std::pair<A, B>& value) {
    return heap_bytes_of_all(value.first, value.second);
  }
};
template <typename... Ts>
struct HeapBytes<std::tuple<Ts...>> {
  static std::size_t of(const std::tuple<Ts...>& values) {
    return std::apply([](const auto&... value) { return heap_bytes_of_all(value...); }, values);
  }
};

template <typename T>
std::size_t heap_bytes(const T& value) {
  if constexpr (std::is_trivially_copyable_v<T>) {
    return 0;
  } else {
    return HeapBytes<T>::of(value);
  }
}

}  // namespace weir::internal
