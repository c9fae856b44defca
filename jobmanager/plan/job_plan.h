// The job graph cut into chains: what the scheduler deploys.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
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
  std::vector<int32_t> chain;  // node ids, upstream first
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
  // Nodes joined by edges of equal parallelism share a chain. Refuses what can't run yet: connected
  // nodes of different parallelism, a node with several inputs.
  static absl::StatusOr<JobPlan> make(const pb::JobGraph& graph);

  const std::vector<JobVertex>& vertices() const { return vertices_; }
  const std::vector<PlannedCoordinator>& coordinators() const { return coordinators_; }
  // With slot sharing, one slot runs one subtask of every chain.
  int32_t slots_needed() const;
  std::vector<TaskIndex> tasks() const;
  std::string task_name(TaskIndex task) const;  // "Source: lines -> Sink (1/2)"
  // The chain that holds the node with this uid; -1 if none.
  int32_t vertex_of(const std::string& uid) const;

 private:
  std::vector<JobVertex> vertices_;
  std::vector<PlannedCoordinator> coordinators_;
  std::vector<std::pair<std::string, int32_t>> vertex_by_uid_;
};

}  // namespace weir
