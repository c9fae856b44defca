#pragma once

#include <cstdint>
#include <random>
#include <string>

namespace weir {

// For tests: bytes that differ from call to call and from place to place, cheaply.
inline std::string random_bytes(std::mt19937_64& random, size_t size) {
  std::string bytes;
  bytes.reserve(size + sizeof(uint64_t));
  for (uint64_t word = random(); bytes.size() < size; word = word * 0x9e3779b97f4a7c15ULL + 1) {
    bytes.append(reinterpret_cast<const char*>(&word), sizeof(word));
  }
  bytes.resize(size);
  return bytes;
}

}  // namespace weir
