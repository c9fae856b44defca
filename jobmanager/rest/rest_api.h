#pragma once

#include <map>
#include <memory>
#include <string>

#include "common/clock.h"
#include "jobmanager/rest/cluster_view.h"
#include "jobmanager/rest/operations.h"
#include "jobmanager/rest/router.h"

namespace weir::rest {

// Answers every request from the cluster's view; knows nothing of HTTP's transport. Thread-safe.
// The view and the clock outlive it.
class RestApi {
 public:
  // `configuration`: the JobManager's, as it may be shown.
  RestApi(ClusterView& cluster, std::map<std::string, std::string> configuration,
          const Clock& clock);
  RestApi(const RestApi&) = delete;
  RestApi& operator=(const RestApi&) = delete;

  Response handle(const Request& request) const { return router_.handle(request); }

 private:
  void add_cluster_routes();
  void add_job_routes();
  void add_vertex_routes();
  void add_action_routes();  // rest_actions.cc

  absl::StatusOr<pb::JobDetails> job(const Parameters& parameters) const;
  absl::StatusOr<std::vector<pb::JobDetails>> jobs() const;
  absl::StatusOr<std::vector<TaskManagerInfo>> taskmanagers() const;
  absl::StatusOr<TaskManagerInfo> taskmanager(const Parameters& parameters) const;
  int64_t now_ms() const { return to_unix_ms(clock_.wall_now()); }

  absl::StatusOr<Json> cancel(const Request& request, const Parameters& parameters);
  absl::StatusOr<Json> stop(const Request& request, const Parameters& parameters);
  absl::StatusOr<Json> savepoint(const Request& request, const Parameters& parameters);
  absl::StatusOr<Json> checkpoint(const Request& request, const Parameters& parameters);
  absl::StatusOr<Json> rescale(const Request& request, const Parameters& parameters);
  // Completes the operation.
  Reply<pb::SavepointResponse> savepoint_reply(const std::string& job_id,
                                               const std::string& trigger_id);

  ClusterView& cluster_;
  const std::map<std::string, std::string> configuration_;
  const Clock& clock_;
  const std::shared_ptr<Operations> operations_;
  Router router_;
};

}  // namespace weir::rest
