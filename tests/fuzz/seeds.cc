// seeds FOLDER: writes the inputs that fuzzing begins with, made by what writes the formats.
#include <filesystem>
#include <fstream>
#include <iostream>

#include "absl/strings/escaping.h"
#include "common/storage/checksummed_file.h"
#include "connectors/kafka/sink/kafka_committable.h"
#include "connectors/kafka/source/partition_split.h"
#include "proto/checkpoint.pb.h"
#include "proto/job_record.pb.h"
#include "proto/ledger.pb.h"
#include "taskmanager/network/frame.h"
#include "taskmanager/state/canonical_file.h"
#include "taskmanager/state/hashmap_backend.h"
#include "taskmanager/state/restore.h"
#include "taskmanager/task/in_flight_file.h"
#include "tests/fuzz/canonical_fixture.h"
#include "weir/state/testing/map_backend.h"
#include "weir/testing/vector_channels.h"
#include "weir/typed_edge.h"

namespace weir {
namespace {

class Seeds {
 public:
  explicit Seeds(std::string folder) : folder_(std::move(folder)) {}

  // `choices` are the input's first bytes.
  void write(const std::string& target, const std::string& name, std::initializer_list<int> choices,
             std::string_view bytes) {
    std::filesystem::create_directories(folder_ + "/" + target);
    std::ofstream file(folder_ + "/" + target + "/" + name, std::ios::binary);
    for (const int choice : choices) file.put(static_cast<char>(choice));
    file << bytes;
  }

