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

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/ids.h"
#include "common/mailbox.h"
#include "common/mutex.h"
#include "taskmanager/commit/commit_runner.h"
#include "taskmanager/network/network_environment.h"
#include "taskmanager/runtime/control_sender.h"
#include "taskmanager/runtime/user_code.h"
#include "taskmanager/state/keyed_state_backends.h"
#include "taskmanager/task/checkpoint_trigger.h"
#include "taskmanager/task/gate_input.h"
#include "taskmanager/task/in_flight_recorder.h"
#include "taskmanager/task/operator_driver.h"
#include "taskmanager/task/pending_checkpoints.h"
#include "taskmanager/task/sink_driver.h"
#include "taskmanager/task/source_driver.h"
#include "taskmanager/task/task_chain.h"
#include "taskmanager/task/task_counters.h"
#include "taskmanager/task/task_outputs.h"
#include "taskmanager/task/task_reporter.h"
#include "taskmanager/task/task_spec.h"
#include "taskmanager/task/task_state.h"
#include "weir/graph.h"

namespace weir {

namespace pb {
class SourceEvent;
class TaskId;
class TaskMetrics;
}  // namespace pb

// One subtask of one chain in one attempt: a thread that reads the source, or what other tasks
// send, in batches and, between two batches, handles what is in its mailbox. So operators, writers
// and the tracker need no lock.
//
// A checkpoint begins at the sources, by trigger_checkpoint(); to the other tasks it comes as a
// barrier among their records. A batch is read only while sinks and partitions take records.
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
    NetworkEnvironment* network = nullptr;         // may be null for a task without edges to others
    KeyedStateBackends* state_backends = nullptr;  // may be null for a task without keyed state
    std::function<void()> on_ended;
    CommitRunner::Backoff commit_backoff = {};
  };

  // Starts the thread, which builds the chain and reports DEPLOYED.
  explicit Task(Options options);
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;
  ~Task();  // cancels, and waits for the thread

  // Opens the operators, asks the producers for what they send, and reports RUNNING when what was
  // in flight in the restored checkpoint is fed. REQUIRES: all tasks that this one reads are
  // deployed.
  void start(Generation generation);
  void on_source_event(pb::SourceEvent event);
  // Nothing happens in a task without source.
  void trigger_checkpoint(CheckpointTrigger trigger);
  void notify_checkpoint_complete(CheckpointId checkpoint);
  void notify_checkpoint_aborted(CheckpointId checkpoint);
  void cancel();

  const TaskSpec& spec() const { return options_.spec; }
  pb::TaskId id() const;
  pb::TaskMetrics metrics() const;

 private:
  static MonotonicTime now();
  // Throws Error if the fault point has struck.
  static void throw_fault(const absl::Status& status);

  void run();
  void build();
  void make_recorder();
  void make_operators();
  void make_input(const StreamGraph& graph);
  std::unique_ptr<InputGate> create_gate(const GateSpec& spec);
  void open(Generation generation);

  // One step of the thread: a batch, or a wait for something to do.
  void step();
  bool reading() const;
  void process_batch();
  void count_batch();
  void wait_in_mailbox(std::chrono::nanoseconds most);
  // Of `most`, what passes before a flush or a timer is due.
  std::chrono::nanoseconds time_to_wait(std::chrono::nanoseconds most) const;
  void advance_processing_time();

  void on_trigger(CheckpointTrigger trigger);
  void take_checkpoint(const CheckpointTrigger& trigger, const Alignment& alignment,
                       bool unaligned);
  void snapshot_and_acknowledge(const CheckpointTrigger& trigger, const Alignment& alignment,
                                bool unaligned);
  // The barrier goes to the outputs, and records in flight are recorded from here on.
  void send_barrier(const CheckpointTrigger& trigger, bool ahead);
  void on_inputs_recorded(CheckpointId checkpoint, const Alignment& alignment);
  // Sends a barrier ahead that has waited too long; stores what was recorded once it's all.
  void continue_recording();
  void drop_checkpoint(CheckpointId checkpoint);
  void on_in_flight_stored(CheckpointId checkpoint, absl::StatusOr<pb::InFlightHandle> handle);
  void acknowledge_if_complete(PendingCheckpoints::Acknowledgement acknowledgement);
  // The next slices of snapshots that are open, for as long as the last batch took: records that
  // take long mustn't make snapshots take long. Returns how long the slices after them wait.
  std::chrono::nanoseconds continue_snapshots();
  void on_state_stored(CheckpointId checkpoint, const std::string& uid,
                       absl::StatusOr<pb::KeyedStateHandle> handle);
  void on_aborted(CheckpointId checkpoint);
  void give_up_checkpoint(CheckpointId checkpoint, const std::string& why);
  void on_complete(CheckpointId checkpoint);
  void release_resources();
  void close_parts();

  // Enqueues what runs unless the task has ended by then; what it throws fails the task.
  void post(absl::AnyInvocable<void()> function);
  void post_failure(const absl::Status& status);
  template <typename F>
  void guard(F&& function);
  bool takes_checkpoints() const {
    return state_ == TaskState::kRunning || state_ == TaskState::kDrained;
  }
  void fail(const Failure& failure);
  void transition(TaskState to, const Failure& failure = {});

  // The records in flight of a checkpoint that was taken: what of them is still to come.
  struct Recording {
    CheckpointTrigger trigger;
    bool inputs = false;            // barriers are missing
    bool outputs = false;           // the barrier waits, and may overtake
    MonotonicTime send_ahead = {};  // when it does
  };

  const Options options_;
  TaskReporter reporter_;
  std::atomic<bool> cancelled_{false};
  Gauges gauges_;
  TaskCounters counters_;

  Mutex wake_up_mutex_;
  TaskInput* wakeable_ WEIR_GUARDED_BY(wake_up_mutex_) = nullptr;
  Mutex cancel_mutex_;
  TaskOutputs* cancellable_ WEIR_GUARDED_BY(cancel_mutex_) = nullptr;

  // The task's thread only; each refers to what stands above it.
  TaskState state_ = TaskState::kBuilding;
  bool opened_ = false;
  bool stopped_ = false;                    // by a stop with savepoint: no source is read any more
  bool idle_ = false;                       // the last poll brought nothing: the next one may wait
  std::chrono::nanoseconds batch_time_{0};  // of the last batch, if it didn't wait
  std::chrono::nanoseconds snapshot_wait_ = std::chrono::nanoseconds::max();  // for next slices
  std::optional<CheckpointId> last_checkpoint_;
  PendingCheckpoints pending_;
  std::string head_uid_;                        // of the chain's first operator
  std::unique_ptr<InFlightRecorder> recorder_;  // null: no checkpoint is unaligned
  std::optional<Recording> recording_;
  std::unique_ptr<TaskOutputs> outputs_;
  std::vector<std::unique_ptr<OperatorDriver>> operators_;  // with the chain's state backends
  std::unique_ptr<TaskChain> chain_;
  std::vector<std::unique_ptr<SinkDriver>> sinks_;
  std::unique_ptr<TaskInput> input_;
  SourceDriver* source_ = nullptr;  // the input, if it is one

  Mailbox mailbox_;
  std::thread thread_;
};

}  // namespace weir
