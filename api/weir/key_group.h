// Which subtask a key belongs to.
//
//   key ──hash_key──▶ 64 bits ──% max parallelism──▶ key group ──× parallelism / max──▶ subtask
//
// A key group is the unit in which keyed state moves when a job's parallelism changes: subtask i
// has the range key_group_range(i, …), without gaps. Durable: state is stored by key group, so none
// of these functions may ever give another result (Flink's ranges; the hash is XXH3, and for
// integers the finalizer of SplitMix64).
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include "weir/codec.h"
#include "weir/element.h"

namespace weir {

inline constexpr int kMaxParallelismLimit = 32768;

// XXH3-64 with seed 0.
std::uint64_t stable_hash(std::string_view bytes);

// Every bit of the result depends on every bit of `value`.
constexpr std::uint64_t mix_bits(std::uint64_t value) {
  value += 0x9e3779b97f4a7c15;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

// How a key is passed: text as std::string_view, numbers by value, everything else by reference.
template <typename K>
using KeyView = std::conditional_t<std::is_same_v<K, std::string>, std::string_view, const K&>;

// The hash of integers, enums and bool is that of their value as 64 bits, of text that of its
// characters, of other types that of their encoded bytes.
template <typename K>
std::uint64_t hash_key(KeyView<K> key) {
  static_assert(!std::is_floating_point_v<K>,
                "a floating point number can't be a key: NaN equals nothing, 0 equals -0; make it "
                "an integer or text");
  if constexpr (std::is_integral_v<K> || std::is_enum_v<K>) {
    return mix_bits(static_cast<std::uint64_t>(key));
  } else if constexpr (std::is_same_v<K, std::string>) {
    return stable_hash(key);
  } else {
    static thread_local std::string bytes;
    bytes.clear();
    Codec<K>::encode(key, bytes);
    return stable_hash(bytes);
  }
}

constexpr int key_group_of(std::uint64_t hash, int max_parallelism) {
  return static_cast<int>(hash % static_cast<std::uint64_t>(max_parallelism));
}

constexpr int subtask_of(int key_group, int parallelism, int max_parallelism) {
  return key_group * parallelism / max_parallelism;
}

// first … last, both included; empty when last < first.
struct KeyGroupRange {
  int first = 0;
  int last = -1;

  constexpr int size() const { return last < first ? 0 : last - first + 1; }
  constexpr bool contains(int key_group) const { return key_group >= first && key_group <= last; }
  bool operator==(const KeyGroupRange&) const = default;
};

constexpr KeyGroupRange key_group_range(int subtask, int parallelism, int max_parallelism) {
  return {(subtask * max_parallelism + parallelism - 1) / parallelism,
          ((subtask + 1) * max_parallelism - 1) / parallelism};
}

constexpr KeyGroupRange intersection(KeyGroupRange a, KeyGroupRange b) {
  return {a.first > b.first ? a.first : b.first, a.last < b.last ? a.last : b.last};
}

}  // namespace weir
