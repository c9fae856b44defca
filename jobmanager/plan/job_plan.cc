#include "jobmanager/plan/job_plan.h"

#include <algorithm>
#include <map>
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

using Edges = std::vector<pb::JobGraph::Edge>;

pb::JobGraph::Partitioning carried_out(const pb::JobGraph& graph, const pb::JobGraph::Edge& edge,
                                       const pb::JobGraph::Node& reader) {
  const bool rescales = graph.nodes(edge.from()).parallelism() != reader.parallelism();
  return edge.partitioning() == pb::JobGraph::FORWARD && rescales ? pb::JobGraph::REBALANCE
                                                                  : edge.partitioning();
}

// The node whose chain this one joins; -1: it begins one.
int32_t chained_to(const pb::JobGraph& graph, const pb::JobGraph::Node& node) {
  const Edges edges = edges_into(node);
  if (edges.size() != 1) return -1;
  const bool forward = carried_out(graph, edges[0], node) == pb::JobGraph::FORWARD;
  return forward ? edges[0].from() : -1;
}

// "Source: lines -> (Map -> a, b)", as Flink has it.
std::string chain_name(const pb::JobGraph& graph, int32_t node) {
  std::vector<std::string> next;
  for (const pb::JobGraph::Node& other : graph.nodes()) {
    if (chained_to(graph, other) == node) next.push_back(chain_name(graph, other.id()));
  }
  const std::string own = label(graph.nodes(node));
  if (next.empty()) return own;
  if (next.size() == 1) return absl::StrCat(own, " -> ", next.front());
  return absl::StrCat(own, " -> (", absl::StrJoin(next, ", "), ")");
}

absl::Status check_edges(const pb::JobGraph& graph, const pb::JobGraph::Node& node) {
  const Edges edges = edges_into(node);
  if ((node.kind() == pb::JobGraph::SOURCE) != edges.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "'", node.name(), "' ", edges.empty() ? "reads nothing" : "is a source and reads"));
  }
  for (const pb::JobGraph::Edge& edge : edges) {
    if (edge.from() < 0 || edge.from() >= node.id()) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", node.name(), "' reads a node that doesn't come before it"));
    }
    const pb::JobGraph::Node& upstream = graph.nodes(edge.from());
    if (upstream.kind() == pb::JobGraph::SINK) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", node.name(), "' reads the sink '", upstream.name(), "'"));
    }
    if (!edge.type_without_codec().empty() && chained_to(graph, node) < 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("the stream of '", upstream.name(), "' (type ", edge.type_without_codec(),
                       ") can't cross between tasks to '", node.name(),
                       "': add WEIR_FIELDS(...) to the type, or keep one parallelism"));
    }
  }
  return absl::OkStatus();
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
    WEIR_RETURN_IF_ERROR(check_edges(graph, node));
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<pb::JobGraph::Edge> edges_into(const pb::JobGraph::Node& node) {
  Edges edges(node.edges().begin(), node.edges().end());
  if (!edges.empty()) return edges;
  for (const int32_t input : node.inputs()) edges.emplace_back().set_from(input);
  return edges;
}

absl::StatusOr<JobPlan> JobPlan::make(const pb::JobGraph& graph) {
  WEIR_RETURN_IF_ERROR(check(graph));
  JobPlan plan;
  std::vector<int32_t> vertex_of_node(graph.nodes_size());
  for (const pb::JobGraph::Node& node : graph.nodes()) {
    int32_t& vertex = vertex_of_node[node.id()];
    if (const int32_t upstream = chained_to(graph, node); upstream >= 0) {
      vertex = vertex_of_node[upstream];
    } else {
      vertex = static_cast<int32_t>(plan.vertices_.size());
      JobVertex& begun = plan.vertices_.emplace_back();
      begun.name = chain_name(graph, node.id());
      begun.parallelism = node.parallelism();
      begun.has_source = node.kind() == pb::JobGraph::SOURCE;
      for (const pb::JobGraph::Edge& edge : edges_into(node)) {
        plan.add_edge({edge.from(), edge.output(), node.id(), vertex_of_node[edge.from()], vertex,
                       carried_out(graph, edge, node)});
      }
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
  plan.find_regions();
  return plan;
}

void JobPlan::add_edge(const JobEdge& edge) {
  const auto number = static_cast<int32_t>(edges_.size());
  vertices_[edge.from_vertex].outputs.push_back(number);
  vertices_[edge.to_vertex].inputs.push_back(number);
  edges_.push_back(edge);
}

void JobPlan::find_regions() {
  const std::vector<TaskIndex> all = tasks();
  std::vector<size_t> first_of_vertex;  // in `all`
  size_t next = 0;
  for (const JobVertex& vertex : vertices_) {
    first_of_vertex.push_back(next);
    next += static_cast<size_t>(vertex.parallelism);
  }
  // Disjoint sets: of each task one that it is connected with, or itself.
  std::vector<size_t> parent(all.size());
  std::iota(parent.begin(), parent.end(), size_t{0});
  const auto root = [&](size_t task) {
    while (parent[task] != task) task = parent[task] = parent[parent[task]];
    return task;
  };
  const auto connect = [&](size_t one, size_t other) {
    const auto [low, high] = std::minmax({root(one), root(other)});
    parent[high] = low;
  };
  for (const JobEdge& edge : edges_) {
    const size_t from = first_of_vertex[edge.from_vertex];
    const size_t to = first_of_vertex[edge.to_vertex];
    const bool forward = edge.partitioning == pb::JobGraph::FORWARD;
    for (int32_t i = 0; i < vertices_[edge.from_vertex].parallelism; ++i) {
      connect(from + i, forward ? to + i : to);
    }
    if (forward) continue;
    for (int32_t i = 0; i < vertices_[edge.to_vertex].parallelism; ++i) connect(from, to + i);
  }
  std::map<size_t, std::vector<TaskIndex>> by_root;
  for (size_t task = 0; task < all.size(); ++task) by_root[root(task)].push_back(all[task]);
  for (auto& [first, members] : by_root) regions_.push_back(std::move(members));
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

std::vector<TaskIndex> JobPlan::source_tasks() const {
  std::vector<TaskIndex> tasks = this->tasks();
  std::erase_if(tasks, [&](TaskIndex task) { return !vertices_[task.vertex].has_source; });
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
