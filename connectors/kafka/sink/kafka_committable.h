#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "connectors/kafka/sink/commit_decision.h"
#include "weir/sink.h"

namespace weir::kafka {

// The durable form is pb::KafkaCommittable in the committable's payload; the partitions are those
// of its ranges.
Committable to_committable(const PreparedTransaction& prepared, std::int64_t checkpoint_id,
                           std::vector<WrittenRange> ranges, std::int64_t start_time_ms);

// DataLoss if the payload isn't one that this version can read.
absl::StatusOr<PreparedTransaction> from_committable(const Committable& committable);

// "orders-3".
std::string partition_name(const protocol::TopicPartition& partition);
absl::StatusOr<protocol::TopicPartition> parse_partition_name(const std::string& name);

}  // namespace weir::kafka
