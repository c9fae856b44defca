#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "weir/arena.h"
#include "weir/error.h"
#include "weir/kafka/record.h"
#include "weir/sink.h"

namespace weir {

enum class DeliveryGuarantee {
  kNone,         // records may be lost or repeated when anything fails
  kAtLeastOnce,  // repeated, never lost
  kExactlyOnce,  // visible once, to readers with isolation.level=read_committed
};

enum class RecordTimestamp {
  kTimeOfWriting,
  // The element's. Kafka deletes by it: with old event times the topic's retention.ms removes
  // records as soon as they are written.
  kEventTime,
};

// What a KafkaSink was built from.
struct KafkaSinkOptions {
  std::string bootstrap_servers;
  std::string topic;  // empty if every record's is chosen
  DeliveryGuarantee delivery_guarantee = DeliveryGuarantee::kAtLeastOnce;
  std::string transactional_id_prefix;
  std::chrono::milliseconds transaction_timeout = std::chrono::minutes(15);
  std::map<std::string, std::string> properties;  // librdkafka's names

  // Throws FatalError naming what is missing or refused.
  void check() const;
};

namespace kafka {

// The writer without the element's type.
class SinkWriterCore : public SinkWriterBase {
 public:
  virtual void write(const KafkaProducerRecord& record) = 0;
  // Waits for the broker's answer when the topic is new.
  virtual std::int32_t partition_count(std::string_view topic) = 0;
};

std::unique_ptr<SinkWriterCore> create_sink_writer(const KafkaSinkOptions& options);
std::unique_ptr<Committer> create_committer(const KafkaSinkOptions& options);
std::unique_ptr<SinkCoordinator> create_sink_coordinator(const KafkaSinkOptions& options);

// Fills a record whose views live until the next call; the arena is reset by the caller.
template <typename In>
using Serializer = std::function<void(ViewOf<In>, Arena&, KafkaProducerRecord&)>;

// What a job's functions make of one element.
template <typename In>
struct RecordMaker {
  Serializer<In> value;
  Serializer<In> key;
  Serializer<In> topic;
  std::function<void(ViewOf<In>, std::vector<KafkaHeader>&)> headers;
  std::function<std::int32_t(ViewOf<In>, std::string_view topic, std::int32_t partitions)>
      partitioner;
  RecordTimestamp timestamp = RecordTimestamp::kTimeOfWriting;
};

template <typename In>
class TypedSinkWriter final : public SinkWriter<In> {
 public:
  TypedSinkWriter(std::unique_ptr<SinkWriterCore> core, const std::string& topic,
                  RecordMaker<In> maker)
      : core_(std::move(core)), topic_(topic), maker_(std::move(maker)) {}

  void collect(ViewOf<In> element, Timestamp timestamp) override {
    KafkaProducerRecord record;
    record.topic = topic_;
    maker_.value(element, arena_, record);
    if (maker_.key) maker_.key(element, arena_, record);
    if (maker_.topic) maker_.topic(element, arena_, record);
    if (maker_.headers) {
      headers_.clear();
      maker_.headers(element, headers_);
      record.headers = &headers_;
    }
    if (maker_.partitioner) {
      record.partition =
          maker_.partitioner(element, record.topic, core_->partition_count(record.topic));
    }
    if (maker_.timestamp == RecordTimestamp::kEventTime) record.timestamp = timestamp;
    core_->write(record);
  }

  void open(RuntimeContext& context) override { core_->open(context); }
  bool writable() override { return core_->writable(); }
  void end_batch() override {
    arena_.reset();
    core_->end_batch();
  }
  std::vector<Committable> prepare_commit(std::int64_t checkpoint_id) override {
    return core_->prepare_commit(checkpoint_id);
  }
  std::string snapshot(std::int64_t checkpoint_id) override {
    return core_->snapshot(checkpoint_id);
  }
  void release(const Committable& committable) override { core_->release(committable); }
  IoCounts io_counts() const override { return core_->io_counts(); }
  void close() override { core_->close(); }

 private:
  std::unique_ptr<SinkWriterCore> core_;
  const std::string topic_;
  RecordMaker<In> maker_;
  Arena arena_;
  std::vector<KafkaHeader> headers_;
};

// A function's result as bytes: views are taken as they are, strings move into the arena.
template <typename In, typename F>
std::optional<std::string_view> serialize(F& function, ViewOf<In> element, Arena& arena) {
  const auto as_bytes = [&arena](auto&& result) -> std::optional<std::string_view> {
    using Result = std::remove_cvref_t<decltype(result)>;
    if constexpr (std::is_convertible_v<Result, std::string_view>) {
      if constexpr (std::is_same_v<Result, std::string>) return arena.copy(result);
      return std::string_view(result);
    } else {  // std::optional of one of these
      if (!result) return std::nullopt;
      if constexpr (std::is_same_v<typename Result::value_type, std::string>) {
        return arena.copy(*result);
      }
      return std::string_view(*result);
    }
  };
  if constexpr (std::is_invocable_v<F&, ViewOf<In>, Arena&>) {
    return as_bytes(function(element, arena));
  } else {
    return as_bytes(function(element));
  }
}

}  // namespace kafka

template <typename In>
class KafkaSinkBuilder;

// Writes to topics.
//
//   auto sink = KafkaSink<std::string>::builder()
//       .set_bootstrap_servers("localhost:9092").set_topic("orders-out")
//       .set_delivery_guarantee(DeliveryGuarantee::kExactlyOnce)
//       .set_transactional_id_prefix("billing").set_transaction_timeout(15min).build();
//
// kExactlyOnce writes in Kafka transactions, one per checkpoint and subtask, that are committed
// when the checkpoint is durable. The prefix must be used by one running job only.
template <typename In>
class KafkaSink final : public Sink<In> {
 public:
  static KafkaSinkBuilder<In> builder() { return {}; }
  KafkaSink(KafkaSinkOptions options, kafka::RecordMaker<In> maker)
      : options_(std::move(options)), maker_(std::move(maker)) {}

