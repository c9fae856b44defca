#include "connectors/kafka/source/source_config.h"

#include <algorithm>
#include <cstdint>
#include <regex>
#include <string>

#include "connectors/kafka/client/consumer_queue.h"
#include "weir/error.h"

namespace weir {

void KafkaSourceOptions::check() const {
  if (bootstrap_servers.empty()) {
    throw FatalError("KafkaSource: set_bootstrap_servers() is missing");
  }
  if (topics.empty() == topic_pattern.empty()) {
    throw FatalError("KafkaSource: set either set_topics() or set_topic_pattern()");
  }
  try {
    const std::regex pattern(topic_pattern);
  } catch (const std::regex_error& error) {
    throw FatalError("KafkaSource: the topic pattern '" + topic_pattern +
                     "' is no regular expression: " + error.what());
  }
  const auto needs_group = [](const OffsetsInitializer& offsets) {
    return offsets.kind() == OffsetsInitializer::Kind::kCommitted;
  };
  if (group_id.empty() && (needs_group(starting_offsets) || (bounded && needs_group(*bounded)))) {
    throw FatalError("KafkaSource: committed_offsets() needs set_group_id()");
  }
  if (fetch_memory_bytes < (std::int64_t{1} << 20)) {
    throw FatalError("KafkaSource: set_fetch_memory() needs at least 1 MiB");
  }
  const absl::Status status = kafka::check_properties(kafka::ClientRole::kConsumer, properties);
  if (!status.ok()) throw FatalError("KafkaSource: " + std::string(status.message()));
}

}  // namespace weir

namespace weir::kafka {
namespace {

// Measured: what librdkafka holds for a queued record of 100 bytes, all in all.
constexpr std::int64_t kQueuedRecordBytes = 320;

}  // namespace

Properties consumer_properties(const KafkaSourceOptions& options) {
  const std::int64_t budget = options.fetch_memory_bytes;
  // One half is for what is queued, the other for the fetch that may arrive when that is full.
  // Large records cost little beyond their bytes.
  const std::int64_t queued_records =
      std::clamp<std::int64_t>(budget / 2 / kQueuedRecordBytes, 1000, 10'000'000);
  const std::int64_t queued_kbytes = std::clamp<std::int64_t>(budget * 3 / 10 / 1024, 1, 2'097'151);
  const std::int64_t fetch_bytes = std::clamp<std::int64_t>(budget / 16, 64 << 10, 8'000'000);
  Properties properties = {
      {"client.id", "weir"},
      {"queued.min.messages", std::to_string(queued_records)},
      {"queued.max.messages.kbytes", std::to_string(queued_kbytes)},
      {"fetch.message.max.bytes", std::to_string(fetch_bytes)},
  };
  if (options.properties.contains("max.partition.fetch.bytes")) {
    properties.erase("fetch.message.max.bytes");
  }
  for (const auto& [name, value] : options.properties) properties[name] = value;
  properties["bootstrap.servers"] = options.bootstrap_servers;
  // librdkafka wants a group even of a consumer that never joins one.
  properties["group.id"] = options.group_id.empty() ? "weir" : options.group_id;
  properties["enable.auto.commit"] = "false";
  properties["enable.auto.offset.store"] = "false";
  properties["auto.offset.reset"] = "error";
  properties["enable.partition.eof"] = "true";
  properties["max.poll.interval.ms"] = "86400000";  // backpressure may last
  properties["isolation.level"] = options.isolation_level == IsolationLevel::kReadCommitted
                                      ? "read_committed"
                                      : "read_uncommitted";
  ConsumerQueue::configure(properties);
  return properties;
}

}  // namespace weir::kafka
