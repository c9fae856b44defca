#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "taskmanager/runtime/attempt_context.h"
#include "taskmanager/runtime/control_sender.h"
#include "taskmanager/task/task_chain.h"
#include "weir/source.h"

namespace weir {

namespace pb {
class OperatorState;
class SourceEvent;
}  // namespace pb

// Drives one source reader: its events from and to the coordinator, its batches, its place in the
// checkpoint.
//
// Confined to its task's thread, but for wake_up(). The chain and the sender outlive it. Methods
// throw what the reader throws.
class SourceDriver {
 public:
  SourceDriver(TaskChain::Source& source, AttemptInfo attempt, int subtask, int parallelism,
               const std::atomic<bool>& cancelled, Gauges& gauges, ControlSender& sender);

  void open(uint64_t generation);
  void on_event(const pb::SourceEvent& event);
  PollStatus poll(std::chrono::milliseconds wait) { return source_.reader->poll(wait); }
  void snapshot(int64_t checkpoint_id, pb::OperatorState& state);
  void notify_checkpoint_complete(int64_t checkpoint_id);
  IoCounts io_counts() const { return source_.reader->io_counts(); }
  // Any thread.
  void wake_up() { source_.reader->wake_up(); }
  void close() { source_.reader->close(); }

 private:
  class Context final : public AttemptContext<SourceReaderContext> {
   public:
    Context(AttemptInfo attempt, std::string uid, int subtask, int parallelism,
            const std::atomic<bool>& cancelled, Gauges& gauges, ControlSender& sender)
        : AttemptContext(std::move(attempt), std::move(uid), subtask, parallelism, cancelled,
                         gauges),
          sender_(sender) {}
    void send_to_coordinator(std::string event) override;

   private:
    ControlSender& sender_;
  };

  TaskChain::Source& source_;
  Context context_;
};

}  // namespace weir
