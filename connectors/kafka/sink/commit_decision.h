#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "connectors/kafka/protocol/error_code.h"
#include "connectors/kafka/protocol/transaction_admin.h"

namespace weir::kafka {

// What a committable says about its transaction.
struct PreparedTransaction {
  std::string transactional_id;
  std::int64_t producer_id = -1;
  std::int16_t producer_epoch = -1;
  std::vector<protocol::TopicPartition> topic_partitions;  // sorted
};

enum class CommitStep {
  kEndTransaction,  // send EndTxn(commit)
  kCommitted,
  kRetry,  // not known, or not yet
  kLost,   // can't be committed any more
};

struct CommitDecision {
  CommitStep step = CommitStep::kRetry;
  std::string message;  // why, for kRetry and kLost
};

// Before EndTxn: is it still the transaction that was prepared? EndTxn alone can't tell, because it
// commits whatever is open under (id, producer id, epoch).
CommitDecision decide_by_description(const PreparedTransaction& prepared,
                                     const protocol::TransactionDescription& description);

// By the coordinator's answer to EndTxn(commit).
CommitDecision decide_by_end_error(protocol::ErrorCode error);

}  // namespace weir::kafka
