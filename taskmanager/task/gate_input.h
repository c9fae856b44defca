#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"
#include "common/mutex.h"
#include "taskmanager/network/element_assembler.h"
#include "taskmanager/network/input_gate.h"
#include "taskmanager/task/barrier_aligner.h"
#include "taskmanager/task/checkpoint_trigger.h"
#include "taskmanager/task/in_flight_recorder.h"
#include "taskmanager/task/restored_records.h"
#include "taskmanager/task/task_input.h"
#include "taskmanager/task/watermark_valve.h"
#include "weir/exchange.h"

namespace weir {

// Reads what other tasks send: records go to the receivers a buffer at a time, event time through
// the WatermarkValve to the chain's head, barriers to the BarrierAligner, which says which channels
// wait and when the task takes its snapshot. What belongs to an unaligned checkpoint goes to the
// InFlightRecorder; where there is one, buffers are read in small parts, so that a barrier that
// comes ahead isn't kept waiting by a slow chain.
//
// Of a job that was restored, the records that were in flight come first.
//
// Confined to its task's thread, but for wake_up(). The head, the receivers, the recorder and what
// the callbacks use outlive it.
class GateInput final : public TaskInput {
 public:
  struct Gate {
    std::unique_ptr<InputGate> gate;
    RecordReceiver* receiver = nullptr;
    BarrierAligner::Channel channels = BarrierAligner::Channel::kOvertakable;
    std::vector<InFlightRecorder::Stream> streams = {};  // by channel, if they are overtakable
  };
  struct Callbacks {
    // Every channel's barrier has come, or it is unaligned; the channels are read on when it
    // returns.
    std::function<void(const CheckpointTrigger&, const Alignment&, bool unaligned)> take_checkpoint;
    // An unaligned checkpoint's last barrier has come: all of the inputs that it has is recorded.
    std::function<void(CheckpointId, const Alignment&)> all_recorded;
    // The checkpoint won't be taken. `why` is empty when those who know have been told.
    std::function<void(CheckpointId, const std::string& why)> give_up_checkpoint;
  };

  // `recorder` may be null: no checkpoint is unaligned.
  GateInput(std::vector<Gate> gates, OutputBase& head, BarrierAligner::Mode mode,
            InFlightRecorder* recorder, RestoredRecords restored, Callbacks callbacks);

  // Asks the producers for their channels: all are deployed.
  void open(uint64_t generation) override;
  PollStatus poll(std::chrono::milliseconds wait) override;
  bool restored() const override { return restored_.done(); }
  void poll_events() override;
  MonotonicTime next_timeout() const override;
  void end_batch() override {
    if (rest_.empty()) batch_ = Buffer();
  }
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
  // A checkpoint whose first barrier has come, until its last one has.
  struct Aligning {
    CheckpointTrigger trigger;
    MonotonicTime begin;
    MonotonicTime timeout;  // max() once it's unaligned, or if it's never to be
    std::chrono::microseconds start_delay;
    uint64_t bytes_before = 0;
  };

  bool poll_once();
  bool poll_gates();
  void wait_for_wake_up(std::chrono::milliseconds wait);
  void on_buffer(int channel);
  // Feeds the chain from the rest of the buffer.
  void feed_rest(size_t records_max);
  void on_item(int channel, InputGate::Item item);
  void on_barrier(int channel, const InputGate::Item& item, const Event& barrier);
  void execute(const BarrierAligner::Decision& decision, const std::string& why_given_up);
  void take(CheckpointId checkpoint, bool unaligned);
  Alignment alignment_of(const Aligning& aligning) const;
  // What was taken off the channel, and isn't processed.
  void record_partial_buffer(int channel, const CheckpointTrigger& trigger);
  void record(int channel, const CheckpointTrigger& trigger, InFlightRecorder::Bytes bytes);
  void pass_on(const WatermarkValve::Decision& decision);
  void deliver(RecordReceiver& receiver);

  std::vector<Gate> gates_;
  std::vector<Channel> channels_;
  std::vector<int> first_channel_;  // by gate
  OutputBase& head_;
  const Callbacks callbacks_;
  BarrierAligner aligner_;
  WatermarkValve valve_;
  InFlightRecorder* const recorder_;
  RestoredRecords restored_;
  const size_t records_per_poll_;
  std::map<CheckpointId, Aligning> aligning_;
  size_t next_gate_ = 0;
  bool end_told_ = false;
  Buffer batch_;
  std::string_view rest_;  // of what the batch brought: not processed yet
  int rest_channel_ = 0;
  std::vector<ElementView> records_;
  IoCounts counts_;

  Mutex mutex_;
  CondVar changed_;
  bool woken_ WEIR_GUARDED_BY(mutex_) = false;
};

}  // namespace weir
