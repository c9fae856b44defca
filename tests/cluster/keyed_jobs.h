#pragma once

// Drills of the jobs with keyed state, examples/keyed_count and examples/window_sum, and what these
// must write: computed from their input, by nothing that Weir has.

#include <cstdint>
#include <string>

#include "tests/cluster/processed_drill.h"

namespace weir::cluster_test {

// `backend` is hashmap, or rocksdb with incremental checkpoints.
DrillOptions keyed_count_drill(const std::string& backend);

struct Windows {
  int size_ms = 1000;
  int slide_ms = 1000;
};

// Its input is out of order.
DrillOptions window_sum_drill(const std::string& backend, Windows windows);

// Writes records for windows that have ended for good, for each key one: waits until the output has
// the first windows of all keys. None of them may show in the output.
void write_late_records(ProcessedDrill& drill, KafkaFixture& kafka);

// Files of jobs' checkpoints but their ledgers.
Lines checkpoint_files(MiniCluster& cluster);

}  // namespace weir::cluster_test
