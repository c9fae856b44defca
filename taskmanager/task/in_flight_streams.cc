#include "taskmanager/task/in_flight_streams.h"

#include <algorithm>

#include "taskmanager/task/task_chain.h"

namespace weir {
namespace {

InFlightRecorder::Stream stream_of(const StreamGraph& graph, const CutEdge& edge) {
  InFlightRecorder::Stream stream;
  stream.set_producer(graph.nodes[edge.from].uid);
  stream.set_output(edge.output);
  stream.set_consumer(graph.nodes[edge.to].uid);
  stream.set_by_key(edge.partitioning == Partitioning::kHash);
  return stream;
}

}  // namespace

bool is_overtakable(const StreamGraph& graph, const CutEdge& edge) {
  const std::vector<StreamEdge>& inputs = graph.nodes[edge.to].inputs;
  const auto same_stream =
      std::count_if(inputs.begin(), inputs.end(), [&](const StreamEdge& input) {
        return input.from == edge.from && input.output == edge.output;
      });
  // As the job wrote it: a forward edge may be carried out as rebalance.
  const Partitioning partitioning = edge_of(graph, edge).partitioning;
  return same_stream == 1 &&
         (partitioning == Partitioning::kHash || partitioning == Partitioning::kRebalance);
}

std::vector<InFlightRecorder::Stream> streams_of(const StreamGraph& graph, const GateSpec& gate,
                                                 int subtask) {
  std::vector<InFlightRecorder::Stream> streams;
  if (!is_overtakable(graph, gate.edge)) return streams;
  for (const InputChannel& channel : gate.channels) {
    InFlightRecorder::Stream& stream = streams.emplace_back(stream_of(graph, gate.edge));
    stream.set_producer_subtask(channel.partition.subtask);
    stream.set_consumer_subtask(subtask);
  }
  return streams;
}

std::vector<InFlightRecorder::Stream> streams_of(const StreamGraph& graph,
                                                 const PartitionSpec& partition, int subtask) {
  std::vector<InFlightRecorder::Stream> streams;
  if (!is_overtakable(graph, partition.edge)) return streams;
  for (int channel = 0; channel < partition.channels; ++channel) {
    InFlightRecorder::Stream& stream = streams.emplace_back(stream_of(graph, partition.edge));
    stream.set_producer_subtask(subtask);
    stream.set_consumer_subtask(channel);
    stream.set_at_producer(true);
  }
  return streams;
}

}  // namespace weir
