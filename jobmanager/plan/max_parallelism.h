// How many key groups a job has. Fixed by its first run, because keyed state is kept by key group.
#pragma once

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/checkpoint.pb.h"
#include "proto/job_graph.pb.h"

namespace weir {

// Flink's choice for a job that doesn't say: 128, or one and a half times the largest parallelism
// rounded up to a power of two if that is more, at most 32768.
int32_t default_max_parallelism(const pb::JobGraph& graph);

// Refuses a node with a larger parallelism, naming it.
absl::Status check_parallelism(const pb::JobGraph& graph, int32_t max_parallelism,
                               std::string_view remedy);

// Of a job that begins. `wanted`: by its configuration, 0 if that doesn't say. `restored`: what it
// begins from, or nullptr; keyed state in it keeps its key groups. Refuses, naming the remedy, a
// parallelism that is too large, and another number than the restored state has.
absl::StatusOr<int32_t> fix_max_parallelism(const pb::JobGraph& graph, int32_t wanted,
                                            const pb::CheckpointManifest* restored);

}  // namespace weir
