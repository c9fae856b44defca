#include "tests/cluster/drill_seed.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <random>
#include <string>

namespace weir::cluster_test {

std::optional<unsigned> drill_seed() {
  const char* seed = std::getenv("WEIR_DRILL_SEED");
  if (seed == nullptr) return std::nullopt;
  return static_cast<unsigned>(std::stoul(seed));
}

unsigned storm_seed() {
  const unsigned seed = drill_seed().value_or(std::random_device{}());
  std::cout << "WEIR_DRILL_SEED=" << seed << std::endl;
  return seed;
}

static std::mt19937 random_of(unsigned seed, const std::string& test) {
  std::vector<unsigned> numbers(test.begin(), test.end());
  numbers.push_back(seed);
  std::seed_seq sequence(numbers.begin(), numbers.end());
  return std::mt19937(sequence);
}

int drawn(int usual, int min, int max) {
  const std::optional<unsigned> seed = drill_seed();
  if (!seed) return usual;
  static std::string last_test;
  static std::mt19937 random;
  const ::testing::TestInfo& info = *::testing::UnitTest::GetInstance()->current_test_info();
  const std::string test = std::string(info.test_suite_name()) + "." + info.name();
  if (test != last_test) random = random_of(*seed, test);
  last_test = test;
  const int number = std::uniform_int_distribution(min, max)(random);
  std::cout << "WEIR_DRILL_SEED=" << *seed << " draws " << number << " of " << min << " to " << max
            << std::endl;
  return number;
}

}  // namespace weir::cluster_test
