// What becomes of a job's graph at another parallelism. Pure.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "jobmanager/plan/job_plan.h"
#include "proto/client.pb.h"
#include "proto/job_graph.pb.h"

namespace weir {

// `plan` is that of `graph`. A parallelism for the whole job leaves operators alone whose own code
// sets one, and takes a source to what it can have at most; one for a vertex holds for all of its
// chain. Refuses what can't run, naming the remedy: among others more than `max_parallelism`, the
// job's key groups. The same graph, if the job is as wanted already.
absl::StatusOr<pb::JobGraph> rescale_graph(const pb::JobGraph& graph, const JobPlan& plan,
                                           const pb::RescaleJobRequest& wanted,
                                           int32_t max_parallelism);

bool same_parallelism(const pb::JobGraph& one, const pb::JobGraph& other);

}  // namespace weir
