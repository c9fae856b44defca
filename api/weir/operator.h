// The typed operators that a chain is made of. A chain is built from its end: each operator is
// given the output behind it, so a record passes through the chain by one call per operator.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "weir/arena.h"
#include "weir/context.h"
#include "weir/key_group.h"
#include "weir/output.h"
#include "weir/side_output.h"

namespace weir {

// What functions like flat_map emit into. Keeps the timestamp of the record being processed.
template <typename T>
class Collector {
 public:
  explicit Collector(Output<T>& output, SideOutputs side_outputs = {})
      : output_(output), side_outputs_(std::move(side_outputs)) {}
  void collect(ViewOf<T> value) { output_.collect(value, timestamp_); }
  void collect(ViewOf<T> value, Timestamp timestamp) { output_.collect(value, timestamp); }
  // Emits into a side output, with the same timestamp. Dropped when nothing reads it.
  template <typename Side>
  void output(const OutputTag<Side>& tag, std::type_identity_t<ViewOf<Side>> value) {
    if (Output<Side>* const output = side_outputs_.find(tag)) output->collect(value, timestamp_);
  }
  // Valid until the batch ends.
  Arena& arena() { return arena_; }

  Timestamp timestamp() const { return timestamp_; }
  void set_timestamp(Timestamp timestamp) { timestamp_ = timestamp; }
  const SideOutputs& side_outputs() const { return side_outputs_; }

 private:
  Output<T>& output_;
  const SideOutputs side_outputs_;
  Arena arena_;
  Timestamp timestamp_ = kNoTimestamp;
};

// A user's function with a life: derive, and pass to DataStream::process().
template <typename In, typename Out>
class ProcessFunction {
 public:
  using Input = In;
  using Result = Out;
  virtual ~ProcessFunction() = default;
  virtual void open(RuntimeContext& /*context*/) {}
  virtual void process_element(ViewOf<In> value, Collector<Out>& out) = 0;
  virtual void close() {}
};

class KeyedStateBase;
class StateBackend;

// State of an operator that belongs to no key: a list of items in each subtask. When the job comes
// back, at any parallelism, the items of all subtasks are dealt out (kSplit) or each subtask gets
// all of them (kUnion).
struct OperatorList {
  enum class Redistribution { kSplit, kUnion };
  std::string name;
  Redistribution redistribution = Redistribution::kSplit;
  std::vector<std::string> items;
};

// One operator in one subtask. Confined to its task's thread. Calls come in this order:
// create_keyed_state, open, the restore of what a checkpoint holds, any of the rest, close.
class Operator {
 public:
  virtual ~Operator() = default;
  virtual OutputBase& input() = 0;  // an Output<In>
  // Of a keyed operator: its state, which it owns. Declared by open(), restored and snapshot by the
  // task. The backend outlives the operator.
  virtual KeyedStateBase* create_keyed_state(StateBackend& /*backend*/,
                                             KeyGroupRange /*key_groups*/,
                                             int /*max_parallelism*/) {
    return nullptr;
  }
  virtual void open(RuntimeContext& /*context*/) {}
  // At the barrier, and after open() when there is something to restore.
  virtual std::vector<OperatorList> snapshot_lists() { return {}; }
  virtual void restore_lists(std::span<const OperatorList> /*lists*/) {}
  // Wall-clock time in milliseconds since the epoch: before each batch, and when the next timer is
  // due. Never falls.
  virtual void advance_processing_time(Timestamp /*now*/) {}
  // kMaxWatermark: none.
  virtual Timestamp next_processing_timer() const { return kMaxWatermark; }
  virtual void end_batch() {}
  virtual void close() {}
};

namespace internal {

// An operator as the chain sees it: the place where its records of type In go. Passes event time
// on to `next`.
template <typename In>
class ChainedOperator : public Operator, public Output<In> {
 public:
  explicit ChainedOperator(OutputBase& next) : next_(next) {}
  OutputBase& input() final { return *this; }
  void watermark(Timestamp watermark) override { next_.watermark(watermark); }
  void idle(bool idle) override { next_.idle(idle); }

