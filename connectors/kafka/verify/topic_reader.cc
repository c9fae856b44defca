#include "connectors/kafka/verify/topic_reader.h"

#include <librdkafka/rdkafka.h>

#include <memory>
#include <set>
#include <vector>

#include "absl/strings/str_cat.h"

namespace weir::kafka {

namespace {

constexpr int kSilenceMs = 60'000;
constexpr int kPollMs = 100;  // a batch that doesn't fill is waited for so long, records or not
constexpr std::size_t kBatchRecordsMax = 4096;

template <typename T, void (*destroy)(T*)>
struct Destroy {
  void operator()(T* object) const { destroy(object); }
};
using Handle = std::unique_ptr<rd_kafka_t, Destroy<rd_kafka_t, rd_kafka_destroy>>;
using Queue = std::unique_ptr<rd_kafka_queue_t, Destroy<rd_kafka_queue_t, rd_kafka_queue_destroy>>;
using Partitions =
    std::unique_ptr<rd_kafka_topic_partition_list_t,
                    Destroy<rd_kafka_topic_partition_list_t, rd_kafka_topic_partition_list_destroy>>;

absl::StatusOr<Handle> create_consumer(const std::map<std::string, std::string>& properties) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  std::map<std::string, std::string> all = properties;
  all["isolation.level"] = "read_committed";
  all["enable.partition.eof"] = "true";
  all["enable.auto.commit"] = "false";
  all["auto.offset.reset"] = "error";
  all["group.id"] = "weir-verify";  // required by librdkafka, never joined
  char error[512];
  for (const auto& [key, value] : all) {
    if (rd_kafka_conf_set(conf, key.c_str(), value.c_str(), error, sizeof error) !=
        RD_KAFKA_CONF_OK) {
      rd_kafka_conf_destroy(conf);
      return absl::InvalidArgumentError(error);
    }
  }
  rd_kafka_t* consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, sizeof error);
  if (consumer == nullptr) {
    rd_kafka_conf_destroy(conf);
    return absl::InvalidArgumentError(error);
  }
  return Handle(consumer);
}

absl::StatusOr<Partitions> partitions_of(rd_kafka_t* consumer, const std::string& topic) {
  rd_kafka_topic_t* handle = rd_kafka_topic_new(consumer, topic.c_str(), nullptr);
  const rd_kafka_metadata_t* metadata = nullptr;
  const rd_kafka_resp_err_t error = rd_kafka_metadata(consumer, 0, handle, &metadata, 10'000);
  rd_kafka_topic_destroy(handle);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return absl::UnavailableError(absl::StrCat("no broker answers: ", rd_kafka_err2str(error)));
  }
  Partitions partitions(rd_kafka_topic_partition_list_new(8));
  const rd_kafka_metadata_topic_t& found = metadata->topics[0];
  const rd_kafka_resp_err_t topic_error = found.err;
  for (int i = 0; i < found.partition_cnt; ++i) {
    rd_kafka_topic_partition_list_add(partitions.get(), topic.c_str(), found.partitions[i].id)
        ->offset = RD_KAFKA_OFFSET_BEGINNING;
  }
  rd_kafka_metadata_destroy(metadata);
  if (topic_error != RD_KAFKA_RESP_ERR_NO_ERROR || partitions->cnt == 0) {
    return absl::NotFoundError(
        absl::StrCat("topic ", topic, ": ", rd_kafka_err2str(topic_error)));
  }
  return partitions;
}

}  // namespace

absl::Status read_topic(const std::map<std::string, std::string>& properties,
                        const std::string& topic, const RecordVisitor& visit) {
  absl::StatusOr<Handle> consumer = create_consumer(properties);
  if (!consumer.ok()) return consumer.status();
  absl::StatusOr<Partitions> partitions = partitions_of(consumer->get(), topic);
  if (!partitions.ok()) return partitions.status();
  rd_kafka_assign(consumer->get(), partitions->get());
  rd_kafka_poll_set_consumer(consumer->get());
  Queue queue(rd_kafka_queue_get_consumer(consumer->get()));

  std::set<std::int32_t> at_end;
  std::vector<rd_kafka_message_t*> batch(kBatchRecordsMax);
  absl::Status status;
  int silent_ms = 0;
  while (static_cast<int>(at_end.size()) < (*partitions)->cnt && status.ok()) {
    const ssize_t count =
        rd_kafka_consume_batch_queue(queue.get(), kPollMs, batch.data(), batch.size());
    silent_ms = count > 0 ? 0 : silent_ms + kPollMs;
    if (count < 0 || silent_ms >= kSilenceMs) {
      status = absl::DeadlineExceededError(
          absl::StrCat("topic ", topic, ": nothing came for a minute; is a broker down?"));
    }
    for (ssize_t i = 0; i < count; ++i) {
      const rd_kafka_message_t* message = batch[i];
      if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        at_end.insert(message->partition);
      } else if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        if (message->rkt != nullptr) {
          status = absl::DataLossError(
              absl::StrCat("topic ", topic, ": ", rd_kafka_message_errstr(message)));
        }
      } else if (at_end.count(message->partition) == 0) {
        visit({static_cast<const char*>(message->payload), message->len},
              {message->partition, message->offset});
      }
      rd_kafka_message_destroy(batch[i]);
    }
  }
  return status;
}

}  // namespace weir::kafka
