#pragma once

#include <cstdint>

#include "tests/simulation/checker.h"
#include "tests/simulation/durable_store.h"
#include "tests/simulation/event_queue.h"
#include "tests/simulation/kafka_model.h"
#include "tests/simulation/mutation.h"
#include "tests/simulation/network.h"
#include "tests/simulation/random.h"

namespace weir::simulation {

// What one run is like; drawn from its seed by draw_scenario().
struct Scenario {
  int taskmanagers = 2;
  int slots = 2;  // of each TaskManager
  int parallelism = 2;
  int parallelism_max = 3;  // a restarted JobManager may find another one
  int splits = 3;
  bool shuffled = false;  // sink halves of tasks read from all source halves, through channels
  bool bounded = true;    // else it is cancelled, or stopped with a savepoint
  bool cancel = false;
  bool start_at_latest = false;
  int64_t records_per_split = 60;
  int64_t input_duration_us = 2 * kSecond;
  int64_t checkpoint_interval_us = 100 * kMillisecond;
  int64_t checkpoint_timeout_us = 400 * kMillisecond;
  int64_t min_pause_us = 0;
  int concurrent_checkpoints = 1;
  int tolerable_failures = 1000;
  int64_t transaction_timeout_us = 60 * kSecond;
  int64_t faults_until_us = 2 * kSecond;
  int64_t command_us = 2 * kSecond;  // of the user, unless bounded
  int fault_count = 4;
  bool kills_only = false;
  double cut_at_start = 0;   // of a TaskManager, when its tasks start: its first handles come late
  bool two_leaders = false;  // every fault is a JobManager that doesn't know it was replaced
  bool long_outage = false;  // longer than the transactions' timeout
  bool ids_expire = false;
  double kafka_breaks = 0;    // probability that a request's connection breaks
  double delivery_fails = 0;  // of a batch
  double declines = 0;        // of a barrier
  double stuck_cancels = 0;   // of a TaskManager's tasks, which run on for a while
  double slow_messages = 0.02;
  double write_fails = 0;
  double write_unknown = 0;
  int64_t write_step_max_us = 3 * kMillisecond;  // of each step of a publication
  int savepoints = 0;
  int rescales = 0;
  KafkaModel::Options kafka;
};

// Everything that a run is made of; handed to all of its parts, outlives them.
struct World {
  const Scenario& scenario;
  const Mutations mutations;
  EventQueue& events;
  Random& random;
  Network& network;
  KafkaModel& kafka;
  DurableStore& durable;
  Checker& checker;

  bool broken(Mutation mutation) const { return mutations.has(mutation); }

  // Whether what happens with this probability while there are faults happens now.
  bool strikes(double probability) const {
    return events.now_us() < scenario.faults_until_us && random.chance(probability);
  }

  // The input grows evenly until it has its full size.
  int64_t input_end(int split) const {
    const int64_t total = scenario.records_per_split + split;
    const int64_t grown = total * events.now_us() / scenario.input_duration_us;
    return grown < total ? grown : total;
  }
  int64_t input_total(int split) const { return scenario.records_per_split + split; }
};

}  // namespace weir::simulation
