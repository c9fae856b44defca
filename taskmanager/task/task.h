#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/ids.h"
#include "common/log.h"
#include "common/mailbox.h"
#include "common/mutex.h"
#include "taskmanager/commit/commit_runner.h"
#include "taskmanager/runtime/attempt_context.h"
#include "taskmanager/runtime/control_sender.h"
#include "taskmanager/runtime/user_code.h"
#include "taskmanager/task/sink_driver.h"
#include "taskmanager/task/source_driver.h"
#include "taskmanager/task/task_chain.h"
#include "taskmanager/task/task_state.h"
#include "weir/graph.h"

namespace weir {

namespace pb {
class SourceEvent;
class TaskId;
class TaskMetrics;
}  // namespace pb

struct TaskSpec {
  AttemptInfo attempt;
  int vertex = 0;
  int subtask = 0;
  int parallelism = 1;
  std::string name;        // "Source: lines -> Map -> Sink (1/2)"
  std::vector<int> chain;  // node ids, upstream first
};

struct CheckpointTrigger {
  CheckpointId checkpoint;
  bool stop_sources = false;
  int64_t trigger_time_ms = 0;
};

// One subtask of one chain in one attempt: a thread that reads the source in batches and, between
// two batches, handles what is in its mailbox. So operators, writers and the tracker need no lock.
//
// Thread rule: all public methods from any thread; they only enqueue. `build_graph`, `sender` and
// `on_ended` are used on the task's thread; on_ended is the last thing it calls, after which the
// task may be destroyed (which joins the thread). Prepared transactions outlive it, whatever
// happens.
class Task {
 public:
  struct Options {
    TaskSpec spec;
    std::function<StreamGraph()> build_graph;  // runs the job's entry point; may throw
    ControlSender* sender = nullptr;
    std::function<void()> on_ended;
    CommitRunner::Backoff commit_backoff = {};
  };

  // Starts the thread, which builds the chain and reports DEPLOYED.
  explicit Task(Options options);
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;
  ~Task();  // cancels, and waits for the thread

  // Opens the operators and reports RUNNING.
  void start(Generation generation);
  void on_source_event(pb::SourceEvent event);
  void trigger_checkpoint(CheckpointTrigger trigger);
  void notify_checkpoint_complete(CheckpointId checkpoint);
  void cancel();

  const TaskSpec& spec() const { return options_.spec; }
  pb::TaskId id() const;
  pb::TaskMetrics metrics() const;

 private:
  // Written by the task's thread once per batch.
  struct Counters {
    std::atomic<uint64_t> records_in{0}, records_out{0}, bytes_in{0}, bytes_out{0};
    std::atomic<uint64_t> busy_us{0}, idle_us{0}, backpressured_us{0};
  };

  void run();
  void build();
  void open(Generation generation);
  void read_batch();
  void poll_source();
  void finish_batch();
  void take_checkpoint(const CheckpointTrigger& trigger);
  void snapshot_and_acknowledge(const CheckpointTrigger& trigger);
  void decline(const CheckpointTrigger& trigger, const std::string& cause);
  void on_complete(CheckpointId checkpoint);
  void release_resources();

  // Enqueues what runs unless the task has ended by then; what it throws fails the task.
  void post(absl::AnyInvocable<void()> function);
  template <typename F>
  void guard(F&& function);
  bool takes_checkpoints() const {
    return state_ == TaskState::kRunning || state_ == TaskState::kDrained;
  }
  void fail(const Failure& failure);
  void transition(TaskState to, const Failure& failure = {});
  LogContext log_context() const;

  const Options options_;
  std::atomic<bool> cancelled_{false};
  Gauges gauges_;
  Counters counters_;

  Mutex wake_up_mutex_;
  SourceDriver* wakeable_ WEIR_GUARDED_BY(wake_up_mutex_) = nullptr;

  // The task's thread only.
  TaskState state_ = TaskState::kBuilding;
  bool opened_ = false;
  bool stopped_ = false;  // by a stop with savepoint: nothing is read any more
  bool idle_ = false;     // the last poll brought nothing: the next one may wait
  std::optional<CheckpointId> last_checkpoint_;
  std::unique_ptr<TaskChain> chain_;
  std::unique_ptr<SourceDriver> source_;
  std::vector<std::unique_ptr<AttemptContext<RuntimeContext>>> function_contexts_;
  std::vector<std::unique_ptr<SinkDriver>> sinks_;

  Mailbox mailbox_;
  std::thread thread_;
};

}  // namespace weir
