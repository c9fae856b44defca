#pragma once

#include <string>

#include "taskmanager/runtime/attempt_context.h"
#include "taskmanager/task/task_spec.h"

namespace weir {

namespace pb {
class DeployTask;
class JobGraph;
}  // namespace pb

// What the JobManager's messages say, in the words of those who run it. The job's configuration was
// checked when it was submitted.
AttemptInfo attempt_info_of(const std::string& job_id, int attempt, const pb::JobGraph& graph);
TaskSpec task_spec_of(const pb::DeployTask& request);

}  // namespace weir