 private:
  OutputBase& next_;
};

template <typename F, typename In>
decltype(auto) call_with_arena(F& function, ViewOf<In> value, Arena& arena) {
  if constexpr (std::is_invocable_v<F&, ViewOf<In>, Arena&>) {
    return function(value, arena);
  } else {
    return function(value);
  }
}

template <typename F, typename In>
using MapResult = decltype(call_with_arena<F, In>(std::declval<F&>(), std::declval<ViewOf<In>>(),
                                                  std::declval<Arena&>()));

template <typename In, typename Out, typename F>
class MapOperator final : public ChainedOperator<In> {
 public:
  MapOperator(F function, Output<Out>& next)
      : ChainedOperator<In>(next), function_(std::move(function)), next_(next) {}
  void collect(ViewOf<In> value, Timestamp timestamp) override {
    next_.collect(call_with_arena<F, In>(function_, value, arena_), timestamp);
  }
  void end_batch() override { arena_.reset(); }

 private:
  F function_;
  Output<Out>& next_;
  Arena arena_;
};

template <typename In, typename F>
class FilterOperator final : public ChainedOperator<In> {
 public:
  FilterOperator(F function, Output<In>& next)
      : ChainedOperator<In>(next), function_(std::move(function)), next_(next) {}
  void collect(ViewOf<In> value, Timestamp timestamp) override {
    if (function_(value)) next_.collect(value, timestamp);
  }

 private:
  F function_;
  Output<In>& next_;
};

template <typename In, typename Out, typename F>
class FlatMapOperator final : public ChainedOperator<In> {
 public:
  FlatMapOperator(F function, Output<Out>& next)
      : ChainedOperator<In>(next), function_(std::move(function)), out_(next) {}
  void collect(ViewOf<In> value, Timestamp timestamp) override {
    out_.set_timestamp(timestamp);
    function_(value, out_);
  }
  void end_batch() override { out_.arena().reset(); }

 private:
  F function_;
  Collector<Out> out_;
};

template <typename F>
class ProcessOperator final : public ChainedOperator<typename F::Input> {
 public:
  ProcessOperator(F function, Output<typename F::Result>& next, const SideOutputs& side_outputs)
      : ChainedOperator<typename F::Input>(next),
        function_(std::move(function)),
        out_(next, side_outputs) {}
  void open(RuntimeContext& context) override { function_.open(context); }
  void collect(ViewOf<typename F::Input> value, Timestamp timestamp) override {
    out_.set_timestamp(timestamp);
    function_.process_element(value, out_);
  }
  void watermark(Timestamp watermark) override {
    out_.side_outputs().watermark(watermark);
    ChainedOperator<typename F::Input>::watermark(watermark);
  }
  void idle(bool idle) override {
    out_.side_outputs().idle(idle);
    ChainedOperator<typename F::Input>::idle(idle);
  }
  void end_batch() override { out_.arena().reset(); }
  void close() override { function_.close(); }

 private:
  F function_;
  Collector<typename F::Result> out_;
};

// A stream that several operators of the chain read, or none.
template <typename T>
class FanOut final : public Output<T> {
 public:
  explicit FanOut(std::vector<OutputBase*> outputs) {
    for (OutputBase* output : outputs) outputs_.push_back(static_cast<Output<T>*>(output));
  }
  void collect(ViewOf<T> value, Timestamp timestamp) override {
    for (Output<T>* output : outputs_) output->collect(value, timestamp);
  }
  void collect_batch(std::span<const Record<T>> records) override {
    for (Output<T>* output : outputs_) output->collect_batch(records);
  }
  void watermark(Timestamp watermark) override {
    for (Output<T>* output : outputs_) output->watermark(watermark);
  }
  void idle(bool idle) override {
    for (Output<T>* output : outputs_) output->idle(idle);
  }

 private:
  std::vector<Output<T>*> outputs_;
};

}  // namespace internal
}  // namespace weir
