#include "taskmanager/server/task_executor.h"

#include <malloc.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_join.h"
#include "proto/control.pb.h"
#include "taskmanager/server/deployment.h"

namespace weir {
namespace {

// What can't be loaded by this program can't be after a restart either.
Failure failure_of(const absl::Status& status) {
  return {std::string(status.message()), absl::IsInvalidArgument(status) ||
                                             absl::IsFailedPrecondition(status) ||
                                             absl::IsNotFound(status)};
}

int parallelism_of(const std::string& uid, const pb::JobGraph& graph) {
  for (const auto& node : graph.nodes()) {
    if (node.uid() == uid) return node.parallelism();
  }
  return 1;
}

void send_task_failed(const pb::TaskId& task, const Failure& failure, ControlSender& sender) {
  pb::FromTaskManager message;
  pb::TaskStateChanged& changed = *message.mutable_task_state_changed();
  *changed.mutable_task() = task;
  changed.set_state(pb::TaskStateChanged::FAILED);
  changed.set_cause(failure.cause);
  changed.set_fatal(failure.fatal);
  sender.send(std::move(message));
}

int64_t aligned_until_ms(const pb::TriggerCheckpoint& request) {
  if (!request.has_aligned_timeout_ms()) return kAlwaysAligned;
  if (request.aligned_timeout_ms() == 0) return 0;  // whatever the clocks say
  return request.trigger_time_ms() + request.aligned_timeout_ms();
}

std::string source_uid_of(const pb::DeployTask& request) {
  if (request.chain().empty()) return "";
  const int source = request.chain(0);
  return source >= 0 && source < request.graph().nodes_size() ? request.graph().nodes(source).uid()
                                                              : "";
}

}  // namespace

TaskExecutor::TaskExecutor(Options options) : options_(std::move(options)) {}

TaskExecutor::~TaskExecutor() {
  for (auto& [key, parts] : attempts_) {
    for (auto& [id, deployed] : parts.tasks) deployed.task->cancel();
    for (auto& [uid, host] : parts.coordinators) host->cancel();
  }
}

void TaskExecutor::handle(const pb::ToTaskManager& message) {
  switch (message.message_case()) {
    case pb::ToTaskManager::kDeployCoordinators:
      deploy_coordinators(message.deploy_coordinators());
      break;
    case pb::ToTaskManager::kRecoverCoordinator: {
      const pb::RecoverCoordinator& request = message.recover_coordinator();
      const pb::CoordinatorId& id = request.coordinator();
      for_each_coordinator(id.job_id(), id.attempt(), [&](CoordinatorHost& host) {
        if (host.spec().uid == id.uid()) host.recover(request);
      });
      break;
    }
    case pb::ToTaskManager::kResolvedStateDurable: {
      const pb::CoordinatorId& id = message.resolved_state_durable().coordinator();
      for_each_coordinator(id.job_id(), id.attempt(), [&](CoordinatorHost& host) {
        if (host.spec().uid == id.uid()) host.on_resolved_state_durable();
      });
      break;
    }
    case pb::ToTaskManager::kStartCoordinators: {
      const pb::StartCoordinators& request = message.start_coordinators();
      for_each_coordinator(request.job_id(), request.attempt(),
                           [](CoordinatorHost& host) { host.start(); });
      break;
    }
    case pb::ToTaskManager::kDeployTask:
      deploy_task(message.deploy_task());
      break;
    case pb::ToTaskManager::kStartTasks: {
      const pb::StartTasks& request = message.start_tasks();
      for_each_task(request.job_id(), request.attempt(), [&](DeployedTask& deployed) {
        deployed.task->start(Generation(request.generation()));
      });
      break;
    }
    case pb::ToTaskManager::kCancelAttempt:
      cancel_attempts(message.cancel_attempt());
      break;
    case pb::ToTaskManager::kCancelTasks:
      cancel_tasks(message.cancel_tasks());
      break;
    case pb::ToTaskManager::kTriggerCheckpoint: {
      const pb::TriggerCheckpoint& request = message.trigger_checkpoint();
      const CheckpointTrigger trigger = {.checkpoint = CheckpointId(request.checkpoint_id()),
                                         .stop_sources = request.stop_sources(),
                                         .trigger_time_ms = request.trigger_time_ms(),
                                         .savepoint = request.savepoint(),
                                         .aligned_until_ms = aligned_until_ms(request),
                                         .folder = request.folder(),
                                         .shared_folder = request.shared_folder()};
      for_each_coordinator(request.job_id(), request.attempt(), [&](CoordinatorHost& host) {
        host.trigger_checkpoint(trigger.checkpoint);
      });
      for_each_task(request.job_id(), request.attempt(),
                    [&](DeployedTask& deployed) { deployed.task->trigger_checkpoint(trigger); });
      break;
    }
    case pb::ToTaskManager::kNotifyCheckpointComplete: {
      const pb::NotifyCheckpointComplete& request = message.notify_checkpoint_complete();
      const CheckpointId checkpoint(request.checkpoint_id());
      for_each_task(request.job_id(), request.attempt(), [&](DeployedTask& deployed) {
        deployed.task->notify_checkpoint_complete(checkpoint);
      });
      for_each_coordinator(request.job_id(), request.attempt(), [&](CoordinatorHost& host) {
        host.notify_checkpoint_complete(checkpoint);
      });
      break;
    }
    case pb::ToTaskManager::kNotifyCheckpointAborted: {
      const pb::NotifyCheckpointAborted& request = message.notify_checkpoint_aborted();
      for_each_task(request.job_id(), request.attempt(), [&](DeployedTask& deployed) {
        deployed.task->notify_checkpoint_aborted(CheckpointId(request.checkpoint_id()));
      });
      break;
    }
    case pb::ToTaskManager::kSourceEvent: {
      const pb::SourceEvent& event = message.source_event();
      const pb::CoordinatorId& id = event.coordinator();
      if (event.has_to_coordinator()) {
        for_each_coordinator(id.job_id(), id.attempt(), [&](CoordinatorHost& host) {
          if (host.spec().uid == id.uid()) host.on_source_event(event);
        });
      } else {
        for_each_task(id.job_id(), id.attempt(), [&](DeployedTask& deployed) {
          if (deployed.source_uid == id.uid() && deployed.task->spec().subtask == event.subtask()) {
            deployed.task->on_source_event(event);
          }
        });
      }
      break;
    }
    case pb::ToTaskManager::kHeartbeat: {
      const auto& jobs = message.heartbeat().job_ids();
      options_.state_backends->keep_copies_of({jobs.begin(), jobs.end()});
      break;
    }
    case pb::ToTaskManager::kRegistered:
    case pb::ToTaskManager::MESSAGE_NOT_SET:
      break;
  }
}

void TaskExecutor::deploy_coordinators(const pb::DeployCoordinators& request) {
  const AttemptKey key(request.job_id(), request.attempt());
  const std::vector<std::string> uids(request.uids().begin(), request.uids().end());
  auto deploy = [this, key, request](Parts& parts, const GraphBuilder& build_graph) {
    for (const std::string& uid : request.uids()) {
      if (parts.coordinators.contains(uid)) continue;
      parts.coordinators[uid] = std::make_unique<CoordinatorHost>(CoordinatorHost::Options{
          .spec = {.attempt = attempt_info_of(key.first, key.second, request.graph()),
                   .uid = uid,
                   .parallelism = parallelism_of(uid, request.graph())},
          .build_graph = build_graph,
          .sender = options_.sender,
          .on_ended = [this, key, uid] {
            options_.mailbox->post([this, key, uid] {
              attempts_[key].coordinators.erase(uid);
              on_part_ended(key);
            });
          }});
    }
  };
  auto fail = [this, key, uids](const Failure& failure) {
    for (const std::string& uid : uids) {
      pb::FromTaskManager message;
      pb::CoordinatorFailed& failed = *message.mutable_coordinator_failed();
      failed.mutable_coordinator()->set_job_id(key.first);
      failed.mutable_coordinator()->set_attempt(key.second);
      failed.mutable_coordinator()->set_uid(uid);
      failed.set_cause(failure.cause);
      failed.set_fatal(failure.fatal);
      options_.sender->send(std::move(message));
    }
  };
  with_graph(key, request.graph(), std::move(deploy), std::move(fail));
}

void TaskExecutor::deploy_task(const pb::DeployTask& request) {
  const AttemptKey key(request.task().job_id(), request.task().attempt());
  const VertexAndSubtask id(request.task().vertex(), request.task().subtask());
  auto deploy = [this, key, id, request](Parts& parts, const GraphBuilder& build_graph) {
    if (parts.tasks.contains(id) || parts.revoked.contains(id)) return;
    if (!has_slot_for(request)) {
      send_task_failed(request.task(),
                       {"all " + std::to_string(options_.slots) +
                        " slots of this TaskManager are taken; see taskmanager.numberOfTaskSlots"},
                       *options_.sender);
      return;
    }
    auto task = std::make_unique<Task>(
        Task::Options{.spec = task_spec_of(request),
                      .build_graph = build_graph,
                      .sender = options_.sender,
                      .network = options_.network,
                      .state_backends = options_.state_backends,
                      .on_ended = [this, key, id] {
                        options_.mailbox->post([this, key, id] { on_task_ended({key, id}); });
                      }});
    parts.tasks[id] = {source_uid_of(request), std::move(task)};
  };
  auto fail = [this, task = request.task()](const Failure& failure) {
    send_task_failed(task, failure, *options_.sender);
  };
  with_graph(key, request.graph(), std::move(deploy), std::move(fail));
}

void TaskExecutor::with_graph(const AttemptKey& key, const pb::JobGraph& graph,
                              std::function<void(Parts&, GraphBuilder)> deploy,
                              std::function<void(const Failure&)> fail) {
  ++attempts_[key].deploying;
  auto found = [this, key, deploy = std::move(deploy),
                fail = std::move(fail)](const absl::StatusOr<GraphBuilder>& build_graph) {
    Parts& parts = attempts_[key];
    --parts.deploying;
    if (!build_graph.ok() && !parts.cancelled) fail(failure_of(build_graph.status()));
    if (build_graph.ok() && !parts.cancelled) deploy(parts, *build_graph);
    on_part_ended(key);
  };
  options_.find_graph(graph, [this,
                              found = std::move(found)](absl::StatusOr<GraphBuilder> build_graph) {
    if (options_.mailbox->on_mailbox_thread()) {
      found(build_graph);
    } else {
      options_.mailbox->post([found, build_graph = std::move(build_graph)] { found(build_graph); });
    }
  });
}

bool TaskExecutor::has_slot_for(const pb::DeployTask& request) const {
  // Of each job and vertex: a slot holds one of each, whatever attempts they are of.
  std::map<std::string, std::map<int, int>> subtasks;
  ++subtasks[request.task().job_id()][request.task().vertex()];
  for (const auto& [key, parts] : attempts_) {
    if (parts.cancelled) continue;
    for (const auto& [id, deployed] : parts.tasks) {
      if (!deployed.cancelled) ++subtasks[key.first][id.first];
    }
  }
  int taken = 0;
  for (const auto& [job, of_job] : subtasks) {
    int most = 0;
    for (const auto& [vertex, count] : of_job) most = std::max(most, count);
    taken += most;
  }
  return taken <= options_.slots;
}

void TaskExecutor::cancel_attempts(const pb::CancelAttempt& request) {
  for (auto& [key, parts] : attempts_) {
    if (key.first == request.job_id() && key.second <= request.attempt()) cancel_parts(key, parts);
  }
  releasing_[request.job_id()] = std::max(releasing_[request.job_id()], request.attempt());
  on_part_ended({request.job_id(), request.attempt()});
}

void TaskExecutor::cancel_tasks(const pb::CancelTasks& request) {
  ReleasingTasks releasing = {
      .job_id = request.job_id(), .attempt = request.attempt(), .tasks = {}};
  std::vector<TaskKey> cancelled;
  for (const pb::TaskId& task : request.tasks()) {
    const AttemptKey key(task.job_id(), task.attempt());
    const VertexAndSubtask id(task.vertex(), task.subtask());
    Parts* parts = find(key.first, key.second);
    if (parts == nullptr) continue;
    const auto deployed = parts->tasks.find(id);
    if (deployed == parts->tasks.end()) {
      if (parts->deploying > 0) parts->revoked.insert(id);
      continue;
    }
    releasing.tasks.insert({key, id});
    if (std::exchange(deployed->second.cancelled, true)) continue;
    deployed->second.task->cancel();
    cancelled.push_back({key, id});
  }
  releasing_tasks_.push_back(std::move(releasing));
  report_released_tasks();
  if (!cancelled.empty() && options_.cancellation_timeout.count() > 0) {
    options_.mailbox->post_after(options_.cancellation_timeout,
                                 [this, cancelled] { check_stuck_tasks(cancelled); });
  }
}

void TaskExecutor::check_stuck_tasks(const std::vector<TaskKey>& tasks) {
  std::vector<std::string> names;
  for (const auto& [key, id] : tasks) {
    const Parts* parts = find(key.first, key.second);
    if (parts == nullptr) continue;
    const auto deployed = parts->tasks.find(id);
    if (deployed != parts->tasks.end()) names.push_back(deployed->second.task->spec().name);
  }
  if (!names.empty()) options_.on_stuck(absl::StrJoin(names, ", "));
}

void TaskExecutor::on_task_ended(const TaskKey& task) {
  attempts_[task.first].tasks.erase(task.second);
  on_part_ended(task.first);
  for (ReleasingTasks& releasing : releasing_tasks_) releasing.tasks.erase(task);
  report_released_tasks();
}

void TaskExecutor::report_released_tasks() {
  std::erase_if(releasing_tasks_, [this](const ReleasingTasks& releasing) {
    if (!releasing.tasks.empty()) return false;
    pb::FromTaskManager message;
    message.mutable_tasks_released()->set_job_id(releasing.job_id);
    message.mutable_tasks_released()->set_attempt(releasing.attempt);
    options_.sender->send(std::move(message));
    return true;
  });
}

void TaskExecutor::cancel_all(std::function<void()> then) {
  for (auto& [key, parts] : attempts_) cancel_parts(key, parts);
  releasing_.clear();
  releasing_tasks_.clear();
  when_empty_ = std::move(then);
  on_part_ended({});
}

void TaskExecutor::cancel_parts(const AttemptKey& key, Parts& parts) {
  if (parts.cancelled) return;
  parts.cancelled = true;
  for (auto& [id, deployed] : parts.tasks) deployed.task->cancel();
  for (auto& [uid, host] : parts.coordinators) host->cancel();
  if (options_.cancellation_timeout.count() > 0) {
    options_.mailbox->post_after(options_.cancellation_timeout, [this, key] { check_stuck(key); });
  }
}

void TaskExecutor::check_stuck(const AttemptKey& key) {
  const Parts* parts = find(key.first, key.second);
  if (parts == nullptr) return;
  std::vector<std::string> names;
  for (const auto& [id, deployed] : parts->tasks) names.push_back(deployed.task->spec().name);
  for (const auto& [uid, host] : parts->coordinators) names.push_back("coordinator of " + uid);
  if (!names.empty()) options_.on_stuck(absl::StrJoin(names, ", "));
}

void TaskExecutor::on_part_ended(const AttemptKey& key) {
  const auto ended = attempts_.find(key);
  if (ended != attempts_.end() && ended->second.empty()) {
    attempts_.erase(ended);
    ::malloc_trim(0);  // what its threads had stays in their arenas otherwise
  }
  if (const auto releasing = releasing_.find(key.first); releasing != releasing_.end()) {
    const bool all_ended =
        std::none_of(attempts_.begin(), attempts_.end(), [&](const auto& attempt) {
          return attempt.first.first == key.first && attempt.first.second <= releasing->second;
        });
    if (all_ended) {
      pb::FromTaskManager message;
      message.mutable_attempt_released()->set_job_id(key.first);
      message.mutable_attempt_released()->set_attempt(releasing->second);
      releasing_.erase(releasing);
      options_.sender->send(std::move(message));
    }
  }
  if (when_empty_ && attempts_.empty()) std::exchange(when_empty_, nullptr)();
}

void TaskExecutor::add_metrics(pb::HeartbeatFromTaskManager& heartbeat) const {
  for (const auto& [key, parts] : attempts_) {
    for (const auto& [id, deployed] : parts.tasks) {
      *heartbeat.add_tasks() = deployed.task->metrics();
    }
    for (const auto& [uid, host] : parts.coordinators) {
      *heartbeat.add_coordinators() = host->metrics();
    }
  }
}

TaskExecutor::Parts* TaskExecutor::find(const std::string& job_id, int attempt) {
  const auto found = attempts_.find({job_id, attempt});
  return found == attempts_.end() ? nullptr : &found->second;
}

template <typename F>
void TaskExecutor::for_each_task(const std::string& job_id, int attempt, F function) {
  Parts* parts = find(job_id, attempt);
  if (parts == nullptr || parts->cancelled) return;
  for (auto& [id, deployed] : parts->tasks) {
    if (!deployed.cancelled) function(deployed);
  }
}

template <typename F>
void TaskExecutor::for_each_coordinator(const std::string& job_id, int attempt, F function) {
  Parts* parts = find(job_id, attempt);
  if (parts == nullptr || parts->cancelled) return;
  for (auto& [uid, host] : parts->coordinators) function(*host);
}

}  // namespace weir
