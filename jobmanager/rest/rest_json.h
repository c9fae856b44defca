// The bodies of Flink's REST answers. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "jobmanager/job/dispatcher.h"
#include "proto/client.pb.h"

namespace weir::rest {

using Json = nlohmann::ordered_json;

Json errors(const std::string& message);
Json overview(const std::vector<pb::JobDetails>& jobs, const std::vector<TaskManagerInfo>& tms);
Json config();
Json jobs(const std::vector<pb::JobDetails>& jobs);
Json jobs_overview(const std::vector<pb::JobDetails>& jobs, int64_t now_ms);
Json job(const pb::JobDetails& details, int64_t now_ms);
Json job_plan(const pb::JobDetails& details);
Json job_config(const pb::JobDetails& details);
Json job_exceptions(const pb::JobDetails& details);
Json checkpoints(const pb::JobDetails& details);
Json checkpoint_config(const pb::JobDetails& details);
Json taskmanagers(const std::vector<TaskManagerInfo>& tms);

}  // namespace weir::rest
