#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "weir/event_time_windows.h"
#include "weir/keyed_stream.h"
#include "weir/window_operator.h"

namespace weir {

// The records of each key in windows of event time. A window's result comes when the watermark
// passes its end, with the window's last timestamp. Made by KeyedStream::window().
//
//   orders.key_by([](const Order& order) -> const std::string& { return order.customer; })
//       .window(SlidingEventTimeWindows::of(60s, 1s))
//       .reduce<std::string>(add, [](std::string_view customer, const TimeWindow& window,
//                                    const Order& sum, Collector<std::string>& out) { … });
//
// Records need timestamps, and their stream watermarks: see WatermarkStrategy. A late record, which
// comes after its window's result, is dropped unless one of the following says otherwise.
//
// `emit` of the calls below is called as emit(key, window, result, Collector<Out>&) and may emit
// any number of elements; without it the results are the stream.
template <typename T, typename Selector>
class WindowedStream {
 public:
  WindowedStream(KeyedStream<T, Selector> stream, EventTimeWindows windows)
      : stream_(std::move(stream)), windows_(windows) {}

  // So long after its end a window takes late records; each makes it fire again for its key.
  WindowedStream allowed_lateness(std::chrono::milliseconds lateness) && {
    if (lateness.count() < 0) throw FatalError("the allowed lateness of a window is negative");
    allowed_lateness_ = lateness.count();
    return std::move(*this);
  }
  // Records that are too late for all their windows go there: see get_side_output() of the result.
  WindowedStream side_output_late_data(OutputTag<T> tag) && {
    late_data_ = std::move(tag);
    return std::move(*this);
  }

  // function(a, b) → T, associative; the records of the window from the first to the last slice,
  // within a slice as they came.
  template <typename F>
  DataStream<T> reduce(F function) const {
    return reduce<T>(std::move(function), internal::EmitResult());
  }
  template <typename Out, typename F, typename Emit>
  DataStream<Out> reduce(F function, Emit emit) const {
    using Contents = internal::ReducedContents<T, F>;
    return add<Out, Contents>("Window Reduce", {std::move(function)}, std::move(emit));
  }

  // An aggregate function as in state/state.h. For sliding windows it has also
  // void merge(const Accumulator& later, Accumulator& accumulator) const.
  template <typename A>
  DataStream<typename A::Result> aggregate(A function) const {
    return aggregate<typename A::Result>(std::move(function), internal::EmitResult());
  }
  template <typename Out, typename A, typename Emit>
  DataStream<Out> aggregate(A function, Emit emit) const {
    using Contents = internal::AggregatedContents<T, A>;
    if (windows_.is_sliced() && !Contents::kMerges) {
      throw FatalError(
          "a sliding window is merged from slices: give its aggregate function "
          "void merge(const Accumulator& later, Accumulator& accumulator) const");
    }
    return add<Out, Contents>("Window Aggregate", {std::move(function)}, std::move(emit));
  }

  // emit(key, window, const std::vector<T>& records, Collector<Out>&). Keeps every record until its
  // windows are over: prefer reduce() and aggregate().
  template <typename Out, typename Emit>
  DataStream<Out> process(Emit emit) const {
    return add<Out, internal::ListedContents<T>>("Window Process", {}, std::move(emit));
  }

 private:
  template <typename Out, typename Contents, typename Emit>
  DataStream<Out> add(const char* name, Contents contents, Emit emit) const {
    static_assert(is_serializable<typename Contents::Accumulator>,
                  "what a window keeps is state: add WEIR_FIELDS(...) to its type");
    using Op = internal::WindowOperator<T, Selector, Contents, Emit, Out>;
    return stream_.template add<Op, Out>(
        name, typename Op::Function{windows_, allowed_lateness_, late_data_, std::move(contents),
                                    std::move(emit)});
  }

  KeyedStream<T, Selector> stream_;
  EventTimeWindows windows_;
  Timestamp allowed_lateness_ = 0;
  std::optional<OutputTag<T>> late_data_;
};

template <typename T, typename Selector>
WindowedStream<T, Selector> KeyedStream<T, Selector>::window(EventTimeWindows windows) const {
  return {*this, windows};
}

}  // namespace weir
