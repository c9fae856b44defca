#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "taskmanager/task/task_spec.h"
#include "weir/graph.h"

namespace weir {

// The edge of the job's graph that a cut one was. Throws FatalError if there is none such.
const StreamEdge& edge_of(const StreamGraph& graph, const CutEdge& cut);

// The fused operators of one subtask, connected by calls: a head, which a source or other tasks
// feed, and the tree of operators, sinks and senders to other tasks behind it. Built from the end,
// each operator is given the output behind it.
//
// Confined to its task's thread. The graph may go once the chain is built; the channels outlive it.
class TaskChain {
 public:
  struct Source {
    std::string uid;
    std::unique_ptr<SourceReaderBase> reader;
  };
  struct Function {
    int node = 0;  // its id in the graph
    bool keyed = false;
    std::string uid;
    std::unique_ptr<Operator> function;
  };
  struct Sink {
    std::string uid;
    std::unique_ptr<SinkWriterBase> writer;
    std::unique_ptr<Committer> committer;  // null: nothing to commit
  };

  // `channels` are those of spec.outputs, in their order. Throws what the job's code throws, and
  // FatalError if the nodes aren't a chain behind a source or the spec's gates, or if a stream's
  // reader is neither in the chain nor behind an output.
  TaskChain(const StreamGraph& graph, const TaskSpec& spec,
            std::span<ChannelWriter* const> channels);

  // What the source, or the receivers, feed.
  OutputBase& head() { return *head_; }
  // None: other tasks feed the chain.
  std::optional<Source>& source() { return source_; }
  // Of spec.gates, in their order.
  std::vector<std::unique_ptr<RecordReceiver>>& receivers() { return receivers_; }
  // The same, for what was in flight; null where nothing was.
  std::vector<std::unique_ptr<RecordReceiver>>& restoring_receivers() {
    return restoring_receivers_;
  }
  // Both downstream first, the order in which they are opened.
  std::vector<Function>& functions() { return functions_; }
  std::vector<Sink>& sinks() { return sinks_; }

  // After each batch: writers first, for what functions made in their arenas is freed.
  void end_batch();

 private:
  class Builder;

  // Declared downstream first: what is destroyed earlier may still refer to what is behind it.
  std::vector<Sink> sinks_;
  std::vector<std::unique_ptr<OutputBase>> outputs_;  // senders, fan-outs
  std::vector<Function> functions_;
  OutputBase* head_ = nullptr;
  std::vector<std::unique_ptr<RecordReceiver>> receivers_;
  std::vector<std::unique_ptr<RecordReceiver>> restoring_receivers_;
  std::optional<Source> source_;
};

}  // namespace weir
