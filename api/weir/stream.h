#pragma once

#include <memory>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

#include "weir/codec.h"
#include "weir/graph.h"
#include "weir/two_phase_commit_sink.h"
#include "weir/typed_edge.h"
#include "weir/watermark_strategy.h"
#include "weir/watermarking_reader.h"

namespace weir {

namespace internal {

template <typename T>
std::unique_ptr<OutputBase> create_fan_out(std::vector<OutputBase*> outputs) {
  return std::make_unique<FanOut<T>>(std::move(outputs));
}

template <typename T, typename S>
class SourceNode final : public NodeFactory {
 public:
  SourceNode(S source, WatermarkStrategy<T> strategy)
      : source_(std::move(source)), strategy_(std::move(strategy)) {}
  std::unique_ptr<SourceReaderBase> create_reader(OutputBase& base) const override {
    auto& next = static_cast<Output<T>&>(base);
    auto reader = source_.create_reader();
    if (strategy_.assigner() || strategy_.watermarks()) {
      return std::make_unique<WatermarkingReader<T>>(std::move(reader), strategy_, next);
    }
    reader->set_output(next);
    return reader;
  }
  std::unique_ptr<SourceCoordinator> create_source_coordinator() const override {
    return source_.create_coordinator();
  }
  std::unique_ptr<OutputBase> create_fan_out(std::vector<OutputBase*> outputs) const override {
    return internal::create_fan_out<T>(std::move(outputs));
  }

 private:
  const S source_;
  const WatermarkStrategy<T> strategy_;
};

// Op is an Operator constructed from (F, Output<Out>&) or (F, Output<Out>&, const SideOutputs&).
template <typename Op, typename Out, typename F>
class OperatorNode final : public NodeFactory {
 public:
  static constexpr bool kHasSideOutputs =
      std::is_constructible_v<Op, F, Output<Out>&, const SideOutputs&>;

  explicit OperatorNode(F function) : function_(std::move(function)) {}
  std::unique_ptr<Operator> create_operator(OutputBase& next,
                                            const SideOutputs& side_outputs) const override {
    if constexpr (kHasSideOutputs) {
      return std::make_unique<Op>(function_, static_cast<Output<Out>&>(next), side_outputs);
    } else {
      return std::make_unique<Op>(function_, static_cast<Output<Out>&>(next));
    }
  }
  bool can_have_side_outputs() const override { return kHasSideOutputs; }
  std::unique_ptr<OutputBase> create_fan_out(std::vector<OutputBase*> outputs) const override {
    return internal::create_fan_out<Out>(std::move(outputs));
  }

 private:
  const F function_;
};

template <typename In, typename S>
class SinkNode final : public NodeFactory {
 public:
  explicit SinkNode(S sink) : sink_(std::move(sink)) {}
  std::unique_ptr<SinkWriterBase> create_writer(OutputBase** input) const override {
    std::unique_ptr<SinkWriter<In>> writer = sink_.create_writer();
    *input = writer.get();
    return writer;
  }
  std::unique_ptr<Committer> create_committer() const override { return sink_.create_committer(); }
  std::unique_ptr<SinkCoordinator> create_sink_coordinator() const override {
    return sink_.create_coordinator();
  }

