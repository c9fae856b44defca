#include "connectors/kafka/sink/kafka_committable.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "proto/kafka.pb.h"

namespace weir::kafka {
namespace {

constexpr std::uint32_t kFormatVersion = 1;

}  // namespace

std::string partition_name(const protocol::TopicPartition& partition) {
  return absl::StrCat(partition.topic, "-", partition.partition);
}

absl::StatusOr<protocol::TopicPartition> parse_partition_name(const std::string& name) {
  protocol::TopicPartition partition;
  const std::size_t dash = name.rfind('-');
  if (dash == std::string::npos || dash == 0 ||
      !absl::SimpleAtoi(name.substr(dash + 1), &partition.partition)) {
    return absl::DataLossError(absl::StrCat("'", name, "' names no partition"));
  }
  partition.topic = name.substr(0, dash);
  return partition;
}

Committable to_committable(const PreparedTransaction& prepared, std::int64_t checkpoint_id,
                           std::vector<WrittenRange> ranges, std::int64_t start_time_ms) {
  pb::KafkaCommittable payload;
  payload.set_format_version(kFormatVersion);
  payload.set_transactional_id(prepared.transactional_id);
  payload.set_producer_id(prepared.producer_id);
  payload.set_producer_epoch(prepared.producer_epoch);
  payload.set_start_time_ms(start_time_ms);

  Committable committable;
  committable.transaction = absl::StrCat(prepared.transactional_id, "/", prepared.producer_id, "/",
                                         prepared.producer_epoch);
  committable.checkpoint_id = checkpoint_id;
  for (const WrittenRange& range : ranges) committable.records += range.records;
  committable.ranges = std::move(ranges);
  committable.payload = payload.SerializeAsString();
  return committable;
}

absl::StatusOr<PreparedTransaction> from_committable(const Committable& committable) {
  pb::KafkaCommittable payload;
  if (!payload.ParseFromString(committable.payload) || payload.format_version() != kFormatVersion) {
    return absl::DataLossError(absl::StrCat("the committable ", committable.transaction,
                                            " isn't one of Kafka's, format ", kFormatVersion));
  }
  PreparedTransaction prepared{
      .transactional_id = payload.transactional_id(),
      .producer_id = payload.producer_id(),
      .producer_epoch = static_cast<std::int16_t>(payload.producer_epoch()),
      .topic_partitions = {}};
  for (const WrittenRange& range : committable.ranges) {
    WEIR_ASSIGN_OR_RETURN(protocol::TopicPartition partition, parse_partition_name(range.resource));
    prepared.topic_partitions.push_back(std::move(partition));
  }
  std::sort(prepared.topic_partitions.begin(), prepared.topic_partitions.end());
  return prepared;
}

}  // namespace weir::kafka
