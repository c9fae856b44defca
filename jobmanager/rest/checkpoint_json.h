#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "jobmanager/rest/json.h"
#include "proto/client.pb.h"

namespace weir::rest {

// Flink writes file:/folder where Weir has file:///folder; both read both.
std::string flink_url(const std::string& url);

// GET /jobs/:id/checkpoints
Json checkpoints_body(const pb::JobDetails& job);
// GET /jobs/:id/checkpoints/config
Json checkpoint_config_body(const pb::JobDetails& job);
// GET /jobs/:id/checkpoints/details/:n; NotFound when the history doesn't reach back to it.
absl::StatusOr<Json> checkpoint_details_body(const pb::JobDetails& job, int64_t checkpoint_id);

}  // namespace weir::rest
