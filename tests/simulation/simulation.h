#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "tests/simulation/checker.h"
#include "tests/simulation/mutation.h"
#include "tests/simulation/world.h"

namespace weir::simulation {

struct SimulationResult {
  std::string violation;  // "": exactly-once
  JobEnd end = JobEnd::kRunning;
  int attempts = 0;
  uint64_t checkpoints = 0;  // that became the recovery point
  uint64_t events = 0;
  uint64_t records = 0;  // committed
  uint64_t lost = 0;     // transactions that the job called lost
  int faults = 0;
  std::deque<std::string> story;  // if asked for
};

// What a seed is about: the same seed, the same run.
Scenario draw_scenario(uint64_t seed);
// Everything is down for longer than a transaction may stay open.
void make_outage(Scenario& scenario);
std::string describe(const Scenario& scenario);

SimulationResult run_simulation(uint64_t seed, const Scenario& scenario, Mutations mutations,
                                bool tracing);

// The last events of the seed's run, for people.
std::string tell_story(uint64_t seed, const Scenario& scenario, Mutations mutations,
                       size_t events_max);

}  // namespace weir::simulation
