#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "jobmanager/rest/json.h"
#include "proto/client.pb.h"

namespace weir::rest {

inline constexpr std::array<const char*, 10> kExecutionStates = {
    "SCHEDULED", "INITIALIZING", "FINISHED", "DEPLOYING", "CANCELING",
    "CREATED",   "RECONCILING",  "RUNNING",  "FAILED",    "CANCELED"};

// The one state that stands for all subtasks of a vertex.
std::string vertex_state(const pb::VertexDetails& vertex);
int32_t tasks_in_state(const pb::VertexDetails& vertex, const std::string& state);

// A vertex within GET /jobs/:id.
Json vertex_summary(const pb::JobDetails& job, const pb::VertexDetails& vertex, int64_t now_ms);
// GET /jobs/:id/vertices/:v
Json vertex_body(const pb::JobDetails& job, const pb::VertexDetails& vertex, int64_t now_ms);
// GET /jobs/:id/vertices/:v/backpressure
Json backpressure_body(const pb::VertexDetails& vertex, int64_t now_ms);
// GET /jobs/:id/vertices/:v/taskmanagers
Json vertex_taskmanagers_body(const pb::JobDetails& job, const pb::VertexDetails& vertex,
                              int64_t now_ms);
// GET /jobs/:id/vertices/:v/subtasks/:n
Json subtask_body(const pb::JobDetails& job, const pb::SubtaskDetails& subtask, int64_t now_ms);

// -1 as long as the job hasn't ended.
int64_t end_time_ms(const pb::JobStatus& job);
// From `start_time_ms` to now or the job's end; 0 for what hasn't started.
int64_t duration_ms(const pb::JobStatus& job, int64_t start_time_ms, int64_t now_ms);
// "host:port" of a TaskManager's id; Flink's "(unassigned)" for none.
std::string endpoint_of(const std::string& taskmanager_id);

}  // namespace weir::rest
