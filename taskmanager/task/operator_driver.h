#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>

#include "common/ids.h"
#include "taskmanager/runtime/attempt_context.h"
#include "taskmanager/task/keyed_state_driver.h"
#include "taskmanager/task/task_chain.h"
#include "taskmanager/task/task_spec.h"

namespace weir {

namespace pb {
class OperatorState;
}  // namespace pb

// A file name that tells the keyed state of one operator in one subtask from all others of the job,
// in every attempt.
std::string keyed_state_name(const TaskSpec& spec, int node);

// Drives one operator of a chain: its state, and its timers in processing time.
//
// Confined to its task's thread. It outlives the chain, whose state refers to its backend, and uses
// it no more then; the spec outlives it. Methods throw what the operator throws.
class OperatorDriver {
 public:
  // `backend` is null, and on_stored isn't called, if the operator isn't keyed.
  OperatorDriver(TaskChain::Function& function, const TaskSpec& spec,
                 const std::atomic<bool>& cancelled, Gauges& gauges,
                 std::unique_ptr<KeyedStateBackend> backend, KeyedStateDriver::OnStored on_stored);

  // With the state of the checkpoint that the attempt begins with.
  void open(uint64_t generation);
  // What it has to say now; its keyed state follows by on_stored. False if there is nothing.
  bool snapshot(const CheckpointTrigger& trigger, pb::OperatorState& state);
  // Null if it isn't keyed.
  KeyedStateDriver* keyed_state() { return keyed_state_ ? &*keyed_state_ : nullptr; }
  void advance_processing_time(Timestamp now) { operator_.advance_processing_time(now); }
  Timestamp next_processing_timer() const { return operator_.next_processing_timer(); }
  void close() { operator_.close(); }

 private:
  void restore_lists(const pb::OperatorState& state);

  Operator& operator_;
  AttemptContext<RuntimeContext> context_;
  const std::shared_ptr<const pb::OperatorState> restored_;  // null: nothing
  std::optional<KeyedStateDriver> keyed_state_;
};

}  // namespace weir
