#include "connectors/kafka/sink/producer.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status.h"

namespace weir::kafka {
namespace {

constexpr std::int16_t kInitProducerIdApi = 22;
constexpr std::size_t kBatchRecords = 512;
constexpr std::size_t kBatchBytes = 128 << 10;

// Kafka tells a tombstone by the null pointer, and text may be empty with one.
void* data_of(const std::optional<std::string_view>& bytes) {
  if (!bytes) return nullptr;
  return const_cast<char*>(bytes->data() == nullptr ? "" : bytes->data());
}
std::size_t size_of(const std::optional<std::string_view>& bytes) {
  return bytes ? bytes->size() : 0;
}

KafkaProducerRecord record_of(const rd_kafka_message_t& message, const char* topic) {
  KafkaProducerRecord record;
  record.topic = topic;
  record.partition = message.partition;
  record.key = std::string_view(static_cast<const char*>(message.key), message.key_len);
  record.value = std::string_view(static_cast<const char*>(message.payload), message.len);
  return record;
}

std::string property_or(const Properties& properties, const std::string& name,
                        const std::string& otherwise) {
  const auto found = properties.find(name);
  return found == properties.end() ? otherwise : found->second;
}

}  // namespace

Producer::Producer() {
  batch_.bytes.resize(kBatchBytes);
  batch_.messages.reserve(kBatchRecords);
}

absl::StatusOr<std::unique_ptr<Producer>> Producer::create(const Properties& properties) {
  WEIR_ASSIGN_OR_RETURN(ConfPtr conf, make_conf(properties));
  std::unique_ptr<Producer> producer(new Producer);
  producer->properties_ = properties;
  rd_kafka_conf_set_opaque(conf.get(), producer.get());
  rd_kafka_conf_set_dr_msg_cb(conf.get(), &Producer::on_delivery);
  rd_kafka_conf_interceptor_add_on_new(conf.get(), "weir", &Producer::on_new, producer.get());
  WEIR_ASSIGN_OR_RETURN(producer->handle_, make_handle(RD_KAFKA_PRODUCER, std::move(conf)));
  return producer;
}

Producer::~Producer() {
  topics_.clear();  // librdkafka wants them gone before the handle
}

rd_kafka_resp_err_t Producer::on_new(rd_kafka_t* handle, const rd_kafka_conf_t* /*conf*/,
                                     void* opaque, char* /*error*/, std::size_t /*error_size*/) {
  return rd_kafka_interceptor_add_on_request_sent(handle, "weir", &Producer::on_request_sent,
                                                  opaque);
}

rd_kafka_resp_err_t Producer::on_request_sent(rd_kafka_t* /*handle*/, int /*socket*/,
                                              const char* /*broker*/, std::int32_t /*broker_id*/,
                                              std::int16_t api_key, std::int16_t /*api_version*/,
                                              std::int32_t /*correlation_id*/, std::size_t /*size*/,
                                              void* opaque) {
  if (api_key == kInitProducerIdApi) ++static_cast<Producer*>(opaque)->init_attempts_;
  return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_topic_t* Producer::topic_handle(std::string_view name) {
  if (!topics_.empty() && topics_.front().name == name) return topics_.front().handle.get();
  auto found = std::find_if(topics_.begin(), topics_.end(),
                            [&](const Topic& topic) { return topic.name == name; });
  if (found == topics_.end()) {
    TopicPtr handle(rd_kafka_topic_new(handle_.get(), std::string(name).c_str(), nullptr));
    if (!handle) return nullptr;
    topics_.push_back({std::string(name), std::move(handle)});
    found = topics_.end() - 1;
  }
  std::iter_swap(topics_.begin(), found);
  return topics_.front().handle.get();
}

absl::Status Producer::load_topic(const std::string& topic, std::chrono::milliseconds timeout) {
  return partition_count(topic, timeout).status();
}

absl::StatusOr<std::int32_t> Producer::partition_count(const std::string& topic,
                                                       std::chrono::milliseconds timeout) {
  rd_kafka_topic_t* const handle = topic_handle(topic);
  if (handle == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("topic '", topic, "': ", rd_kafka_err2str(rd_kafka_last_error())));
  }
  const rd_kafka_metadata_t* raw = nullptr;
  const rd_kafka_resp_err_t error =
      rd_kafka_metadata(handle_.get(), 0, handle, &raw, static_cast<int>(timeout.count()));
  const MetadataPtr metadata(raw);
  WEIR_RETURN_IF_ERROR(to_status(error, absl::StrCat("metadata of topic '", topic, "'")));
  if (metadata->topic_cnt != 1) {
    return absl::UnavailableError(absl::StrCat("no broker knows topic '", topic, "'"));
  }
  WEIR_RETURN_IF_ERROR(to_status(metadata->topics[0].err, absl::StrCat("topic '", topic, "'")));
  return metadata->topics[0].partition_cnt;
}

absl::Status Producer::init_transactions(std::chrono::milliseconds timeout) {
  const ErrorPtr error(
      rd_kafka_init_transactions(handle_.get(), static_cast<int>(timeout.count())));
  if (!error) return absl::OkStatus();
  const std::string text = absl::StrCat("init_transactions: ", rd_kafka_error_name(error.get()),
                                        ": ", rd_kafka_error_string(error.get()));
  if (rd_kafka_error_is_retriable(error.get()) != 0) return absl::UnavailableError(text);
  return absl::FailedPreconditionError(text);
}

absl::Status Producer::begin_transaction() {
  const ErrorPtr error(rd_kafka_begin_transaction(handle_.get()));
  if (!error) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("begin_transaction: ", rd_kafka_error_name(error.get()), ": ",
                   rd_kafka_error_string(error.get())));
}