  std::unique_ptr<SinkWriter<In>> create_writer() const override {
    return std::make_unique<kafka::TypedSinkWriter<In>>(kafka::create_sink_writer(options_),
                                                        options_.topic, maker_);
  }
  std::unique_ptr<Committer> create_committer() const override {
    return kafka::create_committer(options_);
  }
  std::unique_ptr<SinkCoordinator> create_coordinator() const override {
    return kafka::create_sink_coordinator(options_);
  }

 private:
  KafkaSinkOptions options_;
  kafka::RecordMaker<In> maker_;
};

template <typename In>
class KafkaSinkBuilder {
 public:
  KafkaSinkBuilder() {
    if constexpr (std::is_same_v<In, std::string>) {
      maker_.value = [](std::string_view text, Arena&, KafkaProducerRecord& record) {
        record.value = text;
      };
    }
  }

  // "host:port,host:port"
  KafkaSinkBuilder& set_bootstrap_servers(std::string servers) {
    return options_.bootstrap_servers = std::move(servers), *this;
  }
  KafkaSinkBuilder& set_topic(std::string topic) {
    return options_.topic = std::move(topic), *this;
  }
  // function(element[, Arena&]) → the topic's name.
  template <typename F>
  KafkaSinkBuilder& set_topic_selector(F function) {
    maker_.topic = [function](ViewOf<In> element, Arena& arena,
                              KafkaProducerRecord& record) mutable {
      record.topic = kafka::serialize<In>(function, element, arena).value_or(record.topic);
    };
    return *this;
  }
  // function(element[, Arena&]) → bytes as text of any kind, or std::optional of it: none is a
  // tombstone. Default for std::string: the text as it is.
  template <typename F>
  KafkaSinkBuilder& set_value_serializer(F function) {
    maker_.value = [function](ViewOf<In> element, Arena& arena,
                              KafkaProducerRecord& record) mutable {
      record.value = kafka::serialize<In>(function, element, arena);
    };
    return *this;
  }
  // The same for the key. Default: no key.
  template <typename F>
  KafkaSinkBuilder& set_key_serializer(F function) {
    maker_.key = [function](ViewOf<In> element, Arena& arena, KafkaProducerRecord& record) mutable {
      record.key = kafka::serialize<In>(function, element, arena);
    };
    return *this;
  }
  // function(element, std::vector<KafkaHeader>&) adds the record's headers; their bytes must live
  // until it is called again.
  template <typename F>
  KafkaSinkBuilder& set_headers(F function) {
    return maker_.headers = std::move(function), *this;
  }
  // function(element, topic, number of partitions) → partition. Default: by the key's hash as
  // Kafka's Java client has it, or any partition when there is no key.
  template <typename F>
  KafkaSinkBuilder& set_partitioner(F function) {
    return maker_.partitioner = std::move(function), *this;
  }
  // Default: the time of writing.
  KafkaSinkBuilder& set_record_timestamp(RecordTimestamp timestamp) {
    return maker_.timestamp = timestamp, *this;
  }
  // Default: at least once.
  KafkaSinkBuilder& set_delivery_guarantee(DeliveryGuarantee guarantee) {
    return options_.delivery_guarantee = guarantee, *this;
  }
  // Begins every transactional id of the sink. ':' is refused.
  KafkaSinkBuilder& set_transactional_id_prefix(std::string prefix) {
    return options_.transactional_id_prefix = std::move(prefix), *this;
  }
  // After this time without commit the broker aborts a transaction, and its records are lost. At
  // most the broker's transaction.max.timeout.ms. Default: 15 minutes, which is Kafka's maximum
  // too.
  KafkaSinkBuilder& set_transaction_timeout(std::chrono::milliseconds timeout) {
    return options_.transaction_timeout = timeout, *this;
  }
  // A property of librdkafka, e.g. "compression.type". What this class decides itself, and what
  // would load code, is refused.
  KafkaSinkBuilder& set_property(std::string key, std::string value) {
    return options_.properties[std::move(key)] = std::move(value), *this;
  }

  // Throws FatalError naming what is missing or refused.
  KafkaSink<In> build() const {
    options_.check();
    if (options_.topic.empty() && !maker_.topic) {
      throw FatalError("KafkaSink: set_topic() or set_topic_selector() is missing");
    }
    if (!maker_.value) throw FatalError("KafkaSink: set_value_serializer() is missing");
    return KafkaSink<In>(options_, maker_);
  }

 private:
  KafkaSinkOptions options_;
  kafka::RecordMaker<In> maker_;
};

}  // namespace weir
