#pragma once

#include <cstdint>
#include <vector>

#include "jobmanager/rest/json.h"
#include "proto/client.pb.h"

namespace weir::rest {

// The bodies of answers about jobs, named after their paths.
Json jobs_body(const std::vector<pb::JobDetails>& jobs);
Json jobs_overview_body(const std::vector<pb::JobDetails>& jobs, int64_t now_ms);
Json job_body(const pb::JobDetails& job, int64_t now_ms);
Json job_status_body(const pb::JobDetails& job);
Json job_plan_body(const pb::JobDetails& job);
// What every vertex runs at, as the bounds that Flink's adaptive scheduler has.
Json resource_requirements_body(const pb::JobDetails& job);
Json job_config_body(const pb::JobDetails& job);
// The effective configuration: GET /jobs/:id/jobmanager/config
Json job_configuration_body(const pb::JobDetails& job);
// The last fault, then the first.
Json job_exceptions_body(const pb::JobDetails& job);
// The ledger, Weir's own.
Json job_transactions_body(const pb::TransactionLedger& ledger);

bool has_ended(const pb::JobStatus& status);

}  // namespace weir::rest
