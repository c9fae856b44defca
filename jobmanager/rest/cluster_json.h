#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "jobmanager/rest/cluster_view.h"
#include "jobmanager/rest/json.h"

namespace weir::rest {

// GET /overview
Json overview_body(const std::vector<pb::JobDetails>& jobs,
                   const std::vector<TaskManagerInfo>& taskmanagers);
// GET /config: what a dashboard asks first.
Json config_body();
// GET /jobmanager/config
Json jobmanager_config_body(const std::map<std::string, std::string>& configuration);
// GET /taskmanagers
Json taskmanagers_body(const std::vector<TaskManagerInfo>& taskmanagers);
// GET /taskmanagers/:id; `jobs` tells whose subtasks hold its slots.
Json taskmanager_body(const TaskManagerInfo& taskmanager, const std::vector<pb::JobDetails>& jobs);

}  // namespace weir::rest
