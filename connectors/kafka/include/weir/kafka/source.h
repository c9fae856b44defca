#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "weir/error.h"
#include "weir/kafka/offsets.h"
#include "weir/kafka/record.h"
#include "weir/operator.h"
#include "weir/source.h"

namespace weir {

enum class IsolationLevel { kReadCommitted, kReadUncommitted };

// What a KafkaSource was built from.
struct KafkaSourceOptions {
  std::string bootstrap_servers;
  std::vector<std::string> topics;
  std::string topic_pattern;  // instead of topics
  std::string group_id;       // empty: no offsets are committed
  OffsetsInitializer starting_offsets = OffsetsInitializer::earliest();
  std::optional<OffsetsInitializer> bounded;
  IsolationLevel isolation_level = IsolationLevel::kReadCommitted;
  std::chrono::milliseconds partition_discovery_interval = std::chrono::minutes(5);  // 0: never
  std::int64_t fetch_memory_bytes = std::int64_t{64} << 20;
  std::map<std::string, std::string> properties;  // librdkafka's names

  // Throws FatalError naming what is missing or refused.
  void check() const;
};

namespace kafka {

// Consecutive records of one partition.
struct RecordsOfSplit {
  std::string split_id;
  std::span<const KafkaRecord> records;
};

// The reader without the record's type: polls batches of records.
class SourceReaderCore {
 public:
  virtual ~SourceReaderCore() = default;
  virtual void open(SourceReaderContext& context) = 0;
  virtual void add_splits(std::span<const Split> splits) = 0;
  virtual void no_more_splits() = 0;
  virtual PollStatus poll(std::chrono::milliseconds wait) = 0;
  // Of the last poll().
  virtual std::span<const KafkaRecord> records() const = 0;
  // The same, cut where the partition changes.
  virtual std::vector<RecordsOfSplit> records_by_split() const = 0;
  // The ids of the splits that have ended since the last call.
  virtual std::vector<std::string> take_ended_splits() = 0;
  virtual std::vector<Split> snapshot(std::int64_t checkpoint_id) = 0;
  virtual void notify_checkpoint_complete(std::int64_t checkpoint_id) = 0;
  virtual IoCounts io_counts() const = 0;
  virtual void wake_up() = 0;
  virtual void close() = 0;
};

std::unique_ptr<SourceReaderCore> create_source_reader(const KafkaSourceOptions& options);
std::unique_ptr<SourceCoordinator> create_source_coordinator(const KafkaSourceOptions& options);
// Throws the exception being handled again, its text after the record's place.
[[noreturn]] void rethrow_with_place(const KafkaRecord& record);

template <typename T>
using BatchDeserializer = std::function<void(std::span<const KafkaRecord>, Output<T>&)>;

template <typename T>
class TypedSourceReader final : public SourceReader<T> {
 public:
  TypedSourceReader(std::unique_ptr<SourceReaderCore> core, BatchDeserializer<T> deserialize)
      : core_(std::move(core)), deserialize_(std::move(deserialize)) {}

  void open(SourceReaderContext& context) override { core_->open(context); }
  void add_splits(std::span<const Split> splits) override { core_->add_splits(splits); }
  void no_more_splits() override { core_->no_more_splits(); }
  PollStatus poll(std::chrono::milliseconds wait) override {
    const PollStatus status = core_->poll(wait);
    if (this->splits() != nullptr) {
      deserialize_by_split();
    } else if (!core_->records().empty()) {
      deserialize_(core_->records(), this->output());
    }
    return status;
  }
  std::vector<Split> snapshot(std::int64_t checkpoint_id) override {
    return core_->snapshot(checkpoint_id);
  }
  void notify_checkpoint_complete(std::int64_t checkpoint_id) override {
    core_->notify_checkpoint_complete(checkpoint_id);
  }
  IoCounts io_counts() const override { return core_->io_counts(); }
  void wake_up() override { core_->wake_up(); }
  void close() override { core_->close(); }

 private:
  void deserialize_by_split() {
    for (const RecordsOfSplit& of_split : core_->records_by_split()) {
      this->splits()->begin_split(of_split.split_id);
      deserialize_(of_split.records, this->output());
    }
    for (const std::string& id : core_->take_ended_splits()) this->splits()->end_split(id);
  }

  std::unique_ptr<SourceReaderCore> core_;
  BatchDeserializer<T> deserialize_;
};

template <typename F>
decltype(auto) read_record(const KafkaRecord& record, F&& read) {
  try {
    return read();
  } catch (const std::exception&) {
    rethrow_with_place(record);
  }
}

}  // namespace kafka

template <typename T>
class KafkaSourceBuilder;

// Reads topics, each partition by one subtask, in order.
//
//   auto source = KafkaSource<std::string>::builder()
//       .set_bootstrap_servers("localhost:9092").set_topics("orders").set_group_id("billing")
//       .set_starting_offsets(OffsetsInitializer::committed_offsets(OffsetReset::kEarliest))
//       .build();
//
// Records carry Kafka's timestamp. Positions are in the job's checkpoints; the group's offsets are
// committed after each checkpoint, for other tools to see, and are read only when a job starts
// afresh.
template <typename T>
class KafkaSource final : public Source<T> {
 public:
  static KafkaSourceBuilder<T> builder() { return {}; }
  KafkaSource(KafkaSourceOptions options, kafka::BatchDeserializer<T> deserialize)
      : options_(std::move(options)), deserialize_(std::move(deserialize)) {}

