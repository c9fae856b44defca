#include "connectors/kafka/client/consumer_queue.h"

#include <algorithm>

#include "common/status.h"

namespace weir::kafka {
namespace {

constexpr std::size_t kBatchMessages = 4096;

// Since 2.2.0 the pause is a property, and nothing else shortens it.
constexpr int kFirstVersionWithQueueBackoff = 0x02020000;
constexpr const char* kQueueBackoffMs = "5";

bool has_queue_backoff() {
  return rd_kafka_version() >= kFirstVersionWithQueueBackoff;
}

std::string property_of(rd_kafka_t* handle, const char* name) {
  const rd_kafka_conf_t* const conf = rd_kafka_conf(handle);
  std::size_t size = 0;  // with the terminator
  if (rd_kafka_conf_get(conf, name, nullptr, &size) != RD_KAFKA_CONF_OK || size == 0) return "";
  std::string value(size, '\0');
  rd_kafka_conf_get(conf, name, value.data(), &size);
  value.resize(size - 1);
  return value;
}

std::int64_t quarter_of(rd_kafka_t* handle, const char* name) {
  return std::max<std::int64_t>(std::stoll(property_of(handle, name)) / 4, 1);
}

}  // namespace

void ConsumerQueue::configure(Properties& properties) {
  if (has_queue_backoff()) properties.emplace("fetch.queue.backoff.ms", kQueueBackoffMs);
}

ConsumerQueue::ConsumerQueue(rd_kafka_t* handle)
    : handle_(handle),
      queue_(rd_kafka_queue_get_consumer(handle)),
      sasl_username_(property_of(handle, "sasl.username")),
      sasl_password_(property_of(handle, "sasl.password")),
      refill_messages_(quarter_of(handle, "queued.min.messages")),
      refill_bytes_(quarter_of(handle, "queued.max.messages.kbytes") * 1024),
      messages_(kBatchMessages) {}

ConsumerQueue::~ConsumerQueue() {
  drop_batch();
}

void ConsumerQueue::drop_batch() {
  for (std::size_t i = 0; i < message_count_; ++i) rd_kafka_message_destroy(messages_[i]);
  message_count_ = 0;
}

void ConsumerQueue::wake_up() {
  rd_kafka_queue_yield(queue_.get());
}

absl::Status ConsumerQueue::take(std::chrono::milliseconds wait, std::size_t messages_max) {
  const ssize_t count =
      rd_kafka_consume_batch_queue(queue_.get(), static_cast<int>(wait.count()),
                                   messages_.data() + message_count_, messages_max);
  if (count < 0) return to_status(rd_kafka_last_error(), "no records can be taken");
  message_count_ += static_cast<std::size_t>(count);
  return absl::OkStatus();
}

// A full queue empties only by what is taken here, and a call for every quarter of it comes at
// least once while it has room. To set the credentials that the handle has already wakes its broker
// threads and, even when they authenticate just then, changes nothing.
absl::Status ConsumerQueue::fetch_on() {
  taken_messages_ = 0;
  taken_bytes_ = 0;
  if (has_queue_backoff()) return absl::OkStatus();
  const ErrorPtr error(
      rd_kafka_sasl_set_credentials(handle_, sasl_username_.c_str(), sasl_password_.c_str()));
  if (!error) return absl::OkStatus();
  return to_status(rd_kafka_error_code(error.get()), "the broker threads can't be woken");
}

absl::StatusOr<std::span<rd_kafka_message_t* const>> ConsumerQueue::next_batch(
    std::chrono::milliseconds wait) {
  drop_batch();
  WEIR_RETURN_IF_ERROR(take(std::chrono::milliseconds(0), kBatchMessages));
  // With a wait librdkafka returns only when the whole batch is full, so wait for one record.
  if (message_count_ == 0 && wait.count() > 0) {
    WEIR_RETURN_IF_ERROR(take(wait, 1));
    if (message_count_ > 0) {
      WEIR_RETURN_IF_ERROR(take(std::chrono::milliseconds(0), kBatchMessages - 1));
    }
  }
  const std::span<rd_kafka_message_t* const> batch(messages_.data(), message_count_);
  taken_messages_ += static_cast<std::int64_t>(batch.size());
  for (const rd_kafka_message_t* message : batch) {
    taken_bytes_ += static_cast<std::int64_t>(message->len);
  }
  if (taken_messages_ >= refill_messages_ || taken_bytes_ >= refill_bytes_) {
    WEIR_RETURN_IF_ERROR(fetch_on());
  }
  return batch;
}

}  // namespace weir::kafka