 private:
  const S sink_;
};

// Adds a node and returns its id. `output_type` is "" for sinks.
int add_node(StreamGraph& graph, NodeKind kind, std::string name, std::vector<StreamEdge> inputs,
             const char* output_type, std::shared_ptr<const NodeFactory> factory);
// Returns the number of the output; of a tag that is read already, the same.
int add_side_output(StreamGraph& graph, int node, SideOutput side_output);
std::string readable_type(const char* mangled);

// The edge to whoever reads this output next, unless it says otherwise.
template <typename T>
StreamEdge forward_edge(int from, int output = 0) {
  StreamEdge edge{.from = from, .output = output};
  if constexpr (is_serializable<T>) {
    edge.factory = std::make_shared<RoundRobinEdge<T>>();
  } else {
    edge.type_without_codec = readable_type(typeid(T).name());
  }
  return edge;
}

}  // namespace internal

// The end of a pipeline, to be named.
class DataStreamSink {
 public:
  DataStreamSink(StreamGraph& graph, int node) : graph_(&graph), node_(node) {}
  // The name of the sink's state and transactions across restarts and upgrades; ':' is refused.
  DataStreamSink& uid(std::string uid) { return graph_->nodes[node_].uid = std::move(uid), *this; }
  DataStreamSink& name(std::string name) {
    return graph_->nodes[node_].name = std::move(name), *this;
  }
  DataStreamSink& set_parallelism(int parallelism) {
    return graph_->nodes[node_].parallelism = parallelism, *this;
  }

 private:
  StreamGraph* graph_;
  int node_;
};

template <typename T, typename Selector>
class KeyedStream;
namespace internal {
template <typename T, typename M>
struct MemberSelector;
}  // namespace internal
template <typename T>
class PrintSink;

// A stream of records of type T. Each operation adds an operator to the job; nothing runs yet.
//
//   env.from_source(source, WatermarkStrategy<std::string>::no_watermarks(), "lines")
//       .filter([](std::string_view line) { return !line.empty(); })
//       .map([](std::string_view line) { return line.size(); })
//       .sink_to(sink).uid("out");
//
// Functions are copied into every subtask. Text reaches them as std::string_view, other types as
// const T& (see element.h), so they take `auto`, std::string_view or const T&. An exception fails
// the task with its text.
template <typename T>
class DataStream {
 public:
  using Element = T;

  DataStream(StreamGraph& graph, int node) : DataStream(graph, {internal::forward_edge<T>(node)}) {}
  DataStream(StreamGraph& graph, std::vector<StreamEdge> edges)
      : graph_(&graph), edges_(std::move(edges)) {}

  // function(value) or function(value, Arena&) → one result each.
  template <typename F>
  auto map(F function) {
    using Out = ElementOf<internal::MapResult<F, T>>;
    static_assert(!std::is_void_v<Out>, "the function given to map() must return a value");
    return add<internal::MapOperator<T, Out, F>, Out>("Map", std::move(function));
  }

  // Keeps the records for which predicate(value) is true.
  template <typename F>
  DataStream<T> filter(F predicate) {
    return add<internal::FilterOperator<T, F>, T>("Filter", std::move(predicate));
  }

  // function(value, Collector<Out>&) → any number of results: flat_map<Out>(function).
  template <typename Out, typename F>
  DataStream<Out> flat_map(F function) {
    return add<internal::FlatMapOperator<T, Out, F>, Out>("Flat Map", std::move(function));
  }

  // A ProcessFunction<T, Out>, copied into every subtask.
  template <typename F>
  DataStream<typename F::Result> process(F function) {
    static_assert(std::is_base_of_v<ProcessFunction<T, typename F::Result>, F>,
                  "process() takes a class derived from ProcessFunction<In, Out> whose In is the "
                  "stream's element type");
    return add<internal::ProcessOperator<F>, typename F::Result>("Process", std::move(function));
  }

  // A Sink<T>, e.g. KafkaSink<T>, or a TwoPhaseCommitSink<T, …>.
  template <typename S>
  DataStreamSink sink_to(S sink) {
    if constexpr (requires { typename S::Transaction; }) {
      return sink_to(internal::TwoPhaseCommitAdapter<S>(std::move(sink)));
    } else {
      static_assert(std::is_base_of_v<Sink<T>, S>,
                    "sink_to() takes a Sink<T> whose T is the stream's element type");
      return {*graph_,
              internal::add_node(*graph_, NodeKind::kSink, "Sink", edges_, "",
                                 std::make_shared<internal::SinkNode<T, S>>(std::move(sink)))};
    }
  }

