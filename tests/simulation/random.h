#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/check.h"

namespace weir::simulation {

// The only source of chance in a run (SplitMix64): the same seed gives the same run on every
// machine, which the standard's distributions don't promise.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15ULL + 0x2545f4914f6cdd1dULL) {}

  uint64_t next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }

  // Both ends inclusive.
  int64_t between(int64_t low, int64_t high) {
    WEIR_CHECK(low <= high);
    return low + static_cast<int64_t>(next() % static_cast<uint64_t>(high - low + 1));
  }

  bool chance(double probability) {
    return static_cast<double>(next() >> 11) * 0x1.0p-53 < probability;
  }

  template <typename T>
  const T& pick(const std::vector<T>& choices) {
    WEIR_CHECK(!choices.empty());
    return choices[next() % choices.size()];
  }

 private:
  uint64_t state_;
};

}  // namespace weir::simulation
