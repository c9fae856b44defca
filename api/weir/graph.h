// The stream graph that a job's entry point builds: what the client turns into the job graph, and
// what a TaskManager takes its operators from. Job authors use stream.h instead.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "weir/operator.h"
#include "weir/sink.h"
#include "weir/source.h"

namespace weir {

enum class NodeKind { kSource, kOperator, kSink };

// Makes the running parts of one node, once per subtask. Which calls are allowed depends on the
// node's kind; OutputBase is always the Output<T> of the node's own types.
class NodeFactory {
 public:
  virtual ~NodeFactory() = default;

  // Sources.
  virtual std::unique_ptr<SourceReaderBase> create_reader(OutputBase& next) const;
  virtual std::unique_ptr<SourceCoordinator> create_source_coordinator() const;
  // Operators.
  virtual std::unique_ptr<Operator> create_operator(OutputBase& next) const;
  // Sinks. *input is set to the writer's Output<In>. The committer and coordinator may be nullptr.
  virtual std::unique_ptr<SinkWriterBase> create_writer(OutputBase** input) const;
  virtual std::unique_ptr<Committer> create_committer() const;
  virtual std::unique_ptr<SinkCoordinator> create_sink_coordinator() const;
  // Sources and operators whose stream is read by several nodes.
  virtual std::unique_ptr<OutputBase> create_fan_out(std::vector<OutputBase*> outputs) const;
};

struct StreamNode {
  int id = 0;  // index in StreamGraph::nodes; inputs have smaller ids
  NodeKind kind = NodeKind::kOperator;
  std::string name;
  std::string uid;
  int parallelism = 0;      // 0: the job's default
  std::vector<int> inputs;  // ids; empty for sources
  std::string output_type;  // mangled; empty for sinks
  bool has_coordinator = false;
  bool has_committer = false;
  std::shared_ptr<const NodeFactory> factory;
};

struct StreamGraph {
  std::string job_name;
  std::vector<StreamNode> nodes;
  std::map<std::string, std::string> configuration;  // Flink's keys, set by the job's code

  // Checks what can't be checked while building: a source and a sink, unique uids without ':'.
  // Throws FatalError.
  void check() const;
  // The same for equal graphs, in every process: detects an entry point that isn't deterministic.
  std::uint64_t fingerprint() const;
};

}  // namespace weir
