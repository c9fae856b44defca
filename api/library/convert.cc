#include "api/library/convert.h"

#include <algorithm>

#include "absl/strings/numbers.h"

namespace weir {
namespace {

pb::JobGraph::NodeKind to_proto(NodeKind kind) {
  switch (kind) {
    case NodeKind::kSource:
      return pb::JobGraph::SOURCE;
    case NodeKind::kOperator:
      return pb::JobGraph::OPERATOR;
    case NodeKind::kSink:
      return pb::JobGraph::SINK;
  }
  __builtin_unreachable();
}

pb::JobGraph::Partitioning to_proto(Partitioning partitioning) {
  switch (partitioning) {
    case Partitioning::kForward:
      return pb::JobGraph::FORWARD;
    case Partitioning::kHash:
      return pb::JobGraph::HASH;
    case Partitioning::kRebalance:
      return pb::JobGraph::REBALANCE;
    case Partitioning::kBroadcast:
      return pb::JobGraph::BROADCAST;
  }
  __builtin_unreachable();
}

pb::JobGraph::Edge to_proto(const StreamEdge& edge) {
  pb::JobGraph::Edge result;
  result.set_from(edge.from);
  result.set_output(edge.output);
  result.set_partitioning(to_proto(edge.partitioning));
  result.set_type_without_codec(edge.type_without_codec);
  return result;
}

int parallelism_of(const StreamNode& node, int job_parallelism) {
  if (node.parallelism > 0) return node.parallelism;
  return node.parallelism_max > 0 ? std::min(job_parallelism, node.parallelism_max)
                                  : job_parallelism;
}

// 0: not set.
int max_parallelism_of(const pb::JobGraph& graph) {
  int result = 0;
  const auto set = graph.configuration().find("pipeline.max-parallelism");
  if (set == graph.configuration().end() || !absl::SimpleAtoi(set->second, &result)) return 0;
  return result;
}

}  // namespace

pb::JobGraph to_proto(const StreamGraph& graph, int default_parallelism,
                      const std::map<std::string, std::string>& configuration,
                      const std::vector<std::string>& arguments) {
  pb::JobGraph result;
  result.set_format_version(1);
  result.set_name(graph.job_name);
  result.set_fingerprint(graph.fingerprint());
  auto& effective = *result.mutable_configuration();
  effective.insert(configuration.begin(), configuration.end());
  for (const auto& [key, value] : graph.configuration) effective[key] = value;
  for (const std::string& argument : arguments) result.add_arguments(argument);
  result.set_max_parallelism(max_parallelism_of(result));

  int job_parallelism = default_parallelism;
  if (const auto own = graph.configuration.find("parallelism.default");
      own != graph.configuration.end()) {
    if (!absl::SimpleAtoi(own->second, &job_parallelism)) job_parallelism = default_parallelism;
  }
  for (const StreamNode& node : graph.nodes) {
    pb::JobGraph::Node& out = *result.add_nodes();
    out.set_id(node.id);
    out.set_kind(to_proto(node.kind));
    out.set_name(node.name);
    out.set_uid(node.uid);
    out.set_parallelism(parallelism_of(node, job_parallelism));
    out.set_parallelism_max(node.parallelism_max);
    out.set_own_parallelism(node.parallelism != 0);
    for (const StreamEdge& edge : node.inputs) *out.add_edges() = to_proto(edge);
    out.set_keyed(node.keyed);
    out.set_output_type(node.output_type);
    out.set_has_coordinator(node.has_coordinator);
    out.set_has_committer(node.has_committer);
  }
  return result;
}

Partitioning from_proto(pb::JobGraph::Partitioning partitioning) {
  switch (partitioning) {
    case pb::JobGraph::HASH:
      return Partitioning::kHash;
    case pb::JobGraph::REBALANCE:
      return Partitioning::kRebalance;
    case pb::JobGraph::BROADCAST:
      return Partitioning::kBroadcast;
    default:
      return Partitioning::kForward;
  }
}

pb::Split to_proto(const Split& split) {
  pb::Split result;
  result.set_id(split.id);
  result.set_state(split.state);
  return result;
}

Split from_proto(const pb::Split& split) {
  return {split.id(), split.state()};
}

pb::Committable to_proto(const Committable& committable) {
  pb::Committable result;
  result.set_transaction(committable.transaction);
  result.set_checkpoint_id(committable.checkpoint_id);
  result.set_records(committable.records);
  result.set_payload(committable.payload);
  for (const WrittenRange& range : committable.ranges) {
    pb::WrittenRange& out = *result.add_ranges();
    out.set_resource(range.resource);
    out.set_first(range.first);
    out.set_last(range.last);
    out.set_records(range.records);
  }
  return result;
}

Committable from_proto(const pb::Committable& committable) {
  Committable result;
  result.transaction = committable.transaction();
  result.checkpoint_id = committable.checkpoint_id();
  result.records = committable.records();
  result.payload = committable.payload();
  for (const pb::WrittenRange& range : committable.ranges()) {
    result.ranges.push_back({range.resource(), range.first(), range.last(), range.records()});
  }
  return result;
}

}  // namespace weir
