#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "taskmanager/runtime/attempt_context.h"
#include "taskmanager/runtime/control_sender.h"
#include "taskmanager/task/task_chain.h"
#include "taskmanager/task/task_input.h"
#include "weir/source.h"

namespace weir {

namespace pb {
class SourceEvent;
}  // namespace pb

// Drives one source reader: its events from and to the coordinator, its batches, its place in the
// checkpoint.
//
// Confined to its task's thread, but for wake_up(). The chain and the sender outlive it. Methods
// throw what the reader throws.
class SourceDriver final : public TaskInput {
 public:
  // REQUIRES: the chain has a source.
  SourceDriver(TaskChain& chain, AttemptInfo attempt, int subtask, int parallelism,
               const std::atomic<bool>& cancelled, Gauges& gauges, ControlSender& sender);

  void open(uint64_t generation) override;
  void on_event(const pb::SourceEvent& event);
  PollStatus poll(std::chrono::milliseconds wait) override;
  void snapshot(CheckpointId checkpoint, pb::AcknowledgeCheckpoint& acknowledge) override;
  void on_checkpoint_complete(CheckpointId checkpoint) override;
  void on_checkpoint_aborted(CheckpointId) override {}  // what its sink prepared is carried on
  IoCounts io_counts() const override { return source_.reader->io_counts(); }
  void wake_up() override { source_.reader->wake_up(); }
  void close() override { source_.reader->close(); }

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
  OutputBase& head_;
  Context context_;
};

}  // namespace weir
