#include "tests/simulation/simulation.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "tests/simulation/cluster.h"

namespace weir::simulation {

Scenario draw_scenario(uint64_t seed) {
  Random random(seed ^ 0x5ce11a);
  Scenario scenario;
  scenario.taskmanagers = static_cast<int>(random.between(1, 3));
  scenario.slots = static_cast<int>(random.between(2, 3));
  scenario.parallelism_max = std::min(scenario.taskmanagers * scenario.slots, 3);
  scenario.parallelism = static_cast<int>(random.between(1, scenario.parallelism_max));
  scenario.shuffled = random.chance(0.4);
  scenario.bounded = random.chance(0.5);
  scenario.cancel = random.chance(0.5);
  scenario.start_at_latest = random.chance(0.2);
  scenario.records_per_split = random.between(20, 80);
  scenario.input_duration_us = random.between(500, 2000) * kMillisecond;
  scenario.faults_until_us = random.between(500, 2500) * kMillisecond;
  scenario.command_us = scenario.faults_until_us + random.between(-400, 600) * kMillisecond;
  scenario.checkpoint_interval_us = random.between(20, 150) * kMillisecond;
  scenario.checkpoint_timeout_us = random.between(100, 400) * kMillisecond;
  scenario.min_pause_us = random.chance(0.3) ? 20 * kMillisecond : 0;
  scenario.concurrent_checkpoints = random.chance(0.3) ? 2 : 1;
  scenario.tolerable_failures = random.chance(0.2) ? 0 : 1000;
  scenario.fault_count = static_cast<int>(random.between(0, 6));
  scenario.kills_only = random.chance(0.2);
  if (random.chance(0.1)) {
    make_outage(scenario);
    scenario.ids_expire = random.chance(0.3);
  }
  if (random.chance(0.6)) scenario.kafka_breaks = 0.03;
  if (random.chance(0.2)) scenario.delivery_fails = 0.01;
  if (random.chance(0.3)) scenario.declines = 0.1;
  if (random.chance(0.3)) scenario.stuck_cancels = 0.3;
  if (random.chance(0.2)) scenario.cut_at_start = 0.2;
  scenario.slow_messages = random.chance(0.5) ? 0.02 : 0.1;
  if (random.chance(0.3)) scenario.write_fails = 0.05;
  if (random.chance(0.3)) scenario.write_unknown = 0.1;
  if (random.chance(0.3)) scenario.write_step_max_us = 60 * kMillisecond;
  if (random.chance(0.3)) scenario.savepoints = static_cast<int>(random.between(1, 4));
  scenario.kafka.brokers = static_cast<int>(random.between(1, 3));
  scenario.kafka.leaves_out_markers = random.chance(0.5);
  scenario.kafka.first_epoch = random.chance(0.1) ? 32764 : 0;
  scenario.kafka.transaction_version_2 = random.chance(0.5);
  if (random.chance(0.4)) scenario.rescales = static_cast<int>(random.between(1, 3));
  return scenario;
}

void make_outage(Scenario& scenario) {
  scenario.long_outage = true;
  scenario.transaction_timeout_us = 2 * kSecond;
  scenario.faults_until_us = 4 * kSecond;
  scenario.command_us = std::max(scenario.command_us, 4 * kSecond);
}

std::string describe(const Scenario& scenario) {
  return absl::StrCat(
      scenario.taskmanagers, " TaskManagers, parallelism ", scenario.parallelism,
      scenario.shuffled ? ", shuffled" : "",
      scenario.bounded  ? ", bounded"
      : scenario.cancel ? ", canceled"
                        : ", stopped",
      ", checkpoint every ", scenario.checkpoint_interval_us / kMillisecond, " ms, timeout ",
      scenario.checkpoint_timeout_us / kMillisecond, " ms, concurrent ",
      scenario.concurrent_checkpoints, ", ", scenario.fault_count, " faults",
      scenario.long_outage ? ", a long outage" : "", ", breaks ", scenario.kafka_breaks,
      ", declines ", scenario.declines, ", slow ", scenario.slow_messages, ", writes fail ",
      scenario.write_fails, ", unknown ", scenario.write_unknown, ", ", scenario.savepoints,
      " savepoints, ", scenario.rescales, " rescales, ", scenario.kafka.brokers, " brokers");
}

SimulationResult run_simulation(uint64_t seed, const Scenario& scenario, Mutations mutations,
                                bool tracing) {
  EventQueue events(tracing);
  Random random(seed);
  Network network(events, random, scenario.slow_messages);
  KafkaModel kafka(events, random, scenario.kafka);
  Checker checker(events, kafka, scenario.splits);
  DurableStore durable(random, {scenario.write_fails, scenario.write_unknown,
                                !mutations.has(Mutation::kNoStoreFence)});
  SimulationResult result;
  int64_t last_pointer = 0;
  durable.on_record = [&](const pb::JobRecord& record) {
    result.attempts = record.attempt() + 1;
    for (const auto& source : record.initial_coordinators()) observe_start(checker, source.state());
    if (record.checkpoints().empty()) return;
    const auto& pointer = *record.checkpoints().rbegin();
    if (pointer.checkpoint_id() == last_pointer) return;
    last_pointer = pointer.checkpoint_id();
    ++result.checkpoints;
    checker.recovery_point(*durable.manifest(pointer.path()));
  };
  durable.on_ledger = [&](const pb::TransactionLedger& ledger) { checker.ledger_written(ledger); };
  World world{scenario, mutations, events, random, network, kafka, durable, checker};
  Cluster cluster(world);
  cluster.run();

  std::vector<int64_t> end_offsets;
  for (int split = 0; split < scenario.splits; ++split) {
    end_offsets.push_back(scenario.bounded ? world.input_total(split) : -1);
  }
  checker.at_end(cluster.end(), cluster.last_fault(), end_offsets, cluster.left_open());
  result.violation = checker.violation();
  result.end = cluster.end();
  result.events = events.steps();
  result.records = checker.committed_records();
  result.lost = checker.lost_reports();
  result.faults = cluster.faults();
  result.story = events.story();
  return result;
}

std::string tell_story(uint64_t seed, const Scenario& scenario, Mutations mutations,
                       size_t events_max) {
  const SimulationResult result = run_simulation(seed, scenario, mutations, true);
  std::string text;
  const size_t first = result.story.size() > events_max ? result.story.size() - events_max : 0;
  for (size_t i = first; i < result.story.size(); ++i)
    absl::StrAppend(&text, result.story[i], "\n");
  return text;
}

}  // namespace weir::simulation
