#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "taskmanager/commit/commit_runner.h"
#include "taskmanager/commit/commit_tracker.h"
#include "taskmanager/commit/commit_wait.h"
#include "taskmanager/runtime/attempt_context.h"
#include "taskmanager/runtime/control_sender.h"
#include "taskmanager/task/task_chain.h"

namespace weir {

namespace pb {
class OperatorState;
}  // namespace pb

// Drives one sink writer: prepares at barriers, has the committer's runner commit on notifications,
// and releases what can't be asked for any more. The decisions are CommitTracker's.
//
// Confined to its task's thread. The chain, the sender and what `post` posts to outlive it. Methods
// throw what the writer throws; the committer's failures are thrown on the task's thread too. It
// never aborts what is prepared, however it ends.
class SinkDriver {
 public:
  // Runs a function on the task's thread, as user code; called by the runner's thread.
  using PostToTask = std::function<void(absl::AnyInvocable<void()>)>;

  SinkDriver(TaskChain::Sink& sink, AttemptInfo attempt, int subtask, int parallelism,
             const std::atomic<bool>& cancelled, Gauges& gauges, ControlSender& sender,
             PostToTask post, CommitRunner::Backoff backoff);

  void open(uint64_t generation);
  bool writable() { return !tracker_.is_behind() && sink_.writer->writable(); }
  // Prepares, and describes all that the checkpoint must hold.
  void snapshot(CheckpointId checkpoint, pb::OperatorState& state);
  void notify_checkpoint_complete(CheckpointId checkpoint);
  IoCounts io_counts() const { return sink_.writer->io_counts(); }
  // Waits for a commit that is under way.
  void stop_committing() { runner_.reset(); }
  void close() { sink_.writer->close(); }

 private:
  void start_runner();
  void execute(CommitTracker::Decision decision);
  // In the gauges and in the log.
  void show_commits();
  // On the runner's thread. The report goes out before the tracker stops carrying the committable.
  void report(const Committable& committable, const CommitResult& result);

  TaskChain::Sink& sink_;
  AttemptContext<RuntimeContext> context_;
  ControlSender& sender_;
  const PostToTask post_;
  const CommitRunner::Backoff backoff_;
  CommitTracker tracker_;
  CommitWait commit_wait_;
  std::unique_ptr<CommitRunner> runner_;  // null before open, or with nothing to commit
};

}  // namespace weir
