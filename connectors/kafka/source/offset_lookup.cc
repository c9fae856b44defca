#include "connectors/kafka/source/offset_lookup.h"

#include <regex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "connectors/kafka/source/partition_split.h"
#include "connectors/kafka/source/source_config.h"

namespace weir::kafka {
namespace {

int to_ms(std::chrono::milliseconds timeout) {
  return static_cast<int>(timeout.count());
}

PartitionListPtr make_list(const std::vector<KafkaTopicPartition>& partitions,
                           std::int64_t offset) {
  PartitionListPtr list(rd_kafka_topic_partition_list_new(static_cast<int>(partitions.size())));
  for (const KafkaTopicPartition& partition : partitions) {
    rd_kafka_topic_partition_list_add(list.get(), partition.topic.c_str(), partition.partition)
        ->offset = offset;
  }
  return list;
}

// Offsets of librdkafka's answer; special ones, which are negative, are left out.
absl::StatusOr<PartitionOffsets> read_list(const rd_kafka_topic_partition_list_t& list,
                                           std::string_view what) {
  PartitionOffsets offsets;
  for (int i = 0; i < list.cnt; ++i) {
    const rd_kafka_topic_partition_t& entry = list.elems[i];
    WEIR_RETURN_IF_ERROR(
        to_status(entry.err,
                  absl::StrCat(std::string(what), " of ", split_id(entry.topic, entry.partition))));
    if (entry.offset >= 0) offsets[{entry.topic, entry.partition}] = entry.offset;
  }
  return offsets;
}

}  // namespace

absl::StatusOr<OffsetLookup> OffsetLookup::create(const KafkaSourceOptions& options) {
  WEIR_ASSIGN_OR_RETURN(ConfPtr conf, make_conf(consumer_properties(options)));
  WEIR_ASSIGN_OR_RETURN(HandlePtr handle, make_handle(RD_KAFKA_CONSUMER, std::move(conf)));
  return OffsetLookup(options, std::move(handle));
}

absl::StatusOr<MetadataPtr> OffsetLookup::metadata(const std::string& topic,
                                                   std::chrono::milliseconds timeout) {
  TopicPtr handle;
  if (!topic.empty()) {
    handle.reset(rd_kafka_topic_new(handle_.get(), topic.c_str(), nullptr));
    if (!handle) return absl::InvalidArgumentError(absl::StrCat("'", topic, "' is no topic name"));
  }
  const rd_kafka_metadata_t* raw = nullptr;
  const rd_kafka_resp_err_t error =
      rd_kafka_metadata(handle_.get(), topic.empty() ? 1 : 0, handle.get(), &raw, to_ms(timeout));
  WEIR_RETURN_IF_ERROR(to_status(error, "no broker answers"));
  return MetadataPtr(raw);
}

absl::StatusOr<std::vector<KafkaTopicPartition>> OffsetLookup::partitions(
    std::chrono::milliseconds timeout) {
  std::vector<KafkaTopicPartition> partitions;
  const auto add = [&](const rd_kafka_metadata_topic_t& topic) {
    for (int i = 0; i < topic.partition_cnt; ++i) {
      partitions.push_back({topic.topic, topic.partitions[i].id});
    }
  };
  for (const std::string& name : options_.topics) {
    WEIR_ASSIGN_OR_RETURN(const MetadataPtr metadata, this->metadata(name, timeout));
    if (metadata->topic_cnt != 1 ||
        metadata->topics[0].err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
      return absl::NotFoundError(absl::StrCat("topic '", name,
                                              "' doesn't exist: create it "
                                              "(kafka-topics.sh --create --topic ",
                                              name, ") or set another"));
    }
    if (metadata->topics[0].err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) {
      return absl::PermissionDeniedError(absl::StrCat("topic '", name, "' may not be read"));
    }
    WEIR_RETURN_IF_ERROR(to_status(metadata->topics[0].err, absl::StrCat("topic '", name, "'")));
    add(metadata->topics[0]);
  }
  if (!options_.topic_pattern.empty()) {
    const std::regex pattern(options_.topic_pattern);
    WEIR_ASSIGN_OR_RETURN(const MetadataPtr metadata, this->metadata("", timeout));
    for (int i = 0; i < metadata->topic_cnt; ++i) {
      const rd_kafka_metadata_topic_t& topic = metadata->topics[i];
      if (topic.err == RD_KAFKA_RESP_ERR_NO_ERROR && std::regex_match(topic.topic, pattern)) {
        add(topic);
      }
    }
  }
  return partitions;
}

absl::StatusOr<std::int64_t> OffsetLookup::find_edge(const KafkaTopicPartition& partition,
                                                     OffsetReset reset,
                                                     std::chrono::milliseconds timeout) {
  const std::string name = split_id(partition.topic, partition.partition);
  if (reset == OffsetReset::kNone) {
    return absl::FailedPreconditionError(absl::StrCat(
        "there is no offset to start from in ", name,
        options_.group_id.empty() ? "" : absl::StrCat(" for group '", options_.group_id, "'"),
        ": set an OffsetReset"));
  }
  std::int64_t low = 0;
  std::int64_t high = 0;
  WEIR_RETURN_IF_ERROR(
      to_status(rd_kafka_query_watermark_offsets(handle_.get(), partition.topic.c_str(),
                                                 partition.partition, &low, &high, to_ms(timeout)),
                absl::StrCat("offsets of ", name)));
  return reset == OffsetReset::kEarliest ? low : high;
}

absl::StatusOr<PartitionOffsets> OffsetLookup::find_committed(
    const std::vector<KafkaTopicPartition>& partitions, std::chrono::milliseconds timeout) {
  const PartitionListPtr list = make_list(partitions, RD_KAFKA_OFFSET_INVALID);
  WEIR_RETURN_IF_ERROR(to_status(rd_kafka_committed(handle_.get(), list.get(), to_ms(timeout)),
                                 absl::StrCat("offsets of group '", options_.group_id, "'")));
  return read_list(*list, "the committed offset");
}

absl::StatusOr<PartitionOffsets> OffsetLookup::find_by_time(
    const std::vector<KafkaTopicPartition>& partitions, std::int64_t timestamp_ms,
    std::chrono::milliseconds timeout) {
  const PartitionListPtr list = make_list(partitions, timestamp_ms);
  WEIR_RETURN_IF_ERROR(to_status(
      rd_kafka_offsets_for_times(handle_.get(), list.get(), to_ms(timeout)), "offsets by time"));
  return read_list(*list, "the offset by time");
}

absl::StatusOr<PartitionOffsets> OffsetLookup::find(
    const OffsetsInitializer& initializer, const std::vector<KafkaTopicPartition>& partitions,
    std::chrono::milliseconds timeout) {
  using Kind = OffsetsInitializer::Kind;
  PartitionOffsets known;
  OffsetReset otherwise = initializer.reset();
  switch (initializer.kind()) {
    case Kind::kEarliest:
      otherwise = OffsetReset::kEarliest;
      break;
    case Kind::kLatest:
      otherwise = OffsetReset::kLatest;
      break;
    case Kind::kCommitted: {
      WEIR_ASSIGN_OR_RETURN(known, find_committed(partitions, timeout));
      break;
    }
    case Kind::kTimestamp: {
      WEIR_ASSIGN_OR_RETURN(known, find_by_time(partitions, initializer.timestamp_ms(), timeout));
      otherwise = OffsetReset::kLatest;
      break;
    }
    case Kind::kOffsets:
      known = initializer.offset_map();
      break;
  }
  PartitionOffsets found;
  for (const KafkaTopicPartition& partition : partitions) {
    if (const auto offset = known.find(partition); offset != known.end()) {
      found[partition] = offset->second;
      continue;
    }
    WEIR_ASSIGN_OR_RETURN(found[partition], find_edge(partition, otherwise, timeout));
  }
  return found;
}

}  // namespace weir::kafka
