#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "connectors/kafka/client/rdkafka_handle.h"
#include "weir/kafka/record.h"
#include "weir/sink.h"

namespace weir::kafka {

// One producer of librdkafka, and what became of the records given to it. With a transactional id
// it serves one transaction and is then dropped: a second one would have the first one's epoch.
// Dropping it sends nothing to the broker, whatever state the transaction is in.
//
// Confined to one thread at a time: made ready by one, then handed to the writer's.
class Producer {
 public:
  // `properties` of librdkafka. InvalidArgument if it refuses them.
  static absl::StatusOr<std::unique_ptr<Producer>> create(const Properties& properties);
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;
  ~Producer();

  // Learns the topic's partitions; without that the first record would wait up to a second.
  absl::Status load_topic(const std::string& topic, std::chrono::milliseconds timeout);

  // Unavailable: call it again on this producer; anything else: drop the producer.
  absl::Status init_transactions(std::chrono::milliseconds timeout);
  // InitProducerId requests sent so far.
  int init_attempts() const { return init_attempts_.load(); }
  absl::Status begin_transaction();

  // False if the queue is full: poll() and try again. Copies the record, into a batch that
  // librdkafka gets when it is full or poll() or flush() is called. An error may be that of an
  // earlier record.
  absl::StatusOr<bool> produce(const KafkaProducerRecord& record);
  // Takes delivery reports in, waiting at most `wait` for the first.
  void poll(std::chrono::milliseconds wait);
  // As poll(), and lets nothing linger. True when every record has been reported.
  bool flush(std::chrono::milliseconds wait);

  // Why a record wasn't written, or why none can be any more. OK while all is well.
  absl::Status status() const;
  std::uint64_t produced() const { return produced_; }
  // Where the records that were reported as written are. Ordered by resource.
  std::vector<WrittenRange> ranges() const;
  absl::StatusOr<std::int32_t> partition_count(const std::string& topic,
                                               std::chrono::milliseconds timeout);

 private:
  struct Range {
    const rd_kafka_topic_t* topic;
    std::int32_t partition;
    std::int64_t first;
    std::int64_t last;
    std::uint64_t records;
  };
  struct Topic {
    std::string name;
    TopicPtr handle;
  };

  // What librdkafka gets by one call: for each record it would look at the clock three times.
  struct Batch {
    rd_kafka_topic_t* topic = nullptr;
    std::vector<char> bytes;  // keeps its size: messages point into it
    std::size_t used = 0;
    std::vector<rd_kafka_message_t> messages;
  };

  Producer();
  static void on_delivery(rd_kafka_t* handle, const rd_kafka_message_t* message, void* opaque);
  static rd_kafka_resp_err_t on_new(rd_kafka_t* handle, const rd_kafka_conf_t* conf, void* opaque,
                                    char* error, std::size_t error_size);
  static rd_kafka_resp_err_t on_request_sent(rd_kafka_t* handle, int socket, const char* broker,
                                             std::int32_t broker_id, std::int16_t api_key,
                                             std::int16_t api_version, std::int32_t correlation_id,
                                             std::size_t size, void* opaque);
  void count_delivery(const rd_kafka_message_t& message);
  rd_kafka_topic_t* topic_handle(std::string_view name);
  bool add_to_batch(rd_kafka_topic_t* topic, const KafkaProducerRecord& record);
  // False if the queue is full: what it didn't take stays in the batch.
  bool send_batch();
  absl::StatusOr<bool> produce_now(rd_kafka_topic_t* topic, const KafkaProducerRecord& record);
  absl::Status produce_error(rd_kafka_resp_err_t error, const KafkaProducerRecord& record) const;

  Properties properties_;
  std::atomic<int> init_attempts_{0};
  std::vector<Topic> topics_;  // few; the last one used comes first
  Batch batch_;
  std::vector<Range> ranges_;
  std::size_t last_range_ = 0;
  std::uint64_t produced_ = 0;
  absl::Status failure_;
  HandlePtr handle_;
};

}  // namespace weir::kafka