absl::StatusOr<bool> Producer::produce(const KafkaProducerRecord& record) {
  rd_kafka_topic_t* const topic = topic_handle(record.topic);
  if (topic == nullptr) return produce_error(rd_kafka_last_error(), record);
  if (add_to_batch(topic, record)) return true;
  if (!send_batch()) return false;
  WEIR_RETURN_IF_ERROR(failure_);
  return add_to_batch(topic, record) ? true : produce_now(topic, record);
}

// False if it isn't of the batch's topic, doesn't fit, or needs more than a batch can say.
bool Producer::add_to_batch(rd_kafka_topic_t* topic, const KafkaProducerRecord& record) {
  const std::size_t key_bytes = size_of(record.key);
  const std::size_t value_bytes = size_of(record.value);
  if (batch_.messages.empty()) batch_.topic = topic;
  if (record.headers != nullptr || record.timestamp != kNoTimestamp || batch_.topic != topic ||
      batch_.messages.size() == kBatchRecords ||
      key_bytes + value_bytes > kBatchBytes - batch_.used) {
    return false;
  }
  const auto copy = [this](const std::optional<std::string_view>& bytes) -> void* {
    if (!bytes) return nullptr;
    char* const place = batch_.bytes.data() + batch_.used;
    std::copy(bytes->begin(), bytes->end(), place);
    batch_.used += bytes->size();
    return place;
  };
  rd_kafka_message_t& message = batch_.messages.emplace_back();
  message.partition = record.partition;
  message.key = copy(record.key);
  message.key_len = key_bytes;
  message.payload = copy(record.value);
  message.len = value_bytes;
  ++produced_;
  return true;
}

bool Producer::send_batch() {
  if (batch_.messages.empty()) return true;
  rd_kafka_produce_batch(batch_.topic, RD_KAFKA_PARTITION_UA,
                         RD_KAFKA_MSG_F_COPY | RD_KAFKA_MSG_F_PARTITION, batch_.messages.data(),
                         static_cast<int>(batch_.messages.size()));
  std::erase_if(batch_.messages, [this](const rd_kafka_message_t& message) {
    if (message.err == RD_KAFKA_RESP_ERR__QUEUE_FULL) return false;
    if (message.err != RD_KAFKA_RESP_ERR_NO_ERROR && failure_.ok()) {
      failure_ = produce_error(message.err, record_of(message, rd_kafka_topic_name(batch_.topic)));
    }
    return true;
  });
  if (!batch_.messages.empty()) return false;
  batch_.used = 0;
  return true;
}

