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

namespace {

// The raised epoch shuts an aborted producer out of the partition, as Kafka's marker would.
std::int16_t marker_epoch(const DecidedTransaction& transaction) {
  const bool may_raise = transaction.producer_epoch < std::numeric_limits<std::int16_t>::max();
  return static_cast<std::int16_t>(transaction.producer_epoch +
                                   (!transaction.committed && may_raise ? 1 : 0));
}

bool is_open_there(const DecidedTransaction& transaction,
                   const protocol::ActiveProducer& producer) {
  return producer.producer_id == transaction.producer_id &&
         producer.transaction_start_offset >= 0 &&
         (transaction.committed ? producer.producer_epoch == transaction.producer_epoch
                                : producer.producer_epoch <= transaction.producer_epoch);
}

}  // namespace

std::vector<MissingMarker> missing_markers(
    const std::vector<DecidedTransaction>& transactions,
    const std::vector<protocol::PartitionProducers>& described) {
  std::vector<MissingMarker> missing;
  for (const protocol::PartitionProducers& partition : described) {
    for (const protocol::ActiveProducer& producer : partition.producers) {
      const auto found = std::ranges::find_if(transactions, [&](const DecidedTransaction& each) {
        return is_open_there(each, producer);
      });
      if (found == transactions.end()) continue;
      missing.push_back({.transactional_id = found->transactional_id,
                         .partition = partition.partition,
                         .marker = {.producer_id = found->producer_id,
                                    .producer_epoch = marker_epoch(*found),
                                    .coordinator_epoch = std::max(0, producer.coordinator_epoch),
                                    .commit = found->committed}});
    }
  }
  return missing;
}

}  // namespace weir::kafka
