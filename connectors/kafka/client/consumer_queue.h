#pragma once

#include <librdkafka/rdkafka.h>

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "connectors/kafka/client/client_properties.h"
#include "connectors/kafka/client/rdkafka_handle.h"

namespace weir::kafka {

// What a consumer has fetched, in batches, and the care that it fetches on: by itself librdkafka
// looks at a queue that was full again only after up to a second, which would bound the throughput
// to one queue a second.
//
// Confined to its thread but for wake_up(). The handle outlives it.
class ConsumerQueue {
 public:
  // Adds to `properties` what the consumer's handle must be made with.
  static void configure(Properties& properties);

  explicit ConsumerQueue(rd_kafka_t* handle);
  ~ConsumerQueue();
  ConsumerQueue(const ConsumerQueue&) = delete;
  ConsumerQueue& operator=(const ConsumerQueue&) = delete;

  // The messages that are there, or else those that come within `wait`. They are valid until the
  // next call, or drop_batch().
  absl::StatusOr<std::span<rd_kafka_message_t* const>> next_batch(std::chrono::milliseconds wait);
  void drop_batch();
  // Ends the wait of a next_batch(). Thread-safe.
  void wake_up();

 private:
  absl::Status take(std::chrono::milliseconds wait, std::size_t messages_max);
  absl::Status fetch_on();

  rd_kafka_t* const handle_;
  const QueuePtr queue_;
  const std::string sasl_username_;
  const std::string sasl_password_;
  const std::int64_t refill_messages_;
  const std::int64_t refill_bytes_;

  std::vector<rd_kafka_message_t*> messages_;
  std::size_t message_count_ = 0;
  std::int64_t taken_messages_ = 0;  // since the last fetch_on()
  std::int64_t taken_bytes_ = 0;
};

}  // namespace weir::kafka