 private:
  const std::string folder_;
};

void write_frames(Seeds& seeds) {
  const PartitionId partition{
      .job = JobId(1, 2), .attempt = Attempt(3), .vertex = 4, .edge = 5, .subtask = 6};
  const Event barrier{.kind = Event::Kind::kBarrier,
                      .checkpoint = CheckpointId(7),
                      .trigger_time_ms = 8,
                      .folder = "job/chk-7",
                      .shared_folder = "job/shared"};
  const std::string reader =
      encode_frame({.type = FrameType::kHello}, encode_hello({.address = "host:1"})) +
      encode_frame({.type = FrameType::kOpen, .channel = 1, .number = 2},
                   encode_open({.partition = partition, .channel = 0})) +
      encode_frame({.type = FrameType::kCredit, .channel = 1, .number = 3}, "") +
      encode_frame({.type = FrameType::kClose, .channel = 1}, "");
  const std::string producer =
      encode_frame({.type = FrameType::kBuffer, .continued = true, .channel = 2, .number = 1},
                   "a record") +
      encode_frame({.type = FrameType::kEvent, .priority = true, .channel = 2, .number = 2},
                   encode_event(barrier)) +
      encode_frame({.type = FrameType::kBuffer, .channel = 1, .number = 1}, "skipped") +
      encode_error_frame(2, absl::AbortedError("gone"));
  seeds.write("frames", "reader", {0, 255}, reader);
  seeds.write("frames", "reader_byte_by_byte", {1, 0}, reader);
  seeds.write("frames", "producer", {0, 10}, producer);
  seeds.write("frames", "producer_at_once", {1, 255}, producer);
}

std::string element(ElementKind kind, std::string_view payload) {
  char header[kElementHeaderBytes];
  write_element_header({kind, static_cast<std::uint32_t>(payload.size())}, header);
  return std::string(header, sizeof(header)).append(payload);
}

std::string texts() {
  return element(ElementKind::kRecord, encode<std::string>("text")) +
         element(ElementKind::kTimedRecord, encode<Timestamp>(5) + encode<std::string>("later")) +
         internal::watermark_element(5) + internal::status_element(true);
}

void write_elements(Seeds& seeds) {
  seeds.write("elements", "text", {0, 255, 0}, texts());
  seeds.write("elements", "divided_text", {0, 2, 1}, texts());
  seeds.write("elements", "number", {1, 255, 0},
              element(ElementKind::kRecord, encode<std::int64_t>(-1)));

  const std::string everything =
      encode<std::string>("text") + encode<std::vector<std::int32_t>>({1, -2}) +
      encode(std::optional(std::pair(true, 0.5))) +
      encode<std::map<std::string, std::vector<std::string>>>({{"a", {"b", "c"}}, {"d", {}}}) +
      encode(std::array<std::uint16_t, 3>{1, 2, 3}) +
      encode(std::tuple<std::int8_t, std::vector<bool>>{1, {true, false}});
  seeds.write("elements", "struct", {2, 255, 0}, element(ElementKind::kRecord, everything));
  seeds.write("elements", "structs", {3, 31, 255},
              element(ElementKind::kRecord, encode<std::uint32_t>(2) + everything + everything));
}

void write_in_flight_file(Seeds& seeds) {
  InFlightFile file;
  file.add(0, texts());
  file.add(258, "of a stream that nobody asks for");
  file.add(3, texts().substr(0, 7));  // goes on below
  file.add(0, texts());
  file.add(3, texts().substr(7));
  seeds.write("in_flight_file", "streams", {0}, file.bytes());
  seeds.write("in_flight_file", "pieces", {1},
              std::string_view(file.bytes()).substr(InFlightFile().bytes().size()));
}

void write_canonical_file(Seeds& seeds) {
  NoBackend backend;
  fuzz::CanonicalState state(backend);
  for (const char* key : {"a", "b", "key"}) {
    state.state().set_current_key(key);
    state.value.update(1);
    state.list.add("x");
    state.list.add("yy");
    state.map.put("user key", true);
  }
  RecordingOutput output;
  state.state().begin_snapshot(output);
  while (!state.state().snapshot_some(100)) {
  }
  EntryBuffer entries;
  for (const auto& [key, value] : output.puts) {
    entries.add({.table = key.first, .key = key.second, .value = value});
  }
  entries.sort();
  pb::KeyedStateFileHeader header;
  header.set_max_parallelism(fuzz::CanonicalState::kMaxParallelism);
  for (const StateTable& table : state.state().tables()) *header.add_tables() = to_proto(table);
  const std::string file = encode_canonical_file(header, entries);
  seeds.write("canonical_file", "as_written", {0}, file);
  seeds.write("canonical_file", "mended", {1}, file);
}

pb::CheckpointManifest manifest() {
  pb::CheckpointManifest manifest;
  manifest.set_format_version(1);
  manifest.set_job_id("job");
  manifest.set_checkpoint_id(7);
  manifest.set_generation(2);
  manifest.set_max_parallelism(128);
  (*manifest.mutable_parallelism())["sum"] = 2;
  pb::OperatorState& state = *manifest.add_operators();
  state.set_uid("sum");
  state.set_writer_state("state");
  state.add_splits()->set_id("lines-0");
  state.add_committables()->set_transaction("p:out:1:0:0/5/6");
  pb::KeyedStateHandle& keyed = *state.add_keyed();
  keyed.set_format_version(1);
  keyed.set_max_parallelism(128);
  keyed.set_last_key_group(63);
  keyed.add_files()->set_path("file:///checkpoints/job/shared/f");
  keyed.add_tables()->set_name("value");
  pb::OperatorListState& list = *state.add_lists();
  list.set_name("list");
  list.set_redistribution(pb::OperatorListState::SPLIT);
  list.add_items("one");
  list.add_items("two");
  pb::CoordinatorState& coordinator = *manifest.add_coordinators();
  coordinator.set_uid("in");
  coordinator.set_state("state");
  return manifest;
}

pb::TransactionLedger ledger() {
  pb::TransactionLedger ledger;
  ledger.set_format_version(1);
  ledger.set_job_id("job");
  pb::LedgerEntry& entry = *ledger.add_entries();
  entry.set_sink_uid("out");
  entry.mutable_committable()->set_transaction("p:out:1:0:0/5/6");
  entry.set_state(pb::LedgerEntry::COMMITTED);
  return ledger;
}

pb::StoredJobRecord job_record() {
  pb::StoredJobRecord stored;
  stored.set_format_version(1);
  stored.set_version(3);
  stored.mutable_record()->set_job_id("00000000000000000000000000000001");
  pb::JobGraph& graph = *stored.mutable_record()->mutable_graph();
  graph.set_format_version(1);
  for (const auto& [kind, uid] :
       {std::pair(pb::JobGraph::SOURCE, "in"), std::pair(pb::JobGraph::OPERATOR, "sum"),
        std::pair(pb::JobGraph::SINK, "out")}) {
    pb::JobGraph::Node& node = *graph.add_nodes();
    node.set_id(graph.nodes_size() - 1);
    node.set_kind(kind);
    node.set_uid(uid);
    node.set_name(uid);
    node.set_parallelism(2);
    if (node.id() > 0) node.add_edges()->set_from(node.id() - 1);
  }
  graph.mutable_nodes(1)->mutable_edges(0)->set_partitioning(pb::JobGraph::HASH);
  return stored;
}

void write_durable_files(Seeds& seeds) {
  const std::pair<std::string, std::string> payloads[] = {
      {"manifest", manifest().SerializeAsString()},
      {"ledger", ledger().SerializeAsString()},
      {"job_record", job_record().SerializeAsString()}};
  for (int kind = 0; kind < 3; ++kind) {
    const auto& [name, payload] = payloads[kind];
    seeds.write("durable_files", name, {kind, 1}, payload);
    seeds.write("durable_files", name + "_file", {kind, 0}, storage::encode_checksummed(payload));
  }
}

void write_connector_state(Seeds& seeds) {
  const auto committable = kafka::to_committable({.transactional_id = "p:out:1:0:0",
                                                  .producer_id = 5,
                                                  .producer_epoch = 6,
                                                  .topic_partitions = {}},
                                                 7, {}, 8);
  const kafka::PartitionSplit split{"lines", 0, 42, kafka::kUnbounded};
  seeds.write("connector_state", "committable", {0}, committable.payload);
  seeds.write("connector_state", "split", {1}, kafka::to_split(split).state);
  seeds.write("connector_state", "source", {2}, kafka::encode_source_state({split}, true));
  seeds.write("connector_state", "transactional_id", {3}, "p:out:1:0:0");
  seeds.write("connector_state", "transaction", {4},
              "\x01" + encode<std::string>("name") +
                  encode<std::vector<std::pair<std::string, std::int64_t>>>({{"file", 9}}));
  seeds.write("connector_state", "partition", {5}, "lines-0");
}

// The bodies of connectors/kafka/protocol/messages_test.cc, in the target's order.
constexpr const char* kAnswers[] = {
    "000000000002001a00000005004100000000",
    "00000000000000020000000100036f6e650000238400017200000002000374776f00002385ffff000877436c757374"
    "65720000000200000002000000056c696e65730000000002000500000001ffffffff00000008000000020000000100"
    "0000020000000100000002000000010000000100000000000000000002000000070000000200000001000000020000"
    "0002000000010000000200000000000300046e6f6e650000000000",
    "00000000000000044e4f4e4500000002000374776f00002385",
    "0000000000000000000000000fa00003",
    "00000000002f",
    "000000000200000a703a733a313a303a32084f6e676f696e670000ea600000018bcfe568000000000000000fa00003"
    "03046f75740300000001000000000004646c710200000005000000",
    "00000000000002044f6464030a703a733a313a303a320000000000000fa0084f6e676f696e67000a703a733a313a30"
    "3a330000000000000fa10e46726f6d5468654675747572650000",
    "0000000003046f75740200000002000000030000000000000fa000000003000000090000018bcfe568000000000200"
    "00000000000011000000000000000fa100000000ffffffffffffffffffffffffffffffffffffffffffffffff000000"
    "04646c7102000000000006066d6f76656401000000",
    "020000000000000fa002046f75740200000002001f00000000",
    "00000000000000010000ffff0400013100000002001a7472616e73616374696f6e2e6d61782e74696d656f75742e6d"
    "73000639303030303000050000000001000178ffff05001073736c2e6b65792e70617373776f7264ffff0004010000"
    "0000",
    "0021000000020005504c41494e0006475353415049",
    "003a00026e6f0000000178000000000036ee80",
};

void write_kafka_messages(Seeds& seeds) {
  int kind = 0;
  for (const char* answer : kAnswers) {
    seeds.write("kafka_messages", "answer_" + std::to_string(kind), {kind},
                absl::HexStringToBytes(answer));
    ++kind;
  }
}

}  // namespace
}  // namespace weir

int main(int count, char** arguments) {
  if (count != 2) {
    std::cerr << "usage: fuzz_seeds FOLDER\n";
    return 2;
  }
  weir::Seeds seeds(arguments[1]);
  weir::write_frames(seeds);
  weir::write_elements(seeds);
  weir::write_in_flight_file(seeds);
  weir::write_canonical_file(seeds);
  weir::write_durable_files(seeds);
  weir::write_connector_state(seeds);
  weir::write_kafka_messages(seeds);
}
