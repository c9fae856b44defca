#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "common/ids.h"
#include "taskmanager/runtime/attempt_context.h"
#include "taskmanager/task/task_chain.h"
#include "taskmanager/task/task_spec.h"

namespace weir {

namespace pb {
class OperatorState;
}  // namespace pb

// Drives one operator of a chain: its state, and its timers in processing time.
//
// Confined to its task's thread. The chain and the spec outlive it. Methods throw what the operator
// throws.
class OperatorDriver {
 public:
  OperatorDriver(TaskChain::Function& function, const TaskSpec& spec,
                 const std::atomic<bool>& cancelled, Gauges& gauges);

  // With the state of the checkpoint that the attempt begins with.
  void open(uint64_t generation);
  // False if it has nothing to say.
  bool snapshot(pb::OperatorState& state);
  void advance_processing_time(Timestamp now) { operator_.advance_processing_time(now); }
  Timestamp next_processing_timer() const { return operator_.next_processing_timer(); }
  void close() { operator_.close(); }

 private:
  void restore_lists(const pb::OperatorState& state);

  Operator& operator_;
  AttemptContext<RuntimeContext> context_;
  const std::shared_ptr<const pb::OperatorState> restored_;  // null: nothing
};

}  // namespace weir
