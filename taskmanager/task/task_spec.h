#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/ids.h"
#include "taskmanager/network/input_gate.h"
#include "taskmanager/runtime/attempt_context.h"
#include "taskmanager/task/barrier_aligner.h"
#include "weir/graph.h"
#include "weir/key_group.h"

namespace weir {

namespace pb {
class OperatorState;
}  // namespace pb

// An edge of the job's graph that is cut: its records come from, or go to, other tasks.
struct CutEdge {
  int edge = 0;  // its number in the plan, the same on both sides
  int from = 0;  // node whose output it is
  int output = 0;
  int to = 0;  // node that reads it
  Partitioning partitioning = Partitioning::kForward;
};

// Of what subtask `subtask` of `vertex` sends on the edge.
inline PartitionId partition_id_of(const std::string& job_id, int attempt, int vertex, int edge,
                                   int subtask) {
  return {.job = JobId::parse(job_id).value_or(JobId()),
          .attempt = Attempt(attempt),
          .vertex = vertex,
          .edge = edge,
          .subtask = subtask};
}

// Records that were in flight on one channel, in files of the checkpoint (InFlightFile).
struct RestoredChannel {
  struct Part {
    std::vector<std::string> files;
    int stream = 0;
  };
  std::vector<Part> parts;  // in their order
};

struct GateSpec {
  CutEdge edge;
  std::vector<InputChannel> channels;
  std::vector<RestoredChannel> restored = {};
};

struct PartitionSpec {
  CutEdge edge;
  int channels = 1;
};

// What a task is: of which job, which nodes of its graph, which edges to other tasks.
struct TaskSpec {
  AttemptInfo attempt;
  int vertex = 0;
  int subtask = 0;
  int parallelism = 1;
  std::string name;             // "Source: lines -> Map -> Sink (1/2)"
  std::vector<int> chain;       // node ids, upstream first
  std::vector<GateSpec> gates;  // none: the chain begins with a source
  std::vector<PartitionSpec> outputs;
  int max_parallelism = 128;
  KeyGroupRange key_groups = {0, 127};
  BarrierAligner::Mode checkpoint_mode = BarrierAligner::Mode::kExactlyOnce;
  std::chrono::milliseconds buffer_timeout{100};
  std::string state_backend = "hashmap";
  int keyed_in_slot = 1;  // operators with keyed state in the task's slot
  bool incremental_checkpoints = false;
  bool local_recovery = false;         // copies of checkpoints' files stay on this machine
  bool unaligned_checkpoints = false;  // barriers may overtake records
  bool allow_non_restored_state = false;
  std::string own_state_root;  // address that all state files of this job's checkpoints are below
  // By uid: what of the checkpoint that the attempt begins with is this subtask's.
  std::map<std::string, std::shared_ptr<const pb::OperatorState>> restored;

  // Null: nothing.
  std::shared_ptr<const pb::OperatorState> restored_state_of(const std::string& uid) const {
    const auto found = restored.find(uid);
    return found == restored.end() ? nullptr : found->second;
  }
};

}  // namespace weir
