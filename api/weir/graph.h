// The stream graph that a job's entry point builds: what the client turns into the job graph, and
// what a TaskManager takes its operators from. Job authors use stream.h instead.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "weir/exchange.h"
#include "weir/operator.h"
#include "weir/side_output.h"
#include "weir/sink.h"
#include "weir/source.h"

namespace weir {

enum class NodeKind { kSource, kOperator, kSink };

// How records find the subtask that reads them.
enum class Partitioning {
  kForward,  // the same subtask; between different parallelisms it is kRebalance
  kHash,     // by the key's group
  kRebalance,
  kBroadcast,
};

// One input of a node.
struct StreamEdge {
  int from = 0;    // id of the node that is read, smaller than the reader's
  int output = 0;  // of `from`: 0 its main output, n its side_outputs[n - 1]
  Partitioning partitioning = Partitioning::kForward;
  // How its records cross between tasks; null when their type, `type_without_codec`, can't.
  std::shared_ptr<const EdgeFactory> factory = nullptr;
  std::string type_without_codec = {};
};

using CreateFanOut = std::unique_ptr<OutputBase> (*)(std::vector<OutputBase*> outputs);

struct SideOutput {
  std::string tag;
  std::string type;  // mangled
  CreateFanOut create_fan_out = nullptr;
};

// Makes the running parts of one node, once per subtask. Which calls are allowed depends on the
// node's kind; OutputBase is always the Output<T> of the node's own types.
class NodeFactory {
 public:
  virtual ~NodeFactory() = default;

  // Sources.
  virtual std::unique_ptr<SourceReaderBase> create_reader(OutputBase& next) const;
  virtual std::unique_ptr<SourceCoordinator> create_source_coordinator() const;
  // Operators. `next` and the side outputs outlive the operator.
  virtual std::unique_ptr<Operator> create_operator(OutputBase& next,
                                                    const SideOutputs& side_outputs) const;
  virtual bool can_have_side_outputs() const { return false; }
  // Sinks. *input is set to the writer's Output<In>. The committer and coordinator may be nullptr.
  virtual std::unique_ptr<SinkWriterBase> create_writer(OutputBase** input) const;
  virtual std::unique_ptr<Committer> create_committer() const;
  virtual std::unique_ptr<SinkCoordinator> create_sink_coordinator() const;
  // Sources and operators whose main output is read by several nodes, or by none.
  virtual std::unique_ptr<OutputBase> create_fan_out(std::vector<OutputBase*> outputs) const;
};

struct StreamNode {
  int id = 0;  // index in StreamGraph::nodes; inputs have smaller ids
  NodeKind kind = NodeKind::kOperator;
  std::string name;
  std::string uid;
  int parallelism = 0;             // 0: the job's default
  int parallelism_max = 0;         // also of the default; 0: any
  std::vector<StreamEdge> inputs;  // several: the union of streams of one type; none for sources
  std::string output_type;         // of the main output, mangled; empty for sinks
  std::vector<SideOutput> side_outputs = {};  // those that the job reads
  bool keyed = false;                         // has state by key
  bool has_coordinator = false;
  bool has_committer = false;
  std::string caveat = {};  // of a source, for whoever submits the job
  std::shared_ptr<const NodeFactory> factory;
};

struct StreamGraph {
  std::string job_name;
  std::vector<StreamNode> nodes;
  std::map<std::string, std::string> configuration;  // Flink's keys, set by the job's code

  // Checks what can't be checked while building: a source and a sink, unique uids without ':', a
  // reader of every stream, parallelisms. Throws FatalError.
  void check() const;
  // The same for equal graphs, in every process: detects an entry point that isn't deterministic.
  std::uint64_t fingerprint() const;
};

}  // namespace weir
