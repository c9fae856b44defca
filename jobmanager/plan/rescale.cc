#include "jobmanager/plan/rescale.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "jobmanager/plan/max_parallelism.h"

namespace weir {

namespace {

absl::Status rescale_job(int32_t parallelism, pb::JobGraph& graph) {
  bool any = false;
  for (pb::JobGraph::Node& node : *graph.mutable_nodes()) {
    if (node.own_parallelism()) continue;
    const int32_t max = node.parallelism_max();
    node.set_parallelism(max > 0 ? std::min(parallelism, max) : parallelism);
    any = true;
  }
  if (any) return absl::OkStatus();
  return absl::FailedPreconditionError(
      "the code of every operator sets its own parallelism: rescale single vertices by PUT "
      "/jobs/:id/resource-requirements");
}

absl::Status rescale_vertex(const std::string& id, int32_t parallelism, const JobPlan& plan,
                            pb::JobGraph& graph) {
  const auto vertex = std::find_if(plan.vertices().begin(), plan.vertices().end(),
                                   [&](const JobVertex& each) { return each.id == id; });
  if (vertex == plan.vertices().end()) {
    return absl::NotFoundError(absl::StrCat("No vertex with ID '", id, "' exists."));
  }
  for (const int32_t id_in_chain : vertex->chain) {
    pb::JobGraph::Node& node = *graph.mutable_nodes(id_in_chain);
    if (node.parallelism_max() > 0 && parallelism > node.parallelism_max()) {
      return absl::InvalidArgumentError(absl::StrCat("'", node.name(), "' can have parallelism ",
                                                     node.parallelism_max(), " at most"));
    }
    node.set_parallelism(parallelism);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<pb::JobGraph> rescale_graph(const pb::JobGraph& graph, const JobPlan& plan,
                                           const pb::RescaleJobRequest& wanted,
                                           int32_t max_parallelism) {
  if (wanted.parallelism() < 0 || (wanted.parallelism() == 0 && wanted.vertices().empty())) {
    return absl::InvalidArgumentError(
        absl::StrCat("parallelism ", wanted.parallelism(), ": it must be positive"));
  }
  pb::JobGraph rescaled = graph;
  if (wanted.parallelism() > 0) {
    WEIR_RETURN_IF_ERROR(rescale_job(wanted.parallelism(), rescaled));
  }
  for (const auto& [id, parallelism] : wanted.vertices()) {
    WEIR_RETURN_IF_ERROR(rescale_vertex(id, parallelism, plan, rescaled));
  }
  WEIR_RETURN_IF_ERROR(
      check_parallelism(rescaled, max_parallelism, "that is fixed by the job's first run"));
  WEIR_RETURN_IF_ERROR(JobPlan::make(rescaled).status());
  return rescaled;
}

bool same_parallelism(const pb::JobGraph& one, const pb::JobGraph& other) {
  return std::equal(
      one.nodes().begin(), one.nodes().end(), other.nodes().begin(), other.nodes().end(),
      [](const auto& a, const auto& b) { return a.parallelism() == b.parallelism(); });
}

}  // namespace weir
