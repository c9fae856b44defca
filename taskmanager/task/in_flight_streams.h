#pragma once

#include <vector>

#include "taskmanager/task/in_flight_recorder.h"
#include "taskmanager/task/task_spec.h"
#include "weir/graph.h"

namespace weir {

// Whether barriers may overtake the records of a cut edge. Those of others couldn't be given to the
// right subtask at another parallelism: a broadcast record is the same for all, and forward edges
// promise that records keep their subtask and their order. Nor may several edges of the same stream
// to the same operator be: nothing durable tells them apart.
bool is_overtakable(const StreamGraph& graph, const CutEdge& edge);

// What is recorded of a gate's or a partition's channels; none if they aren't overtakable.
std::vector<InFlightRecorder::Stream> streams_of(const StreamGraph& graph, const GateSpec& gate,
                                                 int subtask);
std::vector<InFlightRecorder::Stream> streams_of(const StreamGraph& graph,
                                                 const PartitionSpec& partition, int subtask);

}  // namespace weir
