// Every rule of the exactly-once protocol, broken on purpose, must be noticed by the checker: else
// the simulation would prove nothing. README.md has the table.
#include "tests/simulation/mutation.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <iostream>
#include <string>
#include <vector>

#include "tests/simulation/simulation.h"

namespace weir::simulation {
namespace {

constexpr uint64_t kSeedsMax = 6000;

struct Case {
  std::string name;
  Mutations mutations;
  // Makes the scenario one in which the rule matters.
  std::function<void(Scenario&)> stage = [](Scenario&) {};
  std::string symptom = "";  // part of what the checker must say
};

void with_zombies(Scenario& scenario) {
  scenario.kills_only = false;
  scenario.fault_count = 6;
  scenario.stuck_cancels = 0.3;
}

void with_two_leaders(Scenario& scenario) {
  scenario.two_leaders = true;
  scenario.fault_count = 4;
  scenario.write_step_max_us = 80 * kMillisecond;
}

void with_timeouts(Scenario& scenario) {
  make_outage(scenario);
}

void with_state(Scenario& scenario) {
  scenario.shuffled = true;
  scenario.taskmanagers = scenario.slots = scenario.parallelism_max = 3;
  scenario.fault_count = 6;
}

void with_markers_left_out(Scenario& scenario) {
  scenario.kafka.leaves_out_markers = true;
  scenario.fault_count = 6;
}

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {"SameEpochAgain", {Mutation::kSameEpochAgain}},
      {"ReuseBeforeLaterCheckpoint", {Mutation::kReuseBeforeLater}},
      {"ReuseCountedFromFirstCarrier",
       {Mutation::kReuseFromFirstCarrier},
       [](Scenario& scenario) { scenario.declines = 0.3; }},
      {"ReuseAfterSavepoint",
       {Mutation::kReuseAfterSavepoint},
       [](Scenario& scenario) { scenario.savepoints = 8; }},
      {"RetriedInitUsed",
       {Mutation::kRetriedInitUsed},
       [](Scenario& scenario) { scenario.kafka_breaks = 0.1; }},
      {"NoGenerationInIds", {Mutation::kNoGenerationInIds}},
      {"FourIds",
       {Mutation::kFourIds},
       [](Scenario& scenario) {
         scenario.shuffled = true;
         scenario.kafka_breaks = 0.1;
       }},
      {"FlushErrorIgnored",
       {Mutation::kFlushErrorIgnored},
       [](Scenario& scenario) { scenario.delivery_fails = 0.05; }},
      {"TaskAbortsPrepared", {Mutation::kTaskAbortsPrepared}},
      {"AbortOnDecline",
       {Mutation::kAbortOnDecline},
       [](Scenario& scenario) { scenario.declines = 0.1; }},
      {"NoCarry", {Mutation::kNoCarry}, [](Scenario& scenario) { scenario.declines = 0.1; }},
      // Alone it does no harm: what the zombie would commit is fenced by then.
      {"NotifyAcrossAttemptsUnfenced",
       {Mutation::kNotifyAcrossAttempts, Mutation::kNoFencing},
       with_zombies,
       "which no recovery point carried"},
      {"AlignmentDoesNotBlock",
       {Mutation::kAlignmentDoesNotBlock},
       [](Scenario& scenario) {
         scenario.shuffled = true;
         scenario.parallelism = scenario.parallelism_max;
       }},
      {"CommitNotRetried",
       {Mutation::kCommitNotRetried},
       [](Scenario& scenario) { scenario.kafka_breaks = 0.1; }},
      {"FencedMeansCommitted", {Mutation::kFencedMeansCommitted}, with_timeouts},
      {"KnownBeforeSeen", {Mutation::kKnownBeforeSeen}, with_markers_left_out},
      {"AbortMarkersMissing", {Mutation::kAbortMarkersMissing}, with_markers_left_out},
      {"RecoveryTakesOwnIds", {Mutation::kRecoveryTakesOwnIds}},
      {"SweepBeforeRecovered", {Mutation::kSweepBeforeRecovered}},
      {"RunBeforeRecovered", {Mutation::kRunBeforeRecovered}},
      {"StateNotRestored", {Mutation::kStateNotRestored}, with_state, "is counted as"},
      {"StateBySubtask", {Mutation::kStateBySubtask}, with_state, "is counted as"},
      {"NoFencing", {Mutation::kNoFencing}},
      {"NoSweep",
       {Mutation::kNoSweep},
       [](Scenario& scenario) {
         scenario.cut_at_start = 0.4;
         scenario.taskmanagers = scenario.slots = 3;
         scenario.input_duration_us = scenario.faults_until_us = 2 * kSecond;
         scenario.command_us = 3 * kSecond;
       }},
      {"FenceByEndTransaction", {Mutation::kFenceByEndTransaction}},
      {"LedgerIgnored",
       {Mutation::kLedgerIgnored},
       [](Scenario& scenario) {
         with_timeouts(scenario);
         scenario.ids_expire = true;
       }},
      {"ResolvedNotDurable",
       {Mutation::kResolvedNotDurable},
       [](Scenario& scenario) { scenario.start_at_latest = true; }},
      {"NotifyBeforePointer", {Mutation::kNotifyBeforePointer}},
      {"NewestManifestOverPointer",
       {Mutation::kNewestManifest},
       [](Scenario& scenario) { scenario.write_fails = 0.05; }},
      {"OldAttemptPublishes",
       {Mutation::kOldAttemptPublishes},
       [](Scenario& scenario) {
         with_zombies(scenario);
         scenario.write_step_max_us = 80 * kMillisecond;
       }},
      {"CheckpointIdsAgain", {Mutation::kCheckpointIdsAgain}, with_two_leaders},
      {"NoStoreFence", {Mutation::kNoStoreFence}, with_two_leaders},
      {"SavepointCommits",
       {Mutation::kSavepointCommits},
       [](Scenario& scenario) { scenario.savepoints = 4; }},
      {"CancelWithoutCommit",
       {Mutation::kCancelWithoutCommit},
       [](Scenario& scenario) { scenario.bounded = false, scenario.cancel = true; }},
      {"CancelNotDurable",
       {Mutation::kCancelNotDurable},
       [](Scenario& scenario) {
         scenario.bounded = false, scenario.cancel = true;
         scenario.command_us = scenario.faults_until_us / 2;
       }},
      {"FinishBeforeCommitted", {Mutation::kFinishBeforeCommitted}},
  };
  return all;
}

