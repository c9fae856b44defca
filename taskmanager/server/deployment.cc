#include "taskmanager/server/deployment.h"

#include <algorithm>
#include <memory>

#include "api/library/convert.h"
#include "common/config.h"
#include "common/config_options.h"
#include "common/storage/checkpoint_storage.h"
#include "proto/control.pb.h"
#include "proto/job_graph.pb.h"

namespace weir {
namespace {

Config config_of(const pb::JobGraph& graph) {
  Config config;
  for (const auto& [key, value] : graph.configuration()) {
    config.set(key, value).IgnoreError();
  }
  return config;
}

GateSpec gate_spec_of(const pb::InputGate& gate, const pb::TaskId& task) {
  GateSpec spec;
  spec.edge = {.edge = gate.edge(),
               .from = gate.from_node(),
               .output = gate.from_output(),
               .to = gate.node(),
               .partitioning = from_proto(gate.partitioning())};
  for (const pb::InputGate::Channel& channel : gate.channels()) {
    spec.channels.push_back(
        {.partition = partition_id_of(task.job_id(), task.attempt(), gate.producer_vertex(),
                                      gate.edge(), channel.producer_subtask()),
         .channel = channel.partition_channel(),
         .address = channel.address()});
  }
  for (const pb::RestoredChannel& restored : gate.restored()) {
    RestoredChannel& channel = spec.restored.emplace_back();
    for (const pb::RestoredChannel::Part& part : restored.parts()) {
      channel.parts.push_back({{part.files().begin(), part.files().end()}, part.stream()});
    }
  }
  return spec;
}

PartitionSpec partition_spec_of(const pb::OutputEdge& output) {
  return {.edge = {.edge = output.edge(),
                   .from = output.node(),
                   .output = output.output(),
                   .to = output.consumer_node(),
                   .partitioning = from_proto(output.partitioning())},
          .channels = output.channels()};
}

AttemptInfo attempt_info_of(const std::string& job_id, int attempt, const std::string& job_name,
                            const Config& config) {
  AttemptInfo info;
  info.job_id = job_id;
  info.job_name = job_name;
  info.attempt = attempt;
  info.checkpoint_settings.interval = config.get(options::kCheckpointInterval);
  info.checkpoint_settings.timeout = config.get(options::kCheckpointTimeout);
  info.checkpoint_settings.restart_budget = config.get(options::kSinkRestartBudget);
  return info;
}

// Slot i runs the subtasks i of all nodes.
int keyed_in_slot(const pb::JobGraph& graph, int slot) {
  const auto in_slot = [slot](const pb::JobGraph::Node& node) {
    return node.keyed() && node.parallelism() > slot;
  };
  return static_cast<int>(std::count_if(graph.nodes().begin(), graph.nodes().end(), in_slot));
}

}  // namespace

AttemptInfo attempt_info_of(const std::string& job_id, int attempt, const pb::JobGraph& graph) {
  return attempt_info_of(job_id, attempt, graph.name(), config_of(graph));
}

TaskSpec task_spec_of(const pb::DeployTask& request) {
  const Config config = config_of(request.graph());
  TaskSpec spec;
  spec.attempt = attempt_info_of(request.task().job_id(), request.task().attempt(),
                                 request.graph().name(), config);
  spec.vertex = request.task().vertex();
  spec.subtask = request.task().subtask();
  spec.parallelism = request.parallelism();
  spec.name = request.task_name();
  spec.chain.assign(request.chain().begin(), request.chain().end());
  for (const pb::InputGate& gate : request.input_gates()) {
    spec.gates.push_back(gate_spec_of(gate, request.task()));
  }
  for (const pb::OutputEdge& output : request.outputs()) {
    spec.outputs.push_back(partition_spec_of(output));
  }
  spec.max_parallelism = request.max_parallelism();
  spec.key_groups = {request.first_key_group(), request.last_key_group()};
  spec.checkpoint_mode = config.get(options::kCheckpointMode) == "AT_LEAST_ONCE"
                             ? BarrierAligner::Mode::kAtLeastOnce
                             : BarrierAligner::Mode::kExactlyOnce;
  spec.unaligned_checkpoints = config.get(options::kUnalignedCheckpoints) &&
                               spec.checkpoint_mode == BarrierAligner::Mode::kExactlyOnce;
  spec.buffer_timeout = config.get(options::kBufferTimeout);
  spec.state_backend = config.get(options::kStateBackend);
  spec.keyed_in_slot = keyed_in_slot(request.graph(), spec.subtask);
  spec.incremental_checkpoints = config.get(options::kIncrementalCheckpoints);
  spec.local_recovery = config.get(options::kLocalRecovery);
  spec.allow_non_restored_state = request.graph().allow_non_restored_state();
  const auto storage = storage::open_checkpoint_storage(config.get(options::kCheckpointFolder));
  if (storage.ok()) spec.own_state_root = (*storage)->url_of(request.task().job_id());
  for (const pb::OperatorState& state : request.restored()) {
    spec.restored[state.uid()] = std::make_shared<const pb::OperatorState>(state);
  }
  return spec;
}

}  // namespace weir
