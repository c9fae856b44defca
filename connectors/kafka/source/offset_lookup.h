#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "connectors/kafka/client/rdkafka_handle.h"
#include "weir/kafka/offsets.h"
#include "weir/kafka/source.h"

namespace weir::kafka {

using PartitionOffsets = std::map<KafkaTopicPartition, std::int64_t>;

// Asks the brokers which partitions a source has and where offsets are. Calls block, each at most
// for its timeout; Unavailable means that asking again may help, anything else that it won't.
//
// Not thread-safe.
class OffsetLookup {
 public:
  static absl::StatusOr<OffsetLookup> create(const KafkaSourceOptions& options);

  // Every partition of the source's topics. NotFound names a topic that doesn't exist.
  absl::StatusOr<std::vector<KafkaTopicPartition>> partitions(std::chrono::milliseconds timeout);

  // The offset that `initializer` means for each partition; FailedPrecondition if there is none.
  absl::StatusOr<PartitionOffsets> find(const OffsetsInitializer& initializer,
                                        const std::vector<KafkaTopicPartition>& partitions,
                                        std::chrono::milliseconds timeout);

 private:
  OffsetLookup(const KafkaSourceOptions& options, HandlePtr handle)
      : options_(options), handle_(std::move(handle)) {}

  absl::StatusOr<MetadataPtr> metadata(const std::string& topic, std::chrono::milliseconds timeout);
  absl::StatusOr<std::int64_t> find_edge(const KafkaTopicPartition& partition, OffsetReset reset,
                                         std::chrono::milliseconds timeout);
  absl::StatusOr<PartitionOffsets> find_committed(
      const std::vector<KafkaTopicPartition>& partitions, std::chrono::milliseconds timeout);
  absl::StatusOr<PartitionOffsets> find_by_time(const std::vector<KafkaTopicPartition>& partitions,
                                                std::int64_t timestamp_ms,
                                                std::chrono::milliseconds timeout);

  KafkaSourceOptions options_;
  HandlePtr handle_;
};

}  // namespace weir::kafka
