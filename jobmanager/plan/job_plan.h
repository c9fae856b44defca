// The job graph cut into chains, and how records cross between them: what the scheduler deploys.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/job_graph.pb.h"

namespace weir {

// Names a task within an attempt: a chain and one of its subtasks.
struct TaskIndex {
  int32_t vertex = 0;
  int32_t subtask = 0;
  friend auto operator<=>(const TaskIndex&, const TaskIndex&) = default;
};

// A chain of fused operators, run once per subtask.
struct JobVertex {
  std::string id;    // 32 hex digits, stable as long as the uids in the chain are
  std::string name;  // "Source: lines -> Map -> Sink"
  int32_t parallelism = 1;
  std::vector<int32_t> chain;      // node ids, upstream first
  bool has_source = false;         // else it reads input edges
  std::vector<int32_t> inputs{};   // numbers of edges
  std::vector<int32_t> outputs{};  // numbers of edges
};

// An edge of the graph on which records cross between tasks. Its number is its place in
// JobPlan::edges(), the same on both sides.
struct JobEdge {
  int32_t from_node = 0;
  int32_t from_output = 0;
  int32_t to_node = 0;
  int32_t from_vertex = 0;
  int32_t to_vertex = 0;
  pb::JobGraph::Partitioning partitioning = pb::JobGraph::FORWARD;  // as it is carried out
};

// A source or sink that has a coordinator.
struct PlannedCoordinator {
  std::string uid;
  std::string name;
  bool source = false;  // else a sink
  int32_t vertex = 0;
};

class JobPlan {
 public:
  // A node joins the chain of the one that it reads, if it reads nothing else and the edge is a
  // forward edge between equal parallelisms. Refuses what can't run, naming the node.
  static absl::StatusOr<JobPlan> make(const pb::JobGraph& graph);

  const std::vector<JobVertex>& vertices() const { return vertices_; }
  const std::vector<JobEdge>& edges() const { return edges_; }
  // Tasks that records connect, however many edges lie between: what fails and restarts together.
  // Each in the order of tasks(), as are the regions by their first ones.
  const std::vector<std::vector<TaskIndex>>& regions() const { return regions_; }
  const std::vector<PlannedCoordinator>& coordinators() const { return coordinators_; }
  // With slot sharing, one slot runs one subtask of every chain.
  int32_t slots_needed() const;
  std::vector<TaskIndex> tasks() const;
  // Those that read a source: where barriers begin, and whose end is the end of the input.
  std::vector<TaskIndex> source_tasks() const;
  std::string task_name(TaskIndex task) const;  // "Source: lines -> Sink (1/2)"
  // The chain that holds the node with this uid; -1 if none.
  int32_t vertex_of(const std::string& uid) const;

 private:
  void add_edge(const JobEdge& edge);
  void find_regions();

  std::vector<JobVertex> vertices_;
  std::vector<JobEdge> edges_;
  std::vector<std::vector<TaskIndex>> regions_;
  std::vector<PlannedCoordinator> coordinators_;
  std::vector<std::pair<std::string, int32_t>> vertex_by_uid_;
};

// What a node reads; also of a graph that was written before there were edges.
std::vector<pb::JobGraph::Edge> edges_into(const pb::JobGraph::Node& node);

}  // namespace weir
