#pragma once

#include "taskmanager/runtime/attempt_context.h"

namespace weir {

namespace pb {
class JobGraph;
}  // namespace pb

// What the parts of an attempt are told about their job.
AttemptInfo attempt_info_of(const std::string& job_id, int attempt, const pb::JobGraph& graph);

}  // namespace weir