  // To a PrintSink<T>; include <weir/print.h>.
  DataStreamSink print() { return sink_to(PrintSink<T>()).name("Print"); }

  // The records of a side output of this operator, a process() or a window.
  template <typename Side>
  DataStream<Side> get_side_output(const OutputTag<Side>& tag) const {
    const int node = own_node("get_side_output()").id;
    const int output = internal::add_side_output(
        *graph_, node, {tag.id(), typeid(Side).name(), &internal::create_fan_out<Side>});
    return {*graph_, {internal::forward_edge<Side>(node, output)}};
  }

  // The same records by key: function(value) → key, the same for equal values. See keyed_stream.h.
  template <typename Selector>
  KeyedStream<T, Selector> key_by(Selector selector) const;
  // The same by a member of T, a field or a const function: key_by(&Order::customer).
  template <typename M, typename C>
  KeyedStream<T, internal::MemberSelector<C, M>> key_by(M C::* member) const;
  // The same records, dealt out evenly to the subtasks of what reads them next.
  DataStream<T> rebalance() const {
    return partitioned<internal::RoundRobinEdge<T>>(Partitioning::kRebalance);
  }
  // The same records, each to every subtask of what reads them next.
  DataStream<T> broadcast() const {
    return partitioned<internal::BroadcastEdge<T>>(Partitioning::kBroadcast);
  }
  // The records of all these streams, in no order between them.
  template <typename... Streams>
  DataStream<T> union_with(const Streams&... others) const {
    static_assert((std::is_same_v<Streams, DataStream<T>> && ...),
                  "union_with() takes streams of the same type");
    static_assert(is_serializable<T>,
                  "union_with() sends records between tasks: "
                  "add WEIR_FIELDS(...) to their type");
    std::vector<StreamEdge> edges = edges_;
    for (const DataStream<T>* other : {&others...}) {
      edges.insert(edges.end(), other->edges_.begin(), other->edges_.end());
    }
    return {*graph_, std::move(edges)};
  }

  // The operator's identity across restarts and upgrades; set it on everything that has state.
  DataStream& uid(std::string uid) { return own_node("uid()").uid = std::move(uid), *this; }
  DataStream& name(std::string name) { return own_node("name()").name = std::move(name), *this; }
  DataStream& set_parallelism(int parallelism) {
    return own_node("set_parallelism()").parallelism = parallelism, *this;
  }

 private:
  template <typename Op, typename Out, typename F>
  DataStream<Out> add(const char* name, F function) {
    return {*graph_,
            internal::add_node(
                *graph_, NodeKind::kOperator, name, edges_, typeid(Out).name(),
                std::make_shared<internal::OperatorNode<Op, Out, F>>(std::move(function)))};
  }

  template <typename Edge>
  DataStream<T> partitioned(Partitioning partitioning) const {
    static_assert(is_serializable<T>,
                  "rebalance() and broadcast() send records between tasks: "
                  "add WEIR_FIELDS(...) to their type");
    std::vector<StreamEdge> edges = edges_;
    for (StreamEdge& edge : edges) {
      edge.partitioning = partitioning;
      edge.factory = std::make_shared<Edge>();
    }
    return {*graph_, std::move(edges)};
  }

  // The operator whose main output this stream is.
  StreamNode& own_node(const char* call) const {
    const StreamEdge& edge = edges_.front();
    if (edges_.size() > 1 || edge.output != 0 || edge.partitioning != Partitioning::kForward) {
      throw FatalError(std::string(call) +
                       " is for an operator's own stream: call it before union_with(), "
                       "rebalance(), broadcast() or get_side_output()");
    }
    return graph_->nodes[static_cast<std::size_t>(edge.from)];
  }

  StreamGraph* graph_;
  std::vector<StreamEdge> edges_;  // what the next operator reads
};

}  // namespace weir
