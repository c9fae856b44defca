#include "taskmanager/task/task_chain.h"

#include <algorithm>
#include <map>
#include <utility>

#include "weir/error.h"

namespace weir {
namespace {

[[noreturn]] void refuse(const StreamNode& node, const std::string& why) {
  throw FatalError("operator '" + node.name + "' (uid '" + node.uid + "') " + why);
}

void check_chain(const StreamGraph& graph, std::span<const int> nodes) {
  const int count = static_cast<int>(graph.nodes.size());
  if (nodes.empty()) throw FatalError("the task has no operators");
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i] < 0 || nodes[i] >= count || (i > 0 && nodes[i] <= nodes[i - 1])) {
      throw FatalError("the task's operators aren't node ids of the job's graph, upstream first");
    }
    const StreamNode& node = graph.nodes[nodes[i]];
    const bool is_source = node.kind == NodeKind::kSource;
    if (is_source != (i == 0))
      refuse(node, "can't stand there: a task begins with its only source");
  }
}

// The chain's nodes that read the stream of `id`.
std::vector<int> readers_of(int id, const StreamGraph& graph, std::span<const int> nodes) {
  std::vector<int> readers;
  for (const StreamNode& node : graph.nodes) {
    if (std::none_of(node.inputs.begin(), node.inputs.end(),
                     [id](const StreamEdge& edge) { return edge.from == id; })) {
      continue;
    }
    if (std::find(nodes.begin(), nodes.end(), node.id) == nodes.end()) {
      refuse(node, "reads a stream of another task; such exchanges aren't supported");
    }
    readers.push_back(node.id);
  }
  return readers;
}

}  // namespace

TaskChain::TaskChain(const StreamGraph& graph, std::span<const int> nodes) {
  check_chain(graph, nodes);
  std::map<int, OutputBase*> inputs;  // by node
  for (auto id = nodes.rbegin(); id != nodes.rend(); ++id) {
    const StreamNode& node = graph.nodes[*id];
    if (node.kind == NodeKind::kSink) {
      OutputBase* input = nullptr;
      auto writer = node.factory->create_writer(&input);
      sinks_.push_back({node.uid, std::move(writer), node.factory->create_committer()});
      inputs[*id] = input;
      continue;
    }
    const std::vector<int> readers = readers_of(*id, graph, nodes);
    if (readers.empty()) refuse(node, "has an output that nothing reads: add a sink");
    OutputBase* next = inputs.at(readers.front());
    if (readers.size() > 1) {
      std::vector<OutputBase*> outputs;
      for (const int reader : readers) outputs.push_back(inputs.at(reader));
      fan_outs_.push_back(node.factory->create_fan_out(std::move(outputs)));
      next = fan_outs_.back().get();
    }
    if (node.kind == NodeKind::kSource) {
      source_ = {node.uid, node.factory->create_reader(*next)};
    } else {
      functions_.push_back({node.uid, node.factory->create_operator(*next, SideOutputs())});
      inputs[*id] = &functions_.back().function->input();
    }
  }
}

void TaskChain::end_batch() {
  for (Sink& sink : sinks_) sink.writer->end_batch();
  for (Function& function : functions_) function.function->end_batch();
}

}  // namespace weir
