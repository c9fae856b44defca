#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/mailbox.h"
#include "taskmanager/coordinator/coordinator_host.h"
#include "taskmanager/runtime/control_sender.h"
#include "taskmanager/task/task.h"

namespace weir {

namespace pb {
class CancelAttempt;
class CancelTasks;
class DeployCoordinators;
class DeployTask;
class HeartbeatFromTaskManager;
class JobGraph;
class TaskMetrics;
class ToTaskManager;
}  // namespace pb

// The tasks and coordinators of this TaskManager: executes what the JobManager says, and knows when
// an attempt has nothing left running here.
//
// Confined to the mailbox's thread, which it shares with the link to the JobManager. The mailbox,
// which must be shut down before, and what the options point to outlive it.
class TaskExecutor {
 public:
  using GraphBuilder = std::function<StreamGraph()>;
  // Finds what builds the graph of a job, fetching its library if need be; calls back on any
  // thread.
  using FindGraph =
      std::function<void(const pb::JobGraph&, std::function<void(absl::StatusOr<GraphBuilder>)>)>;

  struct Options {
    Mailbox* mailbox = nullptr;
    ControlSender* sender = nullptr;
    NetworkEnvironment* network = nullptr;
    KeyedStateBackends* state_backends = nullptr;
    FindGraph find_graph;
    int slots = 1;
    std::chrono::milliseconds cancellation_timeout{0};  // 0: for ever
    // A part of a job doesn't end: the process must, or its slot is lost for good.
    std::function<void(const std::string& name)> on_stuck;
  };

  explicit TaskExecutor(Options options);
  TaskExecutor(const TaskExecutor&) = delete;
  TaskExecutor& operator=(const TaskExecutor&) = delete;
  ~TaskExecutor();  // cancels what is left and waits for it

  void handle(const pb::ToTaskManager& message);
  // `then` is called when nothing is left running; at once if nothing is.
  void cancel_all(std::function<void()> then);
  void add_metrics(pb::HeartbeatFromTaskManager& heartbeat) const;

 private:
  struct DeployedTask {
    std::string source_uid;
    std::unique_ptr<Task> task;
    bool cancelled = false;
  };
  using VertexAndSubtask = std::pair<int, int>;
  struct Parts {
    bool cancelled = false;
    int deploying = 0;  // waiting for the library
    std::map<VertexAndSubtask, DeployedTask> tasks;
    std::set<VertexAndSubtask> revoked;  // cancelled before the library was there
    std::map<std::string, std::unique_ptr<CoordinatorHost>> coordinators;  // by uid

    bool empty() const { return deploying == 0 && tasks.empty() && coordinators.empty(); }
  };
  using AttemptKey = std::pair<std::string, int>;  // job id, attempt

  using TaskKey = std::pair<AttemptKey, VertexAndSubtask>;
  struct ReleasingTasks {
    std::string job_id;
    int attempt = 0;  // in which it was asked for
    std::set<TaskKey> tasks;
  };

  void deploy_coordinators(const pb::DeployCoordinators& request);
  void deploy_task(const pb::DeployTask& request);
  // Calls `deploy` on the mailbox's thread when the library is there, unless cancelled meanwhile;
  // `fail` if it can't be had.
  void with_graph(const AttemptKey& key, const pb::JobGraph& graph,
                  std::function<void(Parts&, GraphBuilder)> deploy,
                  std::function<void(const Failure&)> fail);
  bool has_slot_for(const pb::DeployTask& request) const;
  void cancel_attempts(const pb::CancelAttempt& request);
  void cancel_tasks(const pb::CancelTasks& request);
  void check_stuck_tasks(const std::vector<TaskKey>& tasks);
  void on_task_ended(const TaskKey& task);
  void report_released_tasks();
  void cancel_parts(const AttemptKey& key, Parts& parts);
  void check_stuck(const AttemptKey& key);
  void on_part_ended(const AttemptKey& key);

  Parts* find(const std::string& job_id, int attempt);
  template <typename F>
  void for_each_task(const std::string& job_id, int attempt, F function);
  template <typename F>
  void for_each_coordinator(const std::string& job_id, int attempt, F function);

  const Options options_;
  std::map<AttemptKey, Parts> attempts_;
  std::map<std::string, int> releasing_;  // job → the attempt up to which all must end
  std::vector<ReleasingTasks> releasing_tasks_;
  std::function<void()> when_empty_;
};

}  // namespace weir
