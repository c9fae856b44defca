#include "weir/graph.h"

#include <cxxabi.h>

#include <cstdlib>
#include <set>
#include <string_view>

#include "weir/error.h"

namespace weir {
namespace {

// FNV-1a, 64 bits. Strings go in with their length, so that ("ab", "c") differs from ("a", "bc").
class Fnv1a {
 public:
  void add(std::uint64_t number) {
    for (int byte = 0; byte < 8; ++byte) add_byte(static_cast<unsigned char>(number >> (8 * byte)));
  }
  void add(std::string_view text) {
    add(text.size());
    for (const char c : text) add_byte(static_cast<unsigned char>(c));
  }
  std::uint64_t value() const { return value_; }

 private:
  void add_byte(unsigned char byte) {
    value_ ^= byte;
    value_ *= 0x100000001b3ULL;
  }

  std::uint64_t value_ = 0xcbf29ce484222325ULL;
};

// The id alone for a plain edge, as ever.
void add_edge(const StreamEdge& edge, Fnv1a& hash) {
  hash.add(static_cast<std::uint64_t>(edge.from));
  if (edge.output == 0 && edge.partitioning == Partitioning::kForward) return;
  hash.add("edge");
  hash.add(static_cast<std::uint64_t>(edge.output));
  hash.add(static_cast<std::uint64_t>(edge.partitioning));
}

[[noreturn]] void no_such_part(const char* part) {
  throw FatalError(std::string("a node of this kind has no ") + part);
}

std::string describe(const StreamNode& node) {
  return "'" + node.name + "' (uid '" + node.uid + "')";
}

void check_uids(const StreamGraph& graph) {
  std::set<std::string_view> uids;
  for (const StreamNode& node : graph.nodes) {
    if (node.uid.empty()) throw FatalError("the uid of '" + node.name + "' is empty");
    if (node.uid.find(':') != std::string::npos) {
      throw FatalError("the uid '" + node.uid +
                       "' contains ':', which separates the parts of transactional ids: use '-'");
    }
    if (!uids.insert(node.uid).second) {
      throw FatalError("the uid '" + node.uid +
                       "' is given to two operators: give each one of its own by uid()");
    }
  }
}

void check_parallelism(const StreamNode& node) {
  const std::string is = " of " + describe(node) + " is " + std::to_string(node.parallelism);
  if (node.parallelism < 0) throw FatalError("the parallelism" + is + ": it must be at least 1");
  if (node.parallelism_max > 0 && node.parallelism > node.parallelism_max) {
    throw FatalError("the parallelism" + is + ": it can be at most " +
                     std::to_string(node.parallelism_max));
  }
}

void check_edges(const StreamGraph& graph) {
  std::vector<bool> is_read(graph.nodes.size(), false);
  for (const StreamNode& node : graph.nodes) {
    for (const StreamEdge& edge : node.inputs) {
      is_read.at(static_cast<std::size_t>(edge.from)) = true;
    }
  }
  for (const StreamNode& node : graph.nodes) {
    if (node.kind != NodeKind::kSink && !is_read[static_cast<std::size_t>(node.id)]) {
      throw FatalError("the stream that " + describe(node) +
                       " makes goes nowhere: end it with sink_to()");
    }
  }
}

}  // namespace

std::unique_ptr<SourceReaderBase> NodeFactory::create_reader(OutputBase& /*next*/) const {
  no_such_part("source reader");
}
std::unique_ptr<SourceCoordinator> NodeFactory::create_source_coordinator() const {
  no_such_part("source coordinator");
}
std::unique_ptr<Operator> NodeFactory::create_operator(OutputBase& /*next*/,
                                                       const SideOutputs& /*side_outputs*/) const {
  no_such_part("operator");
}
std::unique_ptr<SinkWriterBase> NodeFactory::create_writer(OutputBase** /*input*/) const {
  no_such_part("sink writer");
}
std::unique_ptr<Committer> NodeFactory::create_committer() const {
  no_such_part("committer");
}
std::unique_ptr<SinkCoordinator> NodeFactory::create_sink_coordinator() const {
  no_such_part("sink coordinator");
}
std::unique_ptr<OutputBase> NodeFactory::create_fan_out(
    std::vector<OutputBase*> /*outputs*/) const {
  no_such_part("output");
}

void StreamGraph::check() const {
  bool has_source = false;
  bool has_sink = false;
  for (const StreamNode& node : nodes) {
    has_source = has_source || node.kind == NodeKind::kSource;
    has_sink = has_sink || node.kind == NodeKind::kSink;
    check_parallelism(node);
  }
  if (!has_source) throw FatalError("the job has no source: begin a stream by env.from_source()");
  if (!has_sink) throw FatalError("the job has no sink: end a stream with sink_to()");
  check_uids(*this);
  check_edges(*this);
}

std::uint64_t StreamGraph::fingerprint() const {
  Fnv1a hash;
  hash.add(job_name);
  hash.add(nodes.size());
  for (const StreamNode& node : nodes) {
    hash.add(static_cast<std::uint64_t>(node.kind));
    hash.add(node.name);
    hash.add(node.uid);
    hash.add(static_cast<std::uint64_t>(node.parallelism));
    hash.add(node.inputs.size());
    for (const StreamEdge& edge : node.inputs) add_edge(edge, hash);
    hash.add(node.output_type);
    hash.add(node.has_coordinator);
    hash.add(node.has_committer);
    // Only where they are, so that the graphs of earlier versions keep their fingerprints.
    if (node.keyed) hash.add("keyed");
    for (const SideOutput& side_output : node.side_outputs) {
      hash.add(side_output.tag);
      hash.add(side_output.type);
    }
  }
  hash.add(configuration.size());
  for (const auto& [key, value] : configuration) {
    hash.add(key);
    hash.add(value);
  }
  return hash.value();
}

namespace internal {

std::string readable_type(const char* mangled) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> name(
      abi::__cxa_demangle(mangled, nullptr, nullptr, &status), &std::free);
  return status == 0 ? name.get() : mangled;
}

int add_side_output(StreamGraph& graph, int node, SideOutput side_output) {
  StreamNode& from = graph.nodes.at(static_cast<std::size_t>(node));
  if (!from.factory->can_have_side_outputs()) {
    throw FatalError("'" + from.name + "' has no side outputs: process() and windows have");
  }
  for (std::size_t i = 0; i < from.side_outputs.size(); ++i) {
    const SideOutput& known = from.side_outputs[i];
    if (known.tag != side_output.tag) continue;
    if (known.type == side_output.type) return static_cast<int>(i) + 1;
    throw FatalError("the side output '" + known.tag + "' of '" + from.name +
                     "' is read as a stream of " + readable_type(known.type.c_str()) + " and of " +
                     readable_type(side_output.type.c_str()));
  }
  from.side_outputs.push_back(std::move(side_output));
  return static_cast<int>(from.side_outputs.size());
}

int add_node(StreamGraph& graph, NodeKind kind, std::string name, std::vector<StreamEdge> inputs,
             const char* output_type, std::shared_ptr<const NodeFactory> factory) {
  StreamNode node;
  node.id = static_cast<int>(graph.nodes.size());
  node.kind = kind;
  node.name = std::move(name);
  node.inputs = std::move(inputs);
  node.output_type = output_type;
  switch (kind) {
    case NodeKind::kSource:
      node.uid = "source-";
      node.has_coordinator = factory->create_source_coordinator() != nullptr;
      break;
    case NodeKind::kOperator:
      node.uid = "operator-";
      break;
    case NodeKind::kSink:
      node.uid = "sink-";
      node.has_coordinator = factory->create_sink_coordinator() != nullptr;
      node.has_committer = factory->create_committer() != nullptr;
      break;
  }
  node.uid += std::to_string(node.id);
  node.factory = std::move(factory);
  graph.nodes.push_back(std::move(node));
  return graph.nodes.back().id;
}

}  // namespace internal
}  // namespace weir
