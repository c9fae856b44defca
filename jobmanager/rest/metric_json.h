#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "jobmanager/rest/cluster_view.h"
#include "jobmanager/rest/json.h"

namespace weir::rest {

// Flink's names; the values are text there too.
using Metrics = std::map<std::string, std::string>;

Metrics job_metrics(const pb::JobDetails& job, int64_t now_ms);
Metrics subtask_metrics(const pb::SubtaskDetails& subtask);
// "<subtask>.<name>" of all subtasks.
Metrics vertex_metrics(const pb::VertexDetails& vertex);
// GET /jobs/:id/vertices/:v/jm-operator-metrics: of the coordinators of its sources and sinks.
Metrics coordinator_metrics(const pb::VertexDetails& vertex);
Metrics jobmanager_metrics(const std::vector<pb::JobDetails>& jobs,
                           const std::vector<TaskManagerInfo>& taskmanagers);

// The names of all, or, if `get` (comma-separated) names some, these with their values.
Json metrics_body(const Metrics& metrics, const std::string& get);

// GET /jobs/:id/vertices/:v/subtasks/metrics: over all subtasks. `aggregations` are of min, max,
// avg, sum and skew, comma-separated; "" is all but skew.
absl::StatusOr<Json> aggregated_metrics_body(const pb::VertexDetails& vertex,
                                             const std::string& get,
                                             const std::string& aggregations);

}  // namespace weir::rest
