#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "weir/graph.h"

namespace weir {

// The fused operators of one subtask: a source, and the tree of operators and sinks behind it,
// connected by calls. Built from the end, each operator is given the output behind it.
//
// Confined to its task's thread. The graph may go once the chain is built.
class TaskChain {
 public:
  struct Source {
    std::string uid;
    std::unique_ptr<SourceReaderBase> reader;
  };
  struct Function {
    std::string uid;
    std::unique_ptr<Operator> function;
  };
  struct Sink {
    std::string uid;
    std::unique_ptr<SinkWriterBase> writer;
    std::unique_ptr<Committer> committer;  // null: nothing to commit
  };

  // `nodes` are ids in the graph, upstream first. Throws what the job's code throws, and FatalError
  // if they aren't a chain that begins with its only source and has all readers of its streams.
  TaskChain(const StreamGraph& graph, std::span<const int> nodes);

  Source& source() { return source_; }
  // Both downstream first, the order in which they are opened.
  std::vector<Function>& functions() { return functions_; }
  std::vector<Sink>& sinks() { return sinks_; }

  // After each batch: writers first, for what functions made in their arenas is freed.
  void end_batch();

 private:
  // Declared downstream first: what is destroyed earlier may still refer to what is behind it.
  std::vector<Sink> sinks_;
  std::vector<std::unique_ptr<OutputBase>> fan_outs_;
  std::vector<Function> functions_;
  Source source_;
};

}  // namespace weir
