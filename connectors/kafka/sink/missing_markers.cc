#include "connectors/kafka/sink/missing_markers.h"

#include <algorithm>
#include <limits>

namespace weir::kafka {

LeaderEpochs leader_epochs(const protocol::ClusterMetadata& cluster,
                           const std::vector<protocol::TopicPartition>& partitions) {
  LeaderEpochs epochs;
  for (const protocol::TopicMetadata& topic : cluster.topics) {
    for (const protocol::PartitionMetadata& partition : topic.partitions) {
      const protocol::TopicPartition name{topic.name, partition.partition};
      if (partition.leader >= 0 && std::ranges::find(partitions, name) != partitions.end()) {
        epochs[name] = partition.leader_epoch;
      }
    }
  }
  return epochs;
}

bool led_throughout(const LeaderEpochs& before, const LeaderEpochs& after,
                    const std::vector<protocol::TopicPartition>& partitions) {
  return before.size() == partitions.size() && before == after;
}

std::vector<MissingMarker> missing_markers(
    const DecidedTransaction& transaction,
    const std::vector<protocol::PartitionProducers>& described) {
  constexpr auto kEpochMax = std::numeric_limits<std::int16_t>::max();
  std::vector<MissingMarker> missing;
  for (const protocol::PartitionProducers& partition : described) {
    for (const protocol::ActiveProducer& producer : partition.producers) {
      if (producer.producer_id != transaction.producer_id ||
          producer.producer_epoch != transaction.producer_epoch ||
          producer.transaction_start_offset < 0) {
        continue;
      }
      protocol::TransactionMarker marker{
          .producer_id = transaction.producer_id,
          .producer_epoch = transaction.producer_epoch,
          .coordinator_epoch = std::max(0, producer.coordinator_epoch),
          .commit = transaction.committed};
      // The raised epoch shuts the fenced producer out of the partition, as Kafka's marker would.
      if (!transaction.committed && marker.producer_epoch < kEpochMax) ++marker.producer_epoch;
      missing.push_back({partition.partition, marker});
    }
  }
  return missing;
}

}  // namespace weir::kafka
