#include "taskmanager/coordinator/hosted_coordinator.h"

#include <algorithm>

#include "taskmanager/coordinator/hosted_sink.h"
#include "taskmanager/coordinator/hosted_source.h"
#include "weir/error.h"

namespace weir {

std::unique_ptr<HostedCoordinator> make_hosted_coordinator(const StreamGraph& graph,
                                                           const CoordinatorSpec& spec,
                                                           const std::atomic<bool>& cancelled,
                                                           Gauges& gauges, ControlSender& sender) {
  const auto node = std::find_if(graph.nodes.begin(), graph.nodes.end(),
                                 [&](const StreamNode& node) { return node.uid == spec.uid; });
  if (node != graph.nodes.end() && node->kind == NodeKind::kSource) {
    if (auto coordinator = node->factory->create_source_coordinator()) {
      return std::make_unique<HostedSource>(std::move(coordinator), spec, cancelled, gauges,
                                            sender);
    }
  }
  if (node != graph.nodes.end() && node->kind == NodeKind::kSink) {
    if (auto coordinator = node->factory->create_sink_coordinator()) {
      return std::make_unique<HostedSink>(std::move(coordinator), spec, cancelled, gauges, sender);
    }
  }
  throw FatalError("the job has no coordinator for the uid '" + spec.uid + "'");
}

}  // namespace weir
