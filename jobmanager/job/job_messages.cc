#include "jobmanager/job/job_messages.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "jobmanager/checkpoint/redistribute_state.h"
#include "weir/key_group.h"

namespace weir {

namespace {

bool is_forward(const JobEdge& edge) {
  return edge.partitioning == pb::JobGraph::FORWARD;
}

void describe_input(const AttemptDescription& attempt, const JobPlan& plan, int32_t number,
                    TaskIndex task, pb::InputGate& gate) {
  const JobEdge& edge = plan.edges()[number];
  gate.set_edge(number);
  gate.set_node(edge.to_node);
  gate.set_from_node(edge.from_node);
  gate.set_from_output(edge.from_output);
  gate.set_partitioning(edge.partitioning);
  gate.set_producer_vertex(edge.from_vertex);
  for (int32_t producer = 0; producer < plan.vertices()[edge.from_vertex].parallelism; ++producer) {
    if (is_forward(edge) && producer != task.subtask) continue;
    pb::InputGate::Channel* channel = gate.add_channels();
    channel->set_producer_subtask(producer);
    channel->set_partition_channel(is_forward(edge) ? 0 : task.subtask);
    channel->set_taskmanager_id(attempt.slots[producer].taskmanager);
    channel->set_address(attempt.slots[producer].data_address);
  }
}

void describe_output(const JobPlan& plan, int32_t number, pb::OutputEdge& output) {
  const JobEdge& edge = plan.edges()[number];
  output.set_edge(number);
  output.set_node(edge.from_node);
  output.set_output(edge.from_output);
  output.set_partitioning(edge.partitioning);
  output.set_consumer_vertex(edge.to_vertex);
  output.set_consumer_node(edge.to_node);
  output.set_channels(is_forward(edge) ? 1 : plan.vertices()[edge.to_vertex].parallelism);
}

}  // namespace

pb::TaskId task_id(const AttemptDescription& description, Attempt attempt, TaskIndex task) {
  pb::TaskId id;
  id.set_job_id(description.job_id);
  id.set_attempt(attempt.value());
  id.set_vertex(task.vertex);
  id.set_subtask(task.subtask);
  return id;
}

pb::TaskId task_id(const AttemptDescription& attempt, TaskIndex task) {
  return task_id(attempt, attempt.attempt, task);
}

pb::CoordinatorId coordinator_id(const AttemptDescription& attempt, const std::string& uid) {
  pb::CoordinatorId id;
  id.set_job_id(attempt.job_id);
  id.set_attempt(attempt.coordinators.value());
  id.set_uid(uid);
  return id;
}

pb::DeployTask deploy_task(const AttemptDescription& attempt, const JobPlan& plan,
                           const pb::JobGraph& graph, TaskIndex task) {
  const JobVertex& vertex = plan.vertices()[task.vertex];
  pb::DeployTask deploy;
  *deploy.mutable_task() = task_id(attempt, task);
  *deploy.mutable_graph() = graph;
  deploy.mutable_chain()->Add(vertex.chain.begin(), vertex.chain.end());
  deploy.set_parallelism(vertex.parallelism);
  deploy.set_task_name(plan.task_name(task));
  deploy.set_max_parallelism(attempt.max_parallelism);
  const KeyGroupRange key_groups =
      key_group_range(task.subtask, vertex.parallelism, attempt.max_parallelism);
  deploy.set_first_key_group(key_groups.first);
  deploy.set_last_key_group(key_groups.last);
  for (int32_t edge : vertex.inputs) {
    describe_input(attempt, plan, edge, task, *deploy.add_input_gates());
  }
  for (int32_t edge : vertex.outputs) describe_output(plan, edge, *deploy.add_outputs());
  if (!attempt.restored) return deploy;
  const RestoringSubtask restoring{task.subtask, vertex.parallelism, attempt.max_parallelism};
  for (pb::InputGate& gate : *deploy.mutable_input_gates()) {
    const RestoringEdge edge{graph.nodes(gate.from_node()).uid(), gate.from_output(),
                             graph.nodes(gate.node()).uid(),
                             gate.partitioning() == pb::JobGraph::HASH};
    for (auto& channel : redistribute_in_flight(*attempt.restored, edge, restoring)) {
      *gate.add_restored() = std::move(channel);
    }
  }
  for (const int32_t node : vertex.chain) {
    auto state = redistribute_state(*attempt.restored, graph.nodes(node).uid(), restoring);
    if (state) *deploy.add_restored() = *std::move(state);
  }
  return deploy;
}

namespace {

void add_committables(const pb::OperatorState& state, const TransactionLedger& ledger,
                      pb::RecoverCoordinator& recover) {
  for (const pb::Committable& committable : state.committables()) {
    const auto entry = ledger.find(state.uid(), committable.transaction());
    const auto known = entry ? entry->state() : pb::LedgerEntry::PREPARED;
    if (known == pb::LedgerEntry::LOST || known == pb::LedgerEntry::ABORTED) continue;
    pb::RecoverCoordinator::RecoveredCommittable* recovered = recover.add_committables();
    *recovered->mutable_committable() = committable;
    recovered->set_known_committed(known == pb::LedgerEntry::COMMITTED);
  }
}

}  // namespace

pb::RecoverCoordinator recover_coordinator(const AttemptDescription& attempt,
                                           const PlannedCoordinator& coordinator,
                                           const pb::JobRecord& record,
                                           const TransactionLedger& ledger) {
  pb::RecoverCoordinator recover;
  *recover.mutable_coordinator() = coordinator_id(attempt, coordinator.uid);
  recover.set_for_attempt(attempt.attempt.value());
  recover.set_generation(attempt.generation.value());
  for (const pb::CoordinatorState& state : record.initial_coordinators()) {
    if (state.uid() != coordinator.uid) continue;
    recover.set_has_state(true);
    recover.set_state(state.state());
  }
  if (!attempt.restored) return recover;
  for (const pb::CoordinatorState& state : attempt.restored->coordinators()) {
    if (state.uid() != coordinator.uid) continue;
    recover.set_has_state(true);
    recover.set_state(state.state());
  }
  for (const pb::OperatorState& state : attempt.restored->operators()) {
    if (state.uid() != coordinator.uid) continue;
    recover.mutable_splits()->MergeFrom(state.splits());
    if (coordinator.source) continue;
    add_committables(state, ledger, recover);
    recover.add_writer_states(state.writer_state());
  }
  return recover;
}

pb::RecoverCoordinator recover_subtasks(const AttemptDescription& attempt,
                                        const PlannedCoordinator& coordinator,
                                        const TransactionLedger& ledger,
                                        const std::vector<int32_t>& subtasks) {
  pb::RecoverCoordinator recover;
  *recover.mutable_coordinator() = coordinator_id(attempt, coordinator.uid);
  recover.set_for_attempt(attempt.attempt.value());
  recover.set_generation(attempt.generation.value());
  recover.set_generation_from(attempt.first_generation.value());
  recover.mutable_subtasks()->Assign(subtasks.begin(), subtasks.end());
  if (!attempt.restored) return recover;
  // What an older checkpoint holds was settled when the coordinators recovered from it.
  const bool settled = attempt.restored->generation() < attempt.first_generation.value();
  for (const pb::OperatorState& state : attempt.restored->operators()) {
    if (state.uid() != coordinator.uid) continue;
    recover.mutable_splits()->MergeFrom(state.splits());
    const bool concerned =
        std::find(subtasks.begin(), subtasks.end(), state.subtask()) != subtasks.end();
    if (coordinator.source || settled || !concerned) continue;
    add_committables(state, ledger, recover);
    recover.add_writer_states(state.writer_state());
  }
  return recover;
}

absl::Status check_nothing_lost(const pb::CheckpointManifest& manifest,
                                const TransactionLedger& ledger) {
  for (const pb::OperatorState& state : manifest.operators()) {
    for (const pb::Committable& committable : state.committables()) {
      const auto entry = ledger.find(state.uid(), committable.transaction());
      if (entry && entry->state() == pb::LedgerEntry::LOST) {
        return absl::DataLossError(describe_loss(state.uid(), committable, entry->message()));
      }
    }
  }
  return absl::OkStatus();
}

std::string describe_loss(const std::string& sink_uid, const pb::Committable& committable,
                          const std::string& why) {
  std::string text = absl::StrCat("checkpoint ", committable.checkpoint_id(), ": transaction ",
                                  committable.transaction(), " of '", sink_uid, "' is lost: ");
  for (const pb::WrittenRange& range : committable.ranges()) {
    absl::StrAppend(&text, range.resource(), " offsets ", range.first(), " to ", range.last(), " (",
                    range.records(), " records), ");
  }
  if (committable.ranges().empty()) {
    absl::StrAppend(&text, committable.records(), " records, ");
  }
  text.resize(text.size() - 2);
  return absl::StrCat(text, ": ", why);
}

}  // namespace weir
