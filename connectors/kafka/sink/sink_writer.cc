#include "connectors/kafka/sink/sink_writer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/fault_point.h"
#include "connectors/kafka/sink/sink_config.h"
#include "weir/error.h"

namespace weir::kafka {
namespace {

constexpr std::chrono::milliseconds kPollWait{10};
constexpr std::chrono::seconds kMetadataTimeout{10};
constexpr std::chrono::seconds kCloseTimeout{10};

void throw_error(const absl::Status& status) {
  if (status.ok()) return;
  const std::string message = "KafkaSink: " + std::string(status.message());
  // The same record will be there again after a restart.
  if (absl::IsOutOfRange(status) || absl::IsInvalidArgument(status)) throw FatalError(message);
  throw Error(message);
}

template <typename T>
T value_or_throw(absl::StatusOr<T> result) {
  throw_error(result.status());
  return *std::move(result);
}

// What the topic's brokers take in one batch, if they tell.
std::optional<std::int64_t> topic_bytes_max(const KafkaSinkOptions& options) {
  if (options.topic.empty()) return std::nullopt;
  absl::StatusOr<std::unique_ptr<protocol::TransactionAdmin>> admin =
      make_transaction_admin(options);
  if (!admin.ok()) return std::nullopt;
  const absl::StatusOr<protocol::ConfigDescription> config = (*admin)->describe_configs(
      {.type = protocol::ConfigResourceType::kTopic, .name = options.topic}, {"max.message.bytes"},
      std::chrono::steady_clock::now() + kMetadataTimeout);
  if (!config.ok()) return std::nullopt;
  const auto found = config->values.find("max.message.bytes");
  std::int64_t bytes = 0;
  if (found == config->values.end() || !found->second ||
      !absl::SimpleAtoi(*found->second, &bytes)) {
    return std::nullopt;
  }
  return bytes;
}

// A batch above the topic's limit is refused whole, and only librdkafka's own check of a record can
// name that record; so both limits are the topic's.
void limit_to_topic(const KafkaSinkOptions& options, Properties& properties) {
  const std::optional<std::int64_t> topic_max = topic_bytes_max(options);
  if (!topic_max) return;
  if (!options.properties.contains("message.max.bytes")) {
    properties["message.max.bytes"] =
        std::to_string(std::clamp<std::int64_t>(*topic_max, 1000, 1'000'000'000));
  }
  std::int64_t batch_bytes = 0;
  if (absl::SimpleAtoi(properties["batch.size"], &batch_bytes)) {
    properties["batch.size"] = std::to_string(std::min(batch_bytes, *topic_max));
  }
}

}  // namespace

SinkWriterWithProducer::SinkWriterWithProducer(KafkaSinkOptions options)
    : options_(std::move(options)) {}

void SinkWriterWithProducer::open(RuntimeContext& context) {
  context_ = &context;
  properties_ = producer_properties(options_);
  limit_to_topic(options_, properties_);
  if (!options_.topic.empty()) topics_.push_back(options_.topic);
}

void SinkWriterWithProducer::write(const KafkaProducerRecord& record) {
  Producer& producer = producer_ ? *producer_ : begin();
  const absl::StatusOr<bool> taken = producer.produce(record);
  if (!taken.ok()) [[unlikely]]
    throw_error(taken.status());
  if (!*taken) [[unlikely]]
    write_slowly(producer, record);
  ++counts_.records;
  counts_.bytes +=
      (record.value ? record.value->size() : 0) + (record.key ? record.key->size() : 0);
  if (topics_.empty() || topics_.back() != record.topic) [[unlikely]] {
    const auto found = std::find(topics_.begin(), topics_.end(), record.topic);
    if (found == topics_.end()) {
      topics_.emplace_back(record.topic);
    } else {
      std::iter_swap(found, topics_.end() - 1);
    }
  }
  WEIR_FAULT_POINT("sink.record_produced");
}

void SinkWriterWithProducer::write_slowly(Producer& producer, const KafkaProducerRecord& record) {
  do {
    producer.poll(kPollWait);
    throw_error(producer.status());
    throw_if_cancelled();
  } while (!value_or_throw(producer.produce(record)));
}

void SinkWriterWithProducer::end_batch() {
  if (!producer_) return;
  producer_->poll(std::chrono::milliseconds(0));
  throw_error(producer_->status());
}

std::int32_t SinkWriterWithProducer::partition_count(std::string_view topic) {
  const auto found = std::find_if(partition_counts_.begin(), partition_counts_.end(),
                                  [&](const auto& entry) { return entry.first == topic; });
  if (found != partition_counts_.end()) return found->second;
  Producer& producer = producer_ ? *producer_ : begin();
  const std::int32_t count =
      value_or_throw(producer.partition_count(std::string(topic), kMetadataTimeout));
  partition_counts_.emplace_back(topic, count);
  return count;
}

void SinkWriterWithProducer::flush(Producer& producer) {
  WEIR_FAULT_POINT("sink.before_flush");
  while (!producer.flush(kPollWait)) {
    throw_error(producer.status());
    throw_if_cancelled();
  }
  throw_error(producer.status());
  WEIR_FAULT_POINT("sink.flushed_not_acked");
}

void SinkWriterWithProducer::throw_if_cancelled() const {
  if (context_->cancelled()) throw Error("KafkaSink: the task is cancelled");
}

void PlainSinkWriter::open(RuntimeContext& context) {
  SinkWriterWithProducer::open(context);
  producer_ = value_or_throw(Producer::create(properties()));
  for (const std::string& topic : topics()) {
    throw_error(producer_->load_topic(topic, kMetadataTimeout));
  }
}

std::vector<Committable> PlainSinkWriter::prepare_commit(std::int64_t /*checkpoint_id*/) {
  if (options().delivery_guarantee == DeliveryGuarantee::kAtLeastOnce) flush(*producer_);
  return {};
}

void PlainSinkWriter::close() {
  // kNone has no other moment at which what lingers is sent.
  const auto deadline = std::chrono::steady_clock::now() + kCloseTimeout;
  while (producer_ && !context().cancelled() && !producer_->flush(kPollWait) &&
         std::chrono::steady_clock::now() < deadline) {
  }
  producer_.reset();
}

}  // namespace weir::kafka