class MutationTest : public ::testing::TestWithParam<Case> {};

TEST_P(MutationTest, IsNoticed) {
  for (uint64_t seed = 1; seed <= kSeedsMax; ++seed) {
    Scenario scenario = draw_scenario(seed);
    GetParam().stage(scenario);
    const SimulationResult result = run_simulation(seed, scenario, GetParam().mutations, false);
    if (result.violation.empty()) continue;
    if (result.violation.find(GetParam().symptom) == std::string::npos) continue;
    std::cout << "noticed by seed " << seed << ": " << result.violation << "\n";
    if (std::getenv("WEIR_STORY") != nullptr) {
      std::cout << describe(scenario) << "\n"
                << tell_story(seed, scenario, GetParam().mutations, 200);
    }
    return;
  }
  FAIL() << GetParam().name << " isn't noticed by any of " << kSeedsMax << " seeds";
}

// The same scenes with nothing broken: what the test above notices is the broken rule.
TEST_P(MutationTest, TheSameScenesAreSoundWithTheRule) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    Scenario scenario = draw_scenario(seed);
    GetParam().stage(scenario);
    const SimulationResult result = run_simulation(seed, scenario, {}, false);
    ASSERT_EQ(result.violation, "") << "seed " << seed << "\n"
                                    << describe(scenario) << "\n"
                                    << tell_story(seed, scenario, {}, 200);
  }
}

INSTANTIATE_TEST_SUITE_P(Rules, MutationTest, ::testing::ValuesIn(cases()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace weir::simulation
