#pragma once

#include <limits>

#include "weir/context.h"
#include "weir/operator.h"
#include "weir/state/keyed_state.h"
#include "weir/state/timers.h"

namespace weir {

// Where a keyed function declares its states, in open(); see state/state.h.
template <typename K>
class KeyedOpenContext {
 public:
  KeyedOpenContext(RuntimeContext& runtime, KeyedState<K>& state)
      : runtime_(runtime), state_(state) {}

  RuntimeContext& runtime() { return runtime_; }

  template <typename T>
  ValueState<T> get_state(const ValueStateDescriptor<T>& descriptor) {
    return state_.get_state(descriptor);
  }
  template <typename T>
  ListState<T> get_list_state(const ListStateDescriptor<T>& descriptor) {
    return state_.get_list_state(descriptor);
  }
  template <typename UK, typename UV>
  MapState<UK, UV> get_map_state(const MapStateDescriptor<UK, UV>& descriptor) {
    return state_.get_map_state(descriptor);
  }
  template <typename T>
  ReducingState<T> get_reducing_state(const ReducingStateDescriptor<T>& descriptor) {
    return state_.get_reducing_state(descriptor);
  }
  template <typename F>
  AggregatingState<F> get_aggregating_state(const AggregatingStateDescriptor<F>& descriptor) {
    return state_.get_aggregating_state(descriptor);
  }

 private:
  RuntimeContext& runtime_;
  KeyedState<K>& state_;
};

enum class TimeDomain { kEventTime, kProcessingTime };

// What a keyed function sees of the record or timer that it handles, and where it sets timers: on
// the current key, each time once. Times are milliseconds since the epoch.
template <typename K>
class KeyedContext {
 public:
  // Declares the timers' tables.
  explicit KeyedContext(KeyedState<K>& state)
      : state_(state),
        event_timers_(state.timers("event-time-timers")),
        processing_timers_(state.timers("processing-time-timers")) {}

  const K& current_key() const { return state_.current_key(); }
  // Of the record, or the time of the timer.
  Timestamp timestamp() const { return timestamp_; }
  // The least timestamp before the first watermark.
  Timestamp current_watermark() const { return watermark_; }
  Timestamp current_processing_time() const { return processing_time_; }

  // Fires when the watermark comes to `time`; one of the past, at the next watermark.
  void register_event_time_timer(Timestamp time) { event_timers_.register_timer(time); }
  void delete_event_time_timer(Timestamp time) { event_timers_.delete_timer(time); }
  // Fires soon after the clock comes to `time`.
  void register_processing_time_timer(Timestamp time) { processing_timers_.register_timer(time); }
  void delete_processing_time_timer(Timestamp time) { processing_timers_.delete_timer(time); }

  // For the operator.
  void set_timestamp(Timestamp timestamp) { timestamp_ = timestamp; }
  void set_watermark(Timestamp watermark) { watermark_ = watermark; }
  void set_processing_time(Timestamp now) { processing_time_ = now; }
  TimerQueue<K>& timers(TimeDomain domain) {
    return domain == TimeDomain::kEventTime ? event_timers_ : processing_timers_;
  }

 private:
  KeyedState<K>& state_;
  TimerQueue<K>& event_timers_;
  TimerQueue<K>& processing_timers_;
  Timestamp processing_time_ = 0;
  Timestamp timestamp_ = kNoTimestamp;
  Timestamp watermark_ = std::numeric_limits<Timestamp>::min();
};

// A function with state by key: derive, and pass to KeyedStream::process(). Copied into every
// subtask; each copy has the keys of its subtask.
//
//   class Counting : public KeyedProcessFunction<std::string, std::string, std::int64_t> {
//    public:
//     void open(OpenContext& context) override {
//       count_ = context.get_state(ValueStateDescriptor<std::int64_t>("count"));
//     }
//     void process_element(std::string_view line, Context& context,
//                          Collector<std::int64_t>& out) override {
//       count_.update(count_.value_or(0) + 1);
//       out.collect(*count_.value());
//     }
//
//    private:
//     ValueState<std::int64_t> count_;
//   };
template <typename K, typename In, typename Out>
class KeyedProcessFunction {
 public:
  using Key = K;
  using Input = In;
  using Result = Out;
  using OpenContext = KeyedOpenContext<K>;
  using Context = KeyedContext<K>;

  virtual ~KeyedProcessFunction() = default;
  virtual void open(OpenContext& /*context*/) {}
  virtual void process_element(ViewOf<In> value, Context& context, Collector<Out>& out) = 0;
  // A timer of context.current_key() is due. What is emitted carries the timer's time as timestamp,
  // none if that is processing time.
  virtual void on_timer(Timestamp /*time*/, TimeDomain /*domain*/, Context& /*context*/,
                        Collector<Out>& /*out*/) {}
  virtual void close() {}
};

}  // namespace weir
