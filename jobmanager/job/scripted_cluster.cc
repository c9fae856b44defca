#include "jobmanager/job/scripted_cluster.h"

#include <fstream>

namespace weir {

namespace {

// Of "file:///folder", made if it isn't there.
std::filesystem::path local_folder(const std::string& address) {
  const std::filesystem::path path = address.substr(std::string("file://").size());
  std::filesystem::create_directories(path);
  return path;
}

void add_file(pb::KeyedStateHandle& handle, const std::string& folder, const std::string& name,
              bool shared) {
  pb::KeyedStateHandle::File* file = handle.add_files();
  file->set_path(folder + "/" + name);
  file->set_size_bytes(1000);
  file->set_shared(shared);
}

// Each checkpoint writes a shared file and names that of the checkpoint before it, too; and one of
// its own. A savepoint has all in its folder.
void add_keyed_state(const pb::DeployTask& task, const pb::TriggerCheckpoint& trigger,
                     pb::OperatorState& state) {
  pb::KeyedStateHandle* handle = state.add_keyed();
  handle->set_max_parallelism(task.max_parallelism());
  handle->set_first_key_group(task.first_key_group());
  handle->set_last_key_group(task.last_key_group());
  const auto name = [&](int64_t checkpoint) {
    return std::to_string(checkpoint) + "-" + std::to_string(task.task().subtask());
  };
  std::ofstream(local_folder(trigger.folder()) / name(trigger.checkpoint_id())) << "own";
  add_file(*handle, trigger.folder(), name(trigger.checkpoint_id()), false);
  if (trigger.savepoint()) return;
  const std::filesystem::path shared = local_folder(trigger.shared_folder());
  std::ofstream(shared / name(trigger.checkpoint_id())) << "shared";
  for (const int64_t checkpoint : {trigger.checkpoint_id() - 1, trigger.checkpoint_id()}) {
    if (!std::filesystem::exists(shared / name(checkpoint))) continue;
    add_file(*handle, trigger.shared_folder(), name(checkpoint), true);
  }
}

}  // namespace

void ScriptedCluster::acknowledge(TaskManager& taskmanager, const pb::DeployTask& task,
                                  const pb::TriggerCheckpoint& trigger) {
  const int64_t checkpoint = trigger.checkpoint_id();
  pb::FromTaskManager message;
  auto* ack = message.mutable_acknowledge_checkpoint();
  *ack->mutable_task() = task.task();
  ack->set_checkpoint_id(checkpoint);
  const int32_t subtask = task.task().subtask();
  for (const int32_t id : task.chain()) {
    const pb::JobGraph::Node& node = task.graph().nodes(id);
    pb::OperatorState* state = ack->add_operators();
    state->set_uid(node.uid());
    state->set_subtask(subtask);
    if (node.kind() == pb::JobGraph::SOURCE) {
      state->add_splits()->set_id(node.uid() + "-" + std::to_string(subtask));
    } else if (node.kind() == pb::JobGraph::SINK) {
      pb::Committable* committable = state->add_committables();
      committable->set_transaction("t" + std::to_string(subtask) + "-" +
                                   std::to_string(checkpoint));
      committable->set_checkpoint_id(checkpoint);
      taskmanager.prepared.push_back(*committable);
    } else {
      pb::OperatorListState* list = state->add_lists();
      list->set_name("seen");
      list->add_items("by " + std::to_string(subtask));
    }
    if (node.keyed()) add_keyed_state(task, trigger, *state);
  }
  send(taskmanager, message);
}

void ScriptedCluster::pass_barrier(const pb::TriggerCheckpoint& trigger) {
  for (const auto& taskmanager : taskmanagers_) {
    if (!taskmanager->acknowledges) continue;
    for (const pb::DeployTask& task : taskmanager->tasks) {
      if (!task.input_gates().empty() && task.task().attempt() == trigger.attempt()) {
        acknowledge(*taskmanager, task, trigger);
      }
    }
  }
}

void ScriptedCluster::answer(TaskManager& taskmanager, const pb::ToTaskManager& message) {
  EXPECT_EQ(message.leader_epoch(), store_->leader_epoch().value());
  if (message.has_deploy_coordinators()) {
    for (const std::string& uid : message.deploy_coordinators().uids()) {
      pb::FromTaskManager validated;
      auto* answer = validated.mutable_coordinator_validated();
      answer->mutable_coordinator()->set_job_id(message.deploy_coordinators().job_id());
      answer->mutable_coordinator()->set_attempt(message.deploy_coordinators().attempt());
      answer->mutable_coordinator()->set_uid(uid);
      answer->set_restarts_subtasks(restarts_subtasks_);
      if (uid == "out") {
        answer->add_exclusive_resources("kafka-prefix:cluster/processed");
        answer->set_generation_max(4);
        answer->set_transaction_timeout_ms(transaction_timeout_.count());
      }
      send(taskmanager, validated);
    }
    taskmanager.coordinators = message.deploy_coordinators().attempt();
  } else if (message.has_recover_coordinator() && taskmanager.recovers) {
    const pb::RecoverCoordinator& recover = message.recover_coordinator();
    const bool resolves = !recover.has_state() && recover.subtasks().empty();
    if (recover.coordinator().uid() == "lines" && resolves) {
      pb::FromTaskManager resolved;
      *resolved.mutable_coordinator_resolved()->mutable_coordinator() = recover.coordinator();
      resolved.mutable_coordinator_resolved()->set_state("start offsets");
      return send(taskmanager, resolved);
    }
    for (const auto& recovered : recover.committables()) {
      pb::FromTaskManager report;
      auto* commit = report.mutable_commit_reported();
      commit->set_job_id(recover.coordinator().job_id());
      commit->set_attempt(recover.coordinator().attempt());
      commit->set_sink_uid("out");
      commit->set_subtask(-1);
      *commit->mutable_committable() = recovered.committable();
      commit->set_state(taskmanager.recovery_outcome);
      commit->set_message("INVALID_PRODUCER_EPOCH");
      if (!recovered.known_committed()) send(taskmanager, report);
    }
    pb::FromTaskManager recovered;
    *recovered.mutable_coordinator_recovered()->mutable_coordinator() = recover.coordinator();
    recovered.mutable_coordinator_recovered()->set_for_attempt(recover.for_attempt());
    send(taskmanager, recovered);
  } else if (message.has_resolved_state_durable()) {
    pb::FromTaskManager recovered;
    *recovered.mutable_coordinator_recovered()->mutable_coordinator() =
        message.resolved_state_durable().coordinator();
    recovered.mutable_coordinator_recovered()->set_for_attempt(
        message.resolved_state_durable().coordinator().attempt());
    send(taskmanager, recovered);
  } else if (message.has_deploy_task()) {
    taskmanager.tasks.push_back(message.deploy_task());
    task_state(taskmanager, message.deploy_task().task(), pb::TaskStateChanged::DEPLOYED);
  } else if (message.has_start_tasks()) {
    for (const pb::DeployTask& task : taskmanager.tasks) {
      if (task.task().attempt() != message.start_tasks().attempt()) continue;
      task_state(taskmanager, task.task(), pb::TaskStateChanged::RUNNING);
    }
  } else if (message.has_trigger_checkpoint() && taskmanager.acknowledges) {
    const pb::TriggerCheckpoint& trigger = message.trigger_checkpoint();
    for (const pb::DeployTask& task : taskmanager.tasks) {
      if (task.input_gates().empty() && task.task().attempt() == trigger.attempt()) {
        acknowledge(taskmanager, task, trigger);
      }
    }
    if (taskmanager.coordinators == trigger.attempt()) {
      pb::FromTaskManager ack;
      auto* acknowledge = ack.mutable_acknowledge_coordinator_checkpoint();
      acknowledge->mutable_coordinator()->set_job_id(trigger.job_id());
      acknowledge->mutable_coordinator()->set_attempt(trigger.attempt());
      acknowledge->mutable_coordinator()->set_uid("lines");
      acknowledge->set_checkpoint_id(trigger.checkpoint_id());
      acknowledge->set_state("offsets at " + std::to_string(trigger.checkpoint_id()));
      send(taskmanager, ack);
      pass_barrier(trigger);
    }
  } else if (message.has_notify_checkpoint_complete() && taskmanager.commits) {
    for (const pb::Committable& committable : std::exchange(taskmanager.prepared, {})) {
      pb::FromTaskManager report;
      auto* commit = report.mutable_commit_reported();
      commit->set_job_id(message.notify_checkpoint_complete().job_id());
      commit->set_attempt(message.notify_checkpoint_complete().attempt());
      commit->set_sink_uid("out");
      *commit->mutable_committable() = committable;
      commit->set_state(pb::LedgerEntry::COMMITTED);
      send(taskmanager, report);
    }
  } else if (message.has_cancel_tasks() && taskmanager.releases_tasks) {
    std::erase_if(taskmanager.tasks, [&](const pb::DeployTask& task) {
      return std::any_of(message.cancel_tasks().tasks().begin(),
                         message.cancel_tasks().tasks().end(), [&](const pb::TaskId& cancelled) {
                           return cancelled.SerializeAsString() == task.task().SerializeAsString();
                         });
    });
    pb::FromTaskManager released;
    released.mutable_tasks_released()->set_job_id(message.cancel_tasks().job_id());
    released.mutable_tasks_released()->set_attempt(message.cancel_tasks().attempt());
    send(taskmanager, released);
  } else if (message.has_cancel_attempt() && taskmanager.releases) {
    taskmanager.tasks.clear();
    taskmanager.coordinators = -1;
    taskmanager.prepared.clear();
    pb::FromTaskManager released;
    released.mutable_attempt_released()->set_job_id(message.cancel_attempt().job_id());
    released.mutable_attempt_released()->set_attempt(message.cancel_attempt().attempt());
    send(taskmanager, released);
  }
}

}  // namespace weir
