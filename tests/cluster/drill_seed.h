#pragma once

// Where and when a drill's faults strike.

#include <optional>

namespace weir::cluster_test {

// WEIR_DRILL_SEED, with which faults strike at other hits and moments than usual.
std::optional<unsigned> drill_seed();

// WEIR_DRILL_SEED, or a random one, printed so that the storm can be repeated.
unsigned storm_seed();

// Without a seed `usual`, else one of min … max: by the seed, the running test's name and how often
// it has drawn before, so one test run alone repeats. Prints the seed and what it drew.
int drawn(int usual, int min, int max);

}  // namespace weir::cluster_test
