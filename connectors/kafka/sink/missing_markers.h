#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "connectors/kafka/protocol/transaction_admin.h"

namespace weir::kafka {

// A transaction whose outcome is decided for good, and that Kafka's coordinator has done with.
struct DecidedTransaction {
  std::string transactional_id;
  std::int64_t producer_id = -1;
  // Committed: in this epoch. Aborted: whatever its producer has open up to this epoch.
  std::int16_t producer_epoch = -1;
  bool committed = false;
};

// The epoch of each partition's leader; a partition without a leader has no entry.
using LeaderEpochs = std::map<protocol::TopicPartition, std::int32_t>;

LeaderEpochs leader_epochs(const protocol::ClusterMetadata& cluster,
                           const std::vector<protocol::TopicPartition>& partitions);

// Whether all partitions had a leader, without a break, between two looks at the coordinator's
// metadata. Then it has written its markers: Kafka 4.1 to 4.3 leaves them out for good where a
// partition has no leader when they are due (KAFKA-20734).
bool led_throughout(const LeaderEpochs& before, const LeaderEpochs& after,
                    const std::vector<protocol::TopicPartition>& partitions);

struct MissingMarker {
  std::string transactional_id;
  protocol::TopicPartition partition;
  protocol::TransactionMarker marker;
};

// The markers that the coordinator has left out: where one of these transactions is still open, and
// readers wait for ever.
std::vector<MissingMarker> missing_markers(
    const std::vector<DecidedTransaction>& transactions,
    const std::vector<protocol::PartitionProducers>& described);

}  // namespace weir::kafka
