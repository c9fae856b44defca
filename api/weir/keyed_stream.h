#pragma once

#include <functional>
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

namespace internal {

// Selects a member, a field or a function.
template <typename T, typename M>
struct MemberSelector {
  M T::* member;
  decltype(auto) operator()(const T& value) const { return std::invoke(member, value); }
};

// What reduces to the first record of which no later one comes `Before` it, by a member.
template <typename T, typename M, typename Before>
struct BestBy {
  M T::* member;
  const T& operator()(const T& kept, const T& value) const {
    return Before()(value.*member, kept.*member) ? value : kept;
  }
};

// What reduces to the first record with the best of all values in a member.
template <typename T, typename M, typename Before>
struct BestOf {
  M T::* member;
  T operator()(const T& kept, const T& value) const {
    T result = kept;
    if (Before()(value.*member, kept.*member)) result.*member = value.*member;
    return result;
  }
};

}  // namespace internal

// The records of a stream, those with the same key together in one subtask, in the order in which
// each subtask before sent them. Made by DataStream::key_by().
//
//   lines.key_by([](std::string_view line) { return line.substr(0, line.find(',')); })
//       .process(Counting())
//
//   orders.key_by(&Order::customer).sum(&Order::price)
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

  // The least, or greatest, value that a member has had; the other members are those of the key's
  // first record.
  template <typename M>
  DataStream<T> min(M T::* member) const {
    return reduce(internal::BestOf<T, M, std::less<>>{member}).name("Keyed Min");
  }
  template <typename M>
  DataStream<T> max(M T::* member) const {
    return reduce(internal::BestOf<T, M, std::greater<>>{member}).name("Keyed Max");
  }
  // The key's record with the least, or greatest, value of a member; of equal ones the first.
  template <typename M>
  DataStream<T> min_by(M T::* member) const {
    return reduce(internal::BestBy<T, M, std::less<>>{member}).name("Keyed Min");
  }
  template <typename M>
  DataStream<T> max_by(M T::* member) const {
    return reduce(internal::BestBy<T, M, std::greater<>>{member}).name("Keyed Max");
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

template <typename T>
template <typename M, typename C>
KeyedStream<T, internal::MemberSelector<C, M>> DataStream<T>::key_by(M C::* member) const {
  return {*graph_, edges_, internal::MemberSelector<C, M>{member}};
}

}  // namespace weir
