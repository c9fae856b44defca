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

void check_chain(const StreamGraph& graph, const TaskSpec& spec) {
  const std::vector<int>& nodes = spec.chain;
  const int count = static_cast<int>(graph.nodes.size());
  if (nodes.empty()) throw FatalError("the task has no operators");
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i] < 0 || nodes[i] >= count || (i > 0 && nodes[i] <= nodes[i - 1])) {
      throw FatalError("the task's operators aren't node ids of the job's graph, upstream first");
    }
    const bool begins_with_source = i == 0 && spec.gates.empty();
    if ((graph.nodes[nodes[i]].kind == NodeKind::kSource) != begins_with_source) {
      refuse(graph.nodes[nodes[i]],
             "can't stand there: a task begins with its only source, or reads other tasks");
    }
  }
  for (const GateSpec& gate : spec.gates) {
    if (gate.edge.to != nodes.front()) {
      refuse(graph.nodes[nodes.front()], "isn't what reads the task's input");
    }
  }
}

}  // namespace

const StreamEdge& edge_of(const StreamGraph& graph, const CutEdge& cut) {
  for (const StreamEdge& edge : graph.nodes.at(cut.to).inputs) {
    const bool same_partitioning =
        edge.partitioning == cut.partitioning || (edge.partitioning == Partitioning::kForward &&
                                                  cut.partitioning == Partitioning::kRebalance);
    if (edge.from != cut.from || edge.output != cut.output || !same_partitioning) continue;
    if (edge.factory == nullptr) {
      refuse(graph.nodes[cut.from],
             "makes a stream of " + edge.type_without_codec + ", which can't cross between tasks");
    }
    return edge;
  }
  refuse(graph.nodes[cut.to], "doesn't read edge " + std::to_string(cut.edge));
}

// Connects the nodes' outputs, from the end to the head.
class TaskChain::Builder {
 public:
  Builder(const StreamGraph& graph, const TaskSpec& spec, std::span<ChannelWriter* const> channels,
          TaskChain& chain)
      : graph_(graph), spec_(spec), channels_(channels), chain_(chain) {}

  void build() {
    for (auto id = spec_.chain.rbegin(); id != spec_.chain.rend(); ++id) {
      const StreamNode& node = graph_.nodes[*id];
      if (node.kind == NodeKind::kSink) {
        add_sink(node);
      } else if (node.kind == NodeKind::kSource) {
        chain_.head_ = &main_output(node);
        chain_.source_ = {node.uid, node.factory->create_reader(*chain_.head_)};
      } else {
        auto function = node.factory->create_operator(main_output(node), side_outputs(node));
        inputs_[node.id] = &function->input();
        chain_.functions_.push_back({node.id, node.keyed, node.uid, std::move(function)});
      }
    }
    if (chain_.source_) return;
    chain_.head_ = inputs_.at(spec_.chain.front());
    for (const GateSpec& gate : spec_.gates) {
      const EdgeFactory& factory = *edge_of(graph_, gate.edge).factory;
      chain_.receivers_.push_back(factory.create_receiver(*chain_.head_));
      chain_.restoring_receivers_.push_back(
          gate.restored.empty() ? nullptr
                                : factory.create_restoring_receiver(*chain_.head_, spec_.key_groups,
                                                                    spec_.max_parallelism));
    }
  }

 private:
  void add_sink(const StreamNode& node) {
    OutputBase* input = nullptr;
    auto writer = node.factory->create_writer(&input);
    inputs_[node.id] = input;
    chain_.sinks_.push_back({node.uid, std::move(writer), node.factory->create_committer()});
  }

  OutputBase& main_output(const StreamNode& node) {
    return joined(readers_of(node, 0), [&](std::vector<OutputBase*> outputs) {
      return node.factory->create_fan_out(std::move(outputs));
    });
  }
  SideOutputs side_outputs(const StreamNode& node) {
    std::vector<SideOutputs::Entry> entries;
    for (size_t i = 0; i < node.side_outputs.size(); ++i) {
      const SideOutput& side = node.side_outputs[i];
      entries.push_back({side.tag, side.type,
                         &joined(readers_of(node, static_cast<int>(i) + 1), side.create_fan_out)});
    }
    return SideOutputs(std::move(entries));
  }

  // One output for all of `readers`, which may be none.
  template <typename CreateFanOut>
  OutputBase& joined(std::vector<OutputBase*> readers, CreateFanOut create_fan_out) {
    if (readers.size() == 1) return *readers.front();
    return keep(create_fan_out(std::move(readers)));
  }

  // Where the output goes: into this chain, and to other tasks.
  std::vector<OutputBase*> readers_of(const StreamNode& node, int output) {
    std::vector<OutputBase*> readers;
    for (const StreamNode& reader : graph_.nodes) {
      for (const StreamEdge& edge : reader.inputs) {
        if (edge.from != node.id || edge.output != output || leaves(edge, reader)) continue;
        const auto inside = inputs_.find(reader.id);
        if (inside == inputs_.end())
          refuse(reader, "reads a stream of another task, which doesn't send it");
        readers.push_back(inside->second);
      }
    }
    for (size_t i = 0; i < spec_.outputs.size(); ++i) {
      const CutEdge& cut = spec_.outputs[i].edge;
      if (cut.from != node.id || cut.output != output) continue;
      readers.push_back(
          &keep(edge_of(graph_, cut).factory->create_sender(*channels_[i], spec_.max_parallelism)));
    }
    return readers;
  }
  bool leaves(const StreamEdge& edge, const StreamNode& reader) const {
    return std::any_of(spec_.outputs.begin(), spec_.outputs.end(), [&](const PartitionSpec& spec) {
      return spec.edge.from == edge.from && spec.edge.output == edge.output &&
             spec.edge.to == reader.id;
    });
  }

  OutputBase& keep(std::unique_ptr<OutputBase> output) {
    chain_.outputs_.push_back(std::move(output));
    return *chain_.outputs_.back();
  }

  const StreamGraph& graph_;
  const TaskSpec& spec_;
  const std::span<ChannelWriter* const> channels_;
  TaskChain& chain_;
  std::map<int, OutputBase*> inputs_;  // by node
};

TaskChain::TaskChain(const StreamGraph& graph, const TaskSpec& spec,
                     std::span<ChannelWriter* const> channels) {
  check_chain(graph, spec);
  Builder(graph, spec, channels, *this).build();
}

void TaskChain::end_batch() {
  for (Sink& sink : sinks_) sink.writer->end_batch();
  for (Function& function : functions_) function.function->end_batch();
}

}  // namespace weir
