// Seeded runs of a whole cluster. WEIR_SEED=n runs that one and prints its story when it fails;
// WEIR_SEEDS=n runs n of them; WEIR_EVENTS=n prints more of the story.
#include "tests/simulation/simulation.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

#include "absl/strings/str_cat.h"

namespace weir::simulation {
namespace {

constexpr uint64_t kSeeds = 12000;
constexpr uint64_t kEventsShown = 150;

uint64_t number_from(const char* variable, uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

TEST(SimulationTest, EveryRecordIsCommittedExactlyOnceWhateverHappens) {
  const uint64_t only = number_from("WEIR_SEED", 0);
  const uint64_t first = only > 0 ? only : 1;
  const uint64_t last = only > 0 ? only : number_from("WEIR_SEEDS", kSeeds);
  uint64_t faults = 0, checkpoints = 0, restarts = 0, events = 0, lost = 0, records = 0;
  int failures = 0;
  for (uint64_t seed = first; seed <= last && failures < 3; ++seed) {
    const Scenario scenario = draw_scenario(seed);
    const SimulationResult result = run_simulation(seed, scenario, {}, false);
    faults += static_cast<uint64_t>(result.faults);
    checkpoints += result.checkpoints;
    restarts += static_cast<uint64_t>(result.attempts);
    events += result.events;
    lost += result.lost;
    records += result.records;
    if (result.violation.empty()) continue;
    ++failures;
    ADD_FAILURE() << "WEIR_SEED=" << seed << ": " << result.violation << "\n"
                  << describe(scenario) << "\n"
                  << tell_story(seed, scenario, {}, number_from("WEIR_EVENTS", kEventsShown));
  }
  std::cout << last - first + 1 << " seeds: " << faults << " faults, " << restarts << " attempts, "
            << checkpoints << " checkpoints, " << records << " records, " << lost
            << " transactions timed out, " << events << " events\n";
}

TEST(SimulationTest, TheSameSeedGivesTheSameRun) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const Scenario scenario = draw_scenario(seed);
    const auto first = run_simulation(seed, scenario, {}, true);
    const auto second = run_simulation(seed, scenario, {}, true);
    EXPECT_EQ(first.events, second.events);
    EXPECT_EQ(first.story, second.story);
  }
}

}  // namespace
}  // namespace weir::simulation
