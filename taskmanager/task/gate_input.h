#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/mutex.h"
#include "taskmanager/network/element_assembler.h"
#include "taskmanager/network/input_gate.h"
#include "taskmanager/task/barrier_aligner.h"
#include "taskmanager/task/checkpoint_trigger.h"
#include "taskmanager/task/task_input.h"
#include "taskmanager/task/watermark_valve.h"
#include "weir/exchange.h"

namespace weir {

// Reads what other tasks send: records go to the receivers a buffer at a time, event time through
// the WatermarkValve to the chain's head, barriers to the BarrierAligner, which says which channels
// wait and when the task takes its snapshot.
//
// Confined to its task's thread, but for wake_up(). The head, the receivers and what the callbacks
// use outlive it.
class GateInput final : public TaskInput {
 public:
  struct Gate {
    std::unique_ptr<InputGate> gate;
    RecordReceiver* receiver = nullptr;
  };
  struct Callbacks {
    // Every channel's barrier has come; the channels are read on when it returns.
    std::function<void(const CheckpointTrigger&, const AlignmentTimes&)> take_checkpoint;
    // The checkpoint won't be taken. `why` is empty when those who know have been told.
    std::function<void(CheckpointId, const std::string& why)> give_up_checkpoint;
  };

  GateInput(std::vector<Gate> gates, OutputBase& head, BarrierAligner::Mode mode,
            Callbacks callbacks);

  // Asks the producers for their channels: all are deployed.
  void open(uint64_t generation) override;
  PollStatus poll(std::chrono::milliseconds wait) override;
  void end_batch() override { batch_ = Buffer(); }
  void snapshot(CheckpointId, pb::AcknowledgeCheckpoint&) override {}
  void on_checkpoint_complete(CheckpointId) override {}
  void on_checkpoint_aborted(CheckpointId checkpoint) override;
  IoCounts io_counts() const override { return counts_; }
  void wake_up() override;

 private:
  // A channel of one of the gates; numbered through all of them.
  struct Channel {
    Gate* gate = nullptr;
    int index = 0;  // in its gate
    ElementAssembler assembler;
  };
  struct Alignment {
    CheckpointTrigger trigger;
    MonotonicTime begin;
    std::chrono::microseconds start_delay;
  };

  bool poll_gates();
  void wait_for_wake_up(std::chrono::milliseconds wait);
  void on_buffer(int channel);
  void on_event(int channel, const Event& event);
  void on_barrier(int channel, const Event& barrier);
  void execute(const BarrierAligner::Decision& decision, const std::string& why_given_up);
  void pass_on(const WatermarkValve::Decision& decision);
  void deliver(RecordReceiver& receiver);

  std::vector<Gate> gates_;
  std::vector<Channel> channels_;
  std::vector<int> first_channel_;  // by gate
  OutputBase& head_;
  const Callbacks callbacks_;
  BarrierAligner aligner_;
  WatermarkValve valve_;
  std::map<CheckpointId, Alignment> alignments_;
  size_t next_gate_ = 0;
  bool end_told_ = false;
  Buffer batch_;
  std::vector<ElementView> records_;
  IoCounts counts_;

  Mutex mutex_;
  CondVar changed_;
  bool woken_ WEIR_GUARDED_BY(mutex_) = false;
};

}  // namespace weir