absl::StatusOr<bool> Producer::produce_now(rd_kafka_topic_t* topic,
                                           const KafkaProducerRecord& record) {
  rd_kafka_headers_t* headers = nullptr;
  if (record.headers != nullptr && !record.headers->empty()) {
    headers = rd_kafka_headers_new(record.headers->size());
    for (const KafkaHeader& header : *record.headers) {
      rd_kafka_header_add(headers, header.name.data(), static_cast<ssize_t>(header.name.size()),
                          data_of(header.value), static_cast<ssize_t>(size_of(header.value)));
    }
  }
  const std::int64_t timestamp = record.timestamp == kNoTimestamp ? 0 : record.timestamp;
  const rd_kafka_resp_err_t error = rd_kafka_producev(
      handle_.get(), RD_KAFKA_V_RKT(topic), RD_KAFKA_V_PARTITION(record.partition),
      RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
      RD_KAFKA_V_VALUE(data_of(record.value), size_of(record.value)),
      RD_KAFKA_V_KEY(data_of(record.key), size_of(record.key)), RD_KAFKA_V_TIMESTAMP(timestamp),
      RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
  // librdkafka owns the headers only once the record is taken.
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR && headers != nullptr) rd_kafka_headers_destroy(headers);
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
    ++produced_;
    return true;
  }
  if (error == RD_KAFKA_RESP_ERR__QUEUE_FULL) return false;
  return produce_error(error, record);
}

absl::Status Producer::produce_error(rd_kafka_resp_err_t error,
                                     const KafkaProducerRecord& record) const {
  const std::size_t bytes =
      (record.value ? record.value->size() : 0) + (record.key ? record.key->size() : 0);
  if (error == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) {
    return absl::OutOfRangeError(absl::StrCat(
        "a record of ", bytes, " bytes is larger than topic '", std::string(record.topic),
        "' takes (", property_or(properties_, "message.max.bytes", "1000000"),
        " bytes): raise the topic's max.message.bytes, or drop such records"));
  }
  if (error == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION) {
    return absl::OutOfRangeError(absl::StrCat("topic '", std::string(record.topic),
                                              "' has no partition ", record.partition));
  }
  WEIR_RETURN_IF_ERROR(status());
  return absl::UnavailableError(absl::StrCat("a record of ", bytes, " bytes can't be written to '",
                                             std::string(record.topic), "': ", error_text(error)));
}

void Producer::on_delivery(rd_kafka_t* /*handle*/, const rd_kafka_message_t* message,
                           void* opaque) {
  static_cast<Producer*>(opaque)->count_delivery(*message);
}

void Producer::count_delivery(const rd_kafka_message_t& message) {
  if (message.err != RD_KAFKA_RESP_ERR_NO_ERROR) [[unlikely]] {
    if (!failure_.ok()) return;
    const char* const topic = rd_kafka_topic_name(message.rkt);
    failure_ = message.err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE
                   ? produce_error(message.err, record_of(message, topic))
                   : absl::UnavailableError(absl::StrCat("a record wasn't written to ", topic, "-",
                                                         message.partition, ": ",
                                                         error_text(message.err)));
    return;
  }
  const auto matches = [&](const Range& range) {
    return range.topic == message.rkt && range.partition == message.partition;
  };
  if (last_range_ >= ranges_.size() || !matches(ranges_[last_range_])) {
    auto found = std::find_if(ranges_.begin(), ranges_.end(), matches);
    if (found == ranges_.end()) {
      ranges_.push_back({message.rkt, message.partition, message.offset, message.offset, 0});
      found = ranges_.end() - 1;
    }
    last_range_ = static_cast<std::size_t>(found - ranges_.begin());
  }
  Range& range = ranges_[last_range_];
  range.first = std::min(range.first, message.offset);
  range.last = std::max(range.last, message.offset);
  ++range.records;
}

void Producer::poll(std::chrono::milliseconds wait) {
  send_batch();
  rd_kafka_poll(handle_.get(), static_cast<int>(wait.count()));
}

bool Producer::flush(std::chrono::milliseconds wait) {
  const bool sent = send_batch();
  return rd_kafka_flush(handle_.get(), static_cast<int>(wait.count())) ==
             RD_KAFKA_RESP_ERR_NO_ERROR &&
         sent;
}

absl::Status Producer::status() const {
  std::array<char, 512> text{};
  const rd_kafka_resp_err_t fatal = rd_kafka_fatal_error(handle_.get(), text.data(), text.size());
  if (fatal != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return absl::AbortedError(
        absl::StrCat("the producer can't go on: ", rd_kafka_err2name(fatal), ": ", text.data()));
  }
  return failure_;
}

std::vector<WrittenRange> Producer::ranges() const {
  std::vector<WrittenRange> result;
  result.reserve(ranges_.size());
  for (const Range& range : ranges_) {
    result.push_back({absl::StrCat(rd_kafka_topic_name(range.topic), "-", range.partition),
                      range.first, range.last, range.records});
  }
  std::sort(result.begin(), result.end(),
            [](const WrittenRange& a, const WrittenRange& b) { return a.resource < b.resource; });
  return result;
}

}  // namespace weir::kafka
