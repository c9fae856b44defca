// The operators behind key_by().
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "weir/keyed_process_function.h"
#include "weir/operator.h"
#include "weir/state/keyed_state.h"

namespace weir::internal {

// The type of key that a selector makes of a T.
template <typename Selector, typename T>
using KeyOf = ElementOf<std::invoke_result_t<Selector&, ViewOf<T>>>;

// What a keyed operator is made from.
template <typename Selector, typename F>
struct KeyedFunction {
  Selector selector;
  F function;
};

// The keys of a batch of records.
template <typename T, typename Selector>
class BatchKeys {
 public:
  using Key = KeyOf<Selector, T>;

  std::span<const StoredKeyView<Key>> find(std::span<const Record<T>> records, Selector& selector) {
    views_.clear();
    if constexpr (kMakesText) {
      if (texts_.size() < records.size()) texts_.resize(records.size());
    }
    for (const Record<T>& record : records) {
      if constexpr (kMakesText) {
        views_.push_back(texts_[views_.size()] = selector(record.value));
      } else {
        views_.push_back(selector(record.value));
      }
    }
    return views_;
  }

 private:
  // The selector returns text that nobody else keeps.
  static constexpr bool kMakesText =
      std::is_same_v<std::invoke_result_t<Selector&, ViewOf<T>>, std::string>;
  static_assert(!std::is_same_v<Key, bool>, "a bool isn't a useful key: it has two values");

  std::vector<StoredKeyView<Key>> views_;
  std::vector<std::string> texts_;
};

// Sets the key of each record before derived().process(value, timestamp); of a batch, looks all
// keys up together first.
template <typename Derived, typename In, typename Selector>
class KeyedOperator : public ChainedOperator<In> {
 public:
  using Key = KeyOf<Selector, In>;

  KeyedOperator(Selector selector, OutputBase& next)
      : ChainedOperator<In>(next), selector_(std::move(selector)) {}

  KeyedStateBase* create_keyed_state(StateBackend& backend, KeyGroupRange key_groups,
                                     int max_parallelism) final {
    state_ = std::make_unique<KeyedState<Key>>(backend, key_groups, max_parallelism);
    return state_.get();
  }
  void collect(ViewOf<In> value, Timestamp timestamp) final {
    const auto& key = selector_(value);
    state_->set_current_key(key);
    derived().process(value, timestamp);
  }
  void collect_batch(std::span<const Record<In>> records) final {
    const auto keys = batch_keys_.find(records, selector_);
    const std::span<const std::uint64_t> hashes = state_->prefetch(keys);
    derived().prefetch(records, keys, hashes);
    for (std::size_t i = 0; i < records.size(); ++i) {
      state_->set_current_key(keys[i], hashes[i]);
      derived().process(records[i].value, records[i].timestamp);
    }
  }

  // For a derived class with tables that KeyedState::prefetch() leaves out.
  void prefetch(std::span<const Record<In>> /*records*/,
                std::span<const StoredKeyView<Key>> /*keys*/,
                std::span<const std::uint64_t> /*hashes*/) {}

 protected:
  KeyedState<Key>& state() { return *state_; }
  const KeyedState<Key>& state() const { return *state_; }

 private:
  Derived& derived() { return static_cast<Derived&>(*this); }

  Selector selector_;
  std::unique_ptr<KeyedState<Key>> state_;
  BatchKeys<In, Selector> batch_keys_;
};

// Keeps function(kept, value) for each key, and emits it for each record.
template <typename T, typename Selector, typename F>
class ReduceOperator final : public KeyedOperator<ReduceOperator<T, Selector, F>, T, Selector> {
 public:
  ReduceOperator(KeyedFunction<Selector, F> parts, Output<T>& next)
      : ReduceOperator::KeyedOperator(std::move(parts.selector), next),
        function_(std::move(parts.function)),
        next_(next) {}
  void open(RuntimeContext& /*context*/) override {
    reduced_ = this->state().get_state(ValueStateDescriptor<T>("reduced"));
  }
  void process(ViewOf<T> value, Timestamp timestamp) {
    if (const T* const kept = reduced_.value()) {
      reduced_.update(T(function_(ViewOf<T>(*kept), value)));
    } else {
      reduced_.update(T(value));
    }
    next_.collect(*reduced_.value(), timestamp);
  }

 private:
  F function_;
  Output<T>& next_;
  ValueState<T> reduced_;
};

// Runs a KeyedProcessFunction.
template <typename Selector, typename F>
class KeyedProcessOperator final
    : public KeyedOperator<KeyedProcessOperator<Selector, F>, typename F::Input, Selector> {
 public:
  using In = typename F::Input;
  using Key = typename F::Key;

  KeyedProcessOperator(KeyedFunction<Selector, F> parts, Output<typename F::Result>& next,
                       const SideOutputs& side_outputs)
      : KeyedProcessOperator::KeyedOperator(std::move(parts.selector), next),
        function_(std::move(parts.function)),
        out_(next, side_outputs) {}

  void open(RuntimeContext& context) override {
    KeyedOpenContext<Key> open_context(context, this->state());
    function_.open(open_context);
    context_.emplace(this->state());
  }
  void process(ViewOf<In> value, Timestamp timestamp) {
    out_.set_timestamp(timestamp);
    context_->set_timestamp(timestamp);
    function_.process_element(value, *context_, out_);
  }
  void watermark(Timestamp watermark) override {
    context_->set_watermark(watermark);
    fire(TimeDomain::kEventTime, watermark);
    out_.side_outputs().watermark(watermark);
    KeyedProcessOperator::KeyedOperator::watermark(watermark);
  }
  void idle(bool idle) override {
    out_.side_outputs().idle(idle);
    KeyedProcessOperator::KeyedOperator::idle(idle);
  }
  void advance_processing_time(Timestamp now) override {
    context_->set_processing_time(now);
    fire(TimeDomain::kProcessingTime, now);
  }
  Timestamp next_processing_timer() const override {
    return context_->timers(TimeDomain::kProcessingTime).next_time().value_or(kMaxWatermark);
  }
  void end_batch() override { out_.arena().reset(); }
  void close() override { function_.close(); }

 private:
  void fire(TimeDomain domain, Timestamp until) {
    TimerQueue<Key>& timers = context_->timers(domain);
    while (const std::optional<Timer<Key>> timer = timers.pop_until(until)) {
      this->state().set_current_key(timer->key);
      context_->set_timestamp(timer->time);
      out_.set_timestamp(domain == TimeDomain::kEventTime ? timer->time : kNoTimestamp);
      function_.on_timer(timer->time, domain, *context_, out_);
    }
  }

  F function_;
  Collector<typename F::Result> out_;
  mutable std::optional<KeyedContext<Key>> context_;  // looking for the next timer tidies up
};

}  // namespace weir::internal