  std::unique_ptr<SourceReader<T>> create_reader() const override {
    return std::make_unique<kafka::TypedSourceReader<T>>(kafka::create_source_reader(options_),
                                                         deserialize_);
  }
  std::unique_ptr<SourceCoordinator> create_coordinator() const override {
    return kafka::create_source_coordinator(options_);
  }

 private:
  KafkaSourceOptions options_;
  kafka::BatchDeserializer<T> deserialize_;
};

template <typename T>
class KafkaSourceBuilder {
 public:
  KafkaSourceBuilder() {
    if constexpr (std::is_same_v<T, std::string>) {
      set_value_only_deserializer([](std::string_view value) { return value; });
    }
  }

  // "host:port,host:port"
  KafkaSourceBuilder& set_bootstrap_servers(std::string servers) {
    return options_.bootstrap_servers = std::move(servers), *this;
  }
  template <typename... Topics>
  KafkaSourceBuilder& set_topics(Topics&&... topics) {
    return options_.topics = {std::string(std::forward<Topics>(topics))...}, *this;
  }
  KafkaSourceBuilder& set_topics(std::vector<std::string> topics) {
    return options_.topics = std::move(topics), *this;
  }
  // A regular expression that the whole name of a topic must match.
  KafkaSourceBuilder& set_topic_pattern(std::string pattern) {
    return options_.topic_pattern = std::move(pattern), *this;
  }
  KafkaSourceBuilder& set_group_id(std::string group_id) {
    return options_.group_id = std::move(group_id), *this;
  }
  // Default: earliest.
  KafkaSourceBuilder& set_starting_offsets(OffsetsInitializer offsets) {
    return options_.starting_offsets = std::move(offsets), *this;
  }
  // Ends the source at these offsets (exclusive). Default: it never ends.
  KafkaSourceBuilder& set_bounded(OffsetsInitializer offsets) {
    return options_.bounded = std::move(offsets), *this;
  }
  // Default: read_committed.
  KafkaSourceBuilder& set_isolation_level(IsolationLevel level) {
    return options_.isolation_level = level, *this;
  }
  // How often new partitions, and topics of the pattern, are looked for; they are read from their
  // beginning. Default 5 minutes; 0: never.
  KafkaSourceBuilder& set_partition_discovery_interval(std::chrono::milliseconds interval) {
    return options_.partition_discovery_interval = interval, *this;
  }
  // What one subtask may hold of records fetched ahead. Default 64 MiB, more than 100,000 small
  // records queued and as much on its way.
  KafkaSourceBuilder& set_fetch_memory(std::int64_t bytes) {
    return options_.fetch_memory_bytes = bytes, *this;
  }
  // A property of librdkafka, e.g. "security.protocol". What this class decides itself, and what
  // would load code, is refused.
  KafkaSourceBuilder& set_property(std::string key, std::string value) {
    return options_.properties[std::move(key)] = std::move(value), *this;
  }

  // function(std::string_view value) → T (or, for text, a view into the value). A tombstone is seen
  // as empty. Default for std::string: the value as it is.
  template <typename F>
  KafkaSourceBuilder& set_value_only_deserializer(F function) {
    deserialize_ = [function](std::span<const KafkaRecord> records, Output<T>& output) mutable {
      for (const KafkaRecord& record : records) {
        decltype(auto) value = kafka::read_record(record, [&]() -> decltype(auto) {
          return function(record.value.value_or(std::string_view()));
        });
        output.collect(value, record.timestamp);
      }
    };
    return *this;
  }
  // function(const KafkaRecord&, Collector<T>&) → any number of elements.
  template <typename F>
  KafkaSourceBuilder& set_deserializer(F function) {
    deserialize_ = [function](std::span<const KafkaRecord> records, Output<T>& output) mutable {
      Collector<T> collector(output);
      for (const KafkaRecord& record : records) {
        collector.set_timestamp(record.timestamp);
        kafka::read_record(record, [&] { function(record, collector); });
      }
    };
    return *this;
  }

  // Throws FatalError naming what is missing or refused.
  KafkaSource<T> build() const {
    options_.check();
    if (!deserialize_) {
      throw FatalError(
          "KafkaSource: set_value_only_deserializer() or set_deserializer() is missing");
    }
    return KafkaSource<T>(options_, deserialize_);
  }

 private:
  KafkaSourceOptions options_;
  kafka::BatchDeserializer<T> deserialize_;
};

}  // namespace weir
