#include "connectors/kafka/verify/topic_reader.h"

#include <chrono>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "connectors/kafka/client/consumer_queue.h"
#include "connectors/kafka/client/rdkafka_handle.h"

namespace weir::kafka {

namespace {

constexpr std::chrono::seconds kSilenceMax{60};
constexpr std::chrono::seconds kPollWait{1};

absl::StatusOr<HandlePtr> create_consumer(Properties properties) {
  properties["isolation.level"] = "read_committed";
  properties["enable.partition.eof"] = "true";
  properties["enable.auto.commit"] = "false";
  properties["auto.offset.reset"] = "error";
  properties["group.id"] = "weir-verify";  // required by librdkafka, never joined
  ConsumerQueue::configure(properties);
  WEIR_ASSIGN_OR_RETURN(ConfPtr conf, make_conf(properties));
  return make_handle(RD_KAFKA_CONSUMER, std::move(conf));
}

absl::StatusOr<PartitionListPtr> partitions_of(rd_kafka_t* consumer, const std::string& topic) {
  const TopicPtr handle(rd_kafka_topic_new(consumer, topic.c_str(), nullptr));
  const rd_kafka_metadata_t* raw = nullptr;
  const rd_kafka_resp_err_t error = rd_kafka_metadata(consumer, 0, handle.get(), &raw, 10'000);
  const MetadataPtr metadata(raw);
  WEIR_RETURN_IF_ERROR(to_status(error, "no broker answers"));
  PartitionListPtr partitions(rd_kafka_topic_partition_list_new(8));
  const rd_kafka_metadata_topic_t& found = metadata->topics[0];
  for (int i = 0; i < found.partition_cnt; ++i) {
    rd_kafka_topic_partition_list_add(partitions.get(), topic.c_str(), found.partitions[i].id)
        ->offset = RD_KAFKA_OFFSET_BEGINNING;
  }
  if (found.err != RD_KAFKA_RESP_ERR_NO_ERROR || partitions->cnt == 0) {
    return absl::NotFoundError(absl::StrCat("topic ", topic, ": ", rd_kafka_err2str(found.err)));
  }
  return partitions;
}

}  // namespace

absl::Status read_topic(const Properties& properties, const std::string& topic,
                        const BatchVisitor& visit) {
  WEIR_ASSIGN_OR_RETURN(const HandlePtr consumer, create_consumer(properties));
  WEIR_ASSIGN_OR_RETURN(const PartitionListPtr partitions, partitions_of(consumer.get(), topic));
  rd_kafka_assign(consumer.get(), partitions.get());
  ConsumerQueue queue(consumer.get());

  std::set<std::int32_t> at_end;
  std::vector<TopicRecord> records;
  std::chrono::seconds silence{0};
  while (static_cast<int>(at_end.size()) < partitions->cnt) {
    WEIR_ASSIGN_OR_RETURN(const auto batch, queue.next_batch(kPollWait));
    silence = batch.empty() ? silence + kPollWait : std::chrono::seconds(0);
    if (silence >= kSilenceMax) {
      return absl::DeadlineExceededError(
          absl::StrCat("topic ", topic, ": nothing came for a minute; is a broker down?"));
    }
    records.clear();
    for (const rd_kafka_message_t* message : batch) {
      if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        at_end.insert(message->partition);
      } else if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        if (message->rkt == nullptr) continue;  // a broker's: librdkafka tries again
        return absl::DataLossError(
            absl::StrCat("topic ", topic, ": ", rd_kafka_message_errstr(message)));
      } else if (!at_end.contains(message->partition)) {
        records.push_back({{static_cast<const char*>(message->payload), message->len},
                           {message->partition, message->offset}});
      }
    }
    visit(records);
  }
  return absl::OkStatus();
}

}  // namespace weir::kafka
