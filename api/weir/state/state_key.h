// The bytes that name an entry of state, in memory order = byte order as far as groups, namespaces
// and the entries of one key go:
//
//   key group: 16 bits, big-endian | namespace: 64 bits, big-endian, sign flipped (namespaced
//   tables) | the key's Codec bytes | the user key's Codec bytes (maps)
//
// A Codec's bytes say themselves where they end, so those of a key are a prefix of exactly its own
// entries. Durable.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "weir/codec.h"

namespace weir::internal {

inline void append_big_endian(std::uint64_t value, int bytes, std::string& out) {
  for (int i = bytes - 1; i >= 0; --i) out.push_back(static_cast<char>(value >> (8 * i)));
}

inline std::uint64_t take_big_endian(std::string_view& in, int bytes) {
  std::uint64_t value = 0;
  for (const char c : take_bytes(in, static_cast<std::size_t>(bytes))) {
    value = value << 8 | static_cast<unsigned char>(c);
  }
  return value;
}

inline constexpr std::uint64_t kSignBit = std::uint64_t{1} << 63;

inline void append_key_group(int key_group, std::string& out) {
  append_big_endian(static_cast<std::uint64_t>(key_group), 2, out);
}
inline void append_namespace(std::int64_t value, std::string& out) {
  append_big_endian(static_cast<std::uint64_t>(value) ^ kSignBit, 8, out);
}
inline int take_key_group(std::string_view& in) {
  return static_cast<int>(take_big_endian(in, 2));
}
inline std::int64_t take_namespace(std::string_view& in) {
  return static_cast<std::int64_t>(take_big_endian(in, 8) ^ kSignBit);
}

// The first bytes after every one that starts with `prefix`; empty when there are none.
inline std::string end_of_prefix(std::string prefix) {
  while (!prefix.empty() && prefix.back() == '\xff') prefix.pop_back();
  if (!prefix.empty())
    prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
  return prefix;
}

}  // namespace weir::internal
