#include "jobmanager/plan/job_plan.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/status.h"

namespace weir {

namespace {

// FNV-1a over 128 bits in two lanes: an id that only depends on the uids.
std::string stable_id(const std::vector<std::string>& uids) {
  uint64_t high = 0xcbf29ce484222325;
  uint64_t low = 0x84222325cbf29ce4;
  const auto add = [&](unsigned char byte) {
    high = (high ^ byte) * 0x100000001b3;
    low = (low ^ (byte + 0x5bu)) * 0x100000001b3;
  };
  for (const std::string& uid : uids) {
    for (unsigned char byte : uid) add(byte);
    add('\0');
  }
  return absl::StrFormat("%016x%016x", high, low);
}

std::string label(const pb::JobGraph::Node& node) {
  return node.kind() == pb::JobGraph::SOURCE ? absl::StrCat("Source: ", node.name()) : node.name();
}

// "Source: lines -> (Map -> a, b)", as Flink has it.
std::string chain_name(const pb::JobGraph& graph, int32_t node) {
  std::vector<std::string> next;
  for (const pb::JobGraph::Node& other : graph.nodes()) {
    if (std::count(other.inputs().begin(), other.inputs().end(), node) > 0) {
      next.push_back(chain_name(graph, other.id()));
    }
  }
  const std::string own = label(graph.nodes(node));
  if (next.empty()) return own;
  if (next.size() == 1) return absl::StrCat(own, " -> ", next.front());
  return absl::StrCat(own, " -> (", absl::StrJoin(next, ", "), ")");
}

absl::Status check(const pb::JobGraph& graph) {
  if (graph.nodes().empty()) return absl::InvalidArgumentError("the job has no operators");
  for (int32_t id = 0; id < graph.nodes_size(); ++id) {
    const pb::JobGraph::Node& node = graph.nodes(id);
    if (node.id() != id) return absl::InvalidArgumentError("the job graph's ids aren't its order");
    if (node.parallelism() < 1) {
      return absl::InvalidArgumentError(absl::StrCat("'", node.name(), "' has parallelism ",
                                                     node.parallelism(), ": it must be positive"));
    }
    if (node.inputs_size() > 1) {
      return absl::UnimplementedError(absl::StrCat(
          "'", node.name(), "' reads several streams: joining streams isn't possible yet"));
    }
    if ((node.kind() == pb::JobGraph::SOURCE) != node.inputs().empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", node.name(), "' ",
                       node.inputs().empty() ? "reads nothing" : "is a source and reads"));
    }
    for (int32_t input : node.inputs()) {
      if (input < 0 || input >= id) {
        return absl::InvalidArgumentError(
            absl::StrCat("'", node.name(), "' reads a node that doesn't come before it"));
      }
      const pb::JobGraph::Node& upstream = graph.nodes(input);
      if (upstream.parallelism() != node.parallelism()) {
        return absl::UnimplementedError(
            absl::StrCat("'", upstream.name(), "' has parallelism ", upstream.parallelism(),
                         " and '", node.name(), "', which reads it, ", node.parallelism(),
                         ": records can't change tasks yet, give both the same parallelism"));
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<JobPlan> JobPlan::make(const pb::JobGraph& graph) {
  WEIR_RETURN_IF_ERROR(check(graph));
  JobPlan plan;
  // Every node has at most one input, so a chain is what descends from one source.
  std::vector<int32_t> vertex_of_node(graph.nodes_size());
  for (const pb::JobGraph::Node& node : graph.nodes()) {
    int32_t& vertex = vertex_of_node[node.id()];
    if (node.inputs().empty()) {
      vertex = static_cast<int32_t>(plan.vertices_.size());
      plan.vertices_.push_back({"", chain_name(graph, node.id()), node.parallelism(), {}});
    } else {
      vertex = vertex_of_node[node.inputs(0)];
    }
    plan.vertices_[vertex].chain.push_back(node.id());
    plan.vertex_by_uid_.emplace_back(node.uid(), vertex);
    if (node.has_coordinator()) {
      plan.coordinators_.push_back(
          {node.uid(), node.name(), node.kind() == pb::JobGraph::SOURCE, vertex});
    }
  }
  for (JobVertex& vertex : plan.vertices_) {
    std::vector<std::string> uids;
    for (int32_t node : vertex.chain) uids.push_back(graph.nodes(node).uid());
    vertex.id = stable_id(uids);
  }
  return plan;
}

int32_t JobPlan::slots_needed() const {
  int32_t needed = 0;
  for (const JobVertex& vertex : vertices_) needed = std::max(needed, vertex.parallelism);
  return needed;
}

std::vector<TaskIndex> JobPlan::tasks() const {
  std::vector<TaskIndex> tasks;
  for (int32_t vertex = 0; vertex < static_cast<int32_t>(vertices_.size()); ++vertex) {
    for (int32_t subtask = 0; subtask < vertices_[vertex].parallelism; ++subtask) {
      tasks.push_back({vertex, subtask});
    }
  }
  return tasks;
}

std::string JobPlan::task_name(TaskIndex task) const {
  if (task.vertex < 0 || task.vertex >= static_cast<int32_t>(vertices_.size())) return "unknown";
  const JobVertex& vertex = vertices_[task.vertex];
  return absl::StrCat(vertex.name, " (", task.subtask + 1, "/", vertex.parallelism, ")");
}

int32_t JobPlan::vertex_of(const std::string& uid) const {
  for (const auto& [other, vertex] : vertex_by_uid_) {
    if (other == uid) return vertex;
  }
  return -1;
}

}  // namespace weir
