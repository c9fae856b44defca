#include "jobmanager/rest/rest_api.h"

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "jobmanager/rest/await.h"
#include "jobmanager/rest/checkpoint_json.h"
#include "jobmanager/rest/cluster_json.h"
#include "jobmanager/rest/job_json.h"
#include "jobmanager/rest/metric_json.h"
#include "jobmanager/rest/vertex_json.h"

namespace weir::rest {

namespace {

constexpr size_t kOperationsKept = 256;

absl::StatusOr<const pb::VertexDetails*> find_vertex(const pb::JobDetails& job,
                                                     const Parameters& parameters) {
  const std::string& id = parameters.at("vertex");
  for (const pb::VertexDetails& vertex : job.vertices()) {
    if (vertex.id() == id) return &vertex;
  }
  return absl::NotFoundError(absl::StrCat("No vertex with ID '", id, "' exists."));
}

absl::StatusOr<const pb::SubtaskDetails*> find_subtask(const pb::VertexDetails& vertex,
                                                       const Parameters& parameters) {
  const std::string& index = parameters.at("subtask");
  for (const pb::SubtaskDetails& subtask : vertex.subtasks()) {
    if (absl::StrCat(subtask.subtask()) == index) return &subtask;
  }
  return absl::NotFoundError(
      absl::StrCat("Invalid subtask index for vertex ", vertex.id(), ": ", index));
}

std::string query_of(const Request& request, const std::string& name) {
  const auto found = request.query.find(name);
  return found == request.query.end() ? "" : found->second;
}

}  // namespace

RestApi::RestApi(ClusterView& cluster, std::map<std::string, std::string> configuration,
                 const Clock& clock)
    : cluster_(cluster),
      configuration_(std::move(configuration)),
      clock_(clock),
      operations_(std::make_shared<Operations>(kOperationsKept)) {
  add_cluster_routes();
  add_job_routes();
  add_vertex_routes();
  add_action_routes();
}

absl::StatusOr<pb::JobDetails> RestApi::job(const Parameters& parameters) const {
  const std::string& id = parameters.at("job");
  auto details =
      await<pb::JobDetails>([&](auto reply) { cluster_.describe(id, std::move(reply)); });
  if (absl::IsNotFound(details.status())) {
    return absl::NotFoundError(absl::StrCat("Job ", id, " not found"));
  }
  return details;
}

absl::StatusOr<std::vector<pb::JobDetails>> RestApi::jobs() const {
  return await<std::vector<pb::JobDetails>>(
      [&](auto reply) { cluster_.describe_all(std::move(reply)); });
}

absl::StatusOr<std::vector<TaskManagerInfo>> RestApi::taskmanagers() const {
  return await<std::vector<TaskManagerInfo>>(
      [&](auto reply) { cluster_.list_taskmanagers(std::move(reply)); });
}

absl::StatusOr<TaskManagerInfo> RestApi::taskmanager(const Parameters& parameters) const {
  const std::string& id = parameters.at("taskmanager");
  WEIR_ASSIGN_OR_RETURN(const std::vector<TaskManagerInfo> all, taskmanagers());
  const auto found = std::find_if(all.begin(), all.end(),
                                  [&](const TaskManagerInfo& one) { return one.id == id; });
  if (found == all.end()) {
    return absl::NotFoundError(
        absl::StrCat("Could not find a TaskManager with id ", id, ": /taskmanagers lists all"));
  }
  return *found;
}

void RestApi::add_cluster_routes() {
  router_.add("GET", "/overview", [this](const auto&, const auto&) -> absl::StatusOr<Json> {
    WEIR_ASSIGN_OR_RETURN(const auto all_jobs, jobs());
    WEIR_ASSIGN_OR_RETURN(const auto all_taskmanagers, taskmanagers());
    return overview_body(all_jobs, all_taskmanagers);
  });
  router_.add("GET", "/config", [](const auto&, const auto&) { return config_body(); });
  router_.add("GET", "/jobmanager/config",
              [this](const auto&, const auto&) { return jobmanager_config_body(configuration_); });
  router_.add("GET", "/jobmanager/metrics",
              [this](const Request& request, const auto&) -> absl::StatusOr<Json> {
                WEIR_ASSIGN_OR_RETURN(const auto all_jobs, jobs());
                WEIR_ASSIGN_OR_RETURN(const auto all_taskmanagers, taskmanagers());
                return metrics_body(jobmanager_metrics(all_jobs, all_taskmanagers),
                                    query_of(request, "get"));
              });
  router_.add("GET", "/taskmanagers", [this](const auto&, const auto&) -> absl::StatusOr<Json> {
    WEIR_ASSIGN_OR_RETURN(const auto all, taskmanagers());
    return taskmanagers_body(all);
  });
  router_.add("GET", "/taskmanagers/:taskmanager",
              [this](const auto&, const Parameters& parameters) -> absl::StatusOr<Json> {
                WEIR_ASSIGN_OR_RETURN(const auto one, taskmanager(parameters));
                WEIR_ASSIGN_OR_RETURN(const auto all_jobs, jobs());
                return taskmanager_body(one, all_jobs);
              });
  // A TaskManager's own figures stand at its Prometheus endpoint.
  router_.add("GET", "/taskmanagers/:taskmanager/metrics",
              [this](const auto&, const Parameters& parameters) -> absl::StatusOr<Json> {
                WEIR_RETURN_IF_ERROR(taskmanager(parameters).status());
                return Json::array();
              });
}

void RestApi::add_job_routes() {
  router_.add("GET", "/jobs", [this](const auto&, const auto&) -> absl::StatusOr<Json> {
    WEIR_ASSIGN_OR_RETURN(const auto all, jobs());
    return jobs_body(all);
  });
  router_.add("GET", "/jobs/overview", [this](const auto&, const auto&) -> absl::StatusOr<Json> {
    WEIR_ASSIGN_OR_RETURN(const auto all, jobs());
    return jobs_overview_body(all, now_ms());
  });
  using Show =
      std::function<absl::StatusOr<Json>(const pb::JobDetails&, const Request&, const Parameters&)>;
  const auto add = [this](const std::string& path, Show show) {
    router_.add("GET", "/jobs/:job" + path,
                [this, show = std::move(show)](
                    const Request& request, const Parameters& parameters) -> absl::StatusOr<Json> {
                  WEIR_ASSIGN_OR_RETURN(const pb::JobDetails details, job(parameters));
                  return show(details, request, parameters);
                });
  };
  const auto add_plain = [&](const std::string& path, Json (*show)(const pb::JobDetails&)) {
    add(path,
        [show](const pb::JobDetails& details, const auto&, const auto&) { return show(details); });
  };
  add("", [this](const pb::JobDetails& details, const auto&, const auto&) {
    return job_body(details, now_ms());
  });
  add_plain("/status", job_status_body);
  add_plain("/plan", job_plan_body);
  add_plain("/resource-requirements", resource_requirements_body);
  add_plain("/config", job_config_body);
  add_plain("/jobmanager/config", job_configuration_body);
  add_plain("/exceptions", job_exceptions_body);
  add_plain("/checkpoints", checkpoints_body);
  add_plain("/checkpoints/config", checkpoint_config_body);
  add("/checkpoints/details/:checkpoint",
      [](const pb::JobDetails& details, const auto&,
         const Parameters& parameters) -> absl::StatusOr<Json> {
        int64_t checkpoint = 0;
        if (!absl::SimpleAtoi(parameters.at("checkpoint"), &checkpoint)) {
          return absl::InvalidArgumentError(
              absl::StrCat("Cannot resolve path parameter (checkpointid) from value \"",
                           parameters.at("checkpoint"), "\"."));
        }
        return checkpoint_details_body(details, checkpoint);
      });
  add("/metrics", [this](const pb::JobDetails& details, const Request& request, const auto&) {
    return metrics_body(job_metrics(details, now_ms()), query_of(request, "get"));
  });
  router_.add("GET", "/jobs/:job/transactions",
              [this](const auto&, const Parameters& parameters) -> absl::StatusOr<Json> {
                WEIR_ASSIGN_OR_RETURN(
                    const auto answer, await<pb::ListTransactionsResponse>([&](auto reply) {
                      cluster_.transactions(parameters.at("job"), std::move(reply));
                    }));
                return job_transactions_body(answer.ledger());
              });
}

void RestApi::add_vertex_routes() {
  using Show = std::function<absl::StatusOr<Json>(const pb::JobDetails&, const pb::VertexDetails&,
                                                  const Request&, const Parameters&)>;
  const auto add = [this](const std::string& path, Show show) {
    router_.add("GET", "/jobs/:job/vertices/:vertex" + path,
                [this, show = std::move(show)](
                    const Request& request, const Parameters& parameters) -> absl::StatusOr<Json> {
                  WEIR_ASSIGN_OR_RETURN(const pb::JobDetails details, job(parameters));
                  WEIR_ASSIGN_OR_RETURN(const pb::VertexDetails* vertex,
                                        find_vertex(details, parameters));
                  return show(details, *vertex, request, parameters);
                });
  };
  add("", [this](const auto& details, const auto& vertex, const auto&, const auto&) {
    return vertex_body(details, vertex, now_ms());
  });
  add("/taskmanagers", [this](const auto& details, const auto& vertex, const auto&, const auto&) {
    return vertex_taskmanagers_body(details, vertex, now_ms());
  });
  add("/backpressure", [this](const auto&, const auto& vertex, const auto&, const auto&) {
    return backpressure_body(vertex, now_ms());
  });
  add("/metrics", [](const auto&, const auto& vertex, const Request& request, const auto&) {
    return metrics_body(vertex_metrics(vertex), query_of(request, "get"));
  });
  add("/jm-operator-metrics",
      [](const auto&, const auto& vertex, const Request& request, const auto&) {
        return metrics_body(coordinator_metrics(vertex), query_of(request, "get"));
      });
  add("/subtasks/metrics",
      [](const auto&, const auto& vertex, const Request& request, const auto&) {
        return aggregated_metrics_body(vertex, query_of(request, "get"), query_of(request, "agg"));
      });
  add("/subtasks/:subtask",
      [this](const auto& details, const auto& vertex, const auto&,
             const Parameters& parameters) -> absl::StatusOr<Json> {
        WEIR_ASSIGN_OR_RETURN(const auto* subtask, find_subtask(vertex, parameters));
        return subtask_body(details, *subtask, now_ms());
      });
  add("/subtasks/:subtask/metrics",
      [](const auto&, const auto& vertex, const Request& request,
         const Parameters& parameters) -> absl::StatusOr<Json> {
        WEIR_ASSIGN_OR_RETURN(const auto* subtask, find_subtask(vertex, parameters));
        return metrics_body(subtask_metrics(*subtask), query_of(request, "get"));
      });
}

}  // namespace weir::rest
