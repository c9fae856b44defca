// Between the API's types and the messages that carry them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "proto/checkpoint.pb.h"
#include "proto/job_graph.pb.h"
#include "weir/graph.h"
#include "weir/sink.h"
#include "weir/source.h"

namespace weir {

// What `weir run` submits. The job's code wins over `configuration`, and a node's own parallelism
// over the job's, that over `default_parallelism`. The library's name and hash are left empty.
pb::JobGraph to_proto(const StreamGraph& graph, int default_parallelism,
                      const std::map<std::string, std::string>& configuration,
                      const std::vector<std::string>& arguments);

Partitioning from_proto(pb::JobGraph::Partitioning partitioning);

pb::Split to_proto(const Split& split);
Split from_proto(const pb::Split& split);

pb::Committable to_proto(const Committable& committable);
Committable from_proto(const pb::Committable& committable);

}  // namespace weir
