#pragma once

#include <memory>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

#include "weir/keyed_operator.h"
#include "weir/stream.h"

namespace weir {

class EventTimeWindows;
template <typename T, typename Selector>
class WindowedStream;

// The records of a stream, those with the same key together in one subtask, in the order in which
// each subtask before sent them. Made by DataStream::key_by().
//
//   lines.key_by([](std::string_view line) { return line.substr(0, line.find(',')); })
//       .process(Counting())
//
// A key is anything with a Codec but floating point. T and K need a Codec, for records cross
// between tasks here.
template <typename T, typename Selector>
class KeyedStream {
 public:
  using Element = T;
  using Key = internal::KeyOf<Selector, T>;

  KeyedStream(StreamGraph& graph, std::vector<StreamEdge> edges, Selector selector)
      : graph_(&graph), edges_(std::move(edges)), selector_(std::move(selector)) {
    static_assert(is_serializable<T>,
                  "key_by() sends records between tasks: add WEIR_FIELDS(...) to their type");
    static_assert(is_serializable<Key>, "a key needs a codec: add WEIR_FIELDS(...) to its type");
    for (StreamEdge& edge : edges_) {
      edge.partitioning = Partitioning::kHash;
      edge.factory = std::make_shared<internal::HashEdge<T, Key, Selector>>(selector_);
    }
  }

  // A KeyedProcessFunction<Key, T, Out>, copied into every subtask.
  template <typename F>
  DataStream<typename F::Result> process(F function) const {
    static_assert(
        std::is_base_of_v<KeyedProcessFunction<Key, T, typename F::Result>, F>,
        "process() takes a class derived from KeyedProcessFunction<Key, In, Out> whose In is the "
        "stream's element type and whose Key is what key_by()'s function makes");
    using Op = internal::KeyedProcessOperator<Selector, F>;
    return add<Op, typename F::Result>("Keyed Process", std::move(function));
  }

  // function(kept, value) → T, associative. Emits for each record what its key has come to.
  template <typename F>
  DataStream<T> reduce(F function) const {
    return add<internal::ReduceOperator<T, Selector, F>, T>("Keyed Reduce", std::move(function));
  }

  // The running sum of a member, e.g. sum(&Order::price); the other members are those of the key's
  // first record.
  template <typename M>
  DataStream<T> sum(M T::* member) const {
    return reduce([member](const T& kept, const T& value) {
             T result = kept;
             result.*member += value.*member;
             return result;
           })
        .name("Keyed Sum");
  }

  // TumblingEventTimeWindows::of(1s), SlidingEventTimeWindows::of(60s, 1s): see windowed_stream.h.
  WindowedStream<T, Selector> window(EventTimeWindows windows) const;

  // For classes that add operators: Op is constructed as for internal::OperatorNode.
  template <typename Op, typename Out, typename F>
  DataStream<Out> add(const char* name, F function) const {
    using Parts = internal::KeyedFunction<Selector, F>;
    const int node =
        internal::add_node(*graph_, NodeKind::kOperator, name, edges_, typeid(Out).name(),
                           std::make_shared<internal::OperatorNode<Op, Out, Parts>>(
                               Parts{selector_, std::move(function)}));
    graph_->nodes[static_cast<std::size_t>(node)].keyed = true;
    return {*graph_, node};
  }

 private:
  StreamGraph* graph_;
  std::vector<StreamEdge> edges_;
  Selector selector_;
};

template <typename T>
template <typename Selector>
KeyedStream<T, Selector> DataStream<T>::key_by(Selector selector) const {
  return {*graph_, edges_, std::move(selector)};
}

}  // namespace weir
