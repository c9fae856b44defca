#include "connectors/kafka/sink/commit_decision.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace weir::kafka {
namespace {

using protocol::ErrorCode;
using protocol::TransactionState;

CommitDecision lost(std::string why) {
  return {CommitStep::kLost, std::move(why)};
}
CommitDecision retry(std::string why) {
  return {CommitStep::kRetry, std::move(why)};
}

std::string partitions_text(const std::vector<protocol::TopicPartition>& partitions) {
  std::string text;
  for (const protocol::TopicPartition& partition : partitions) {
    absl::StrAppend(&text, text.empty() ? "" : ", ", partition.topic, "-", partition.partition);
  }
  return text.empty() ? "none" : text;
}

}  // namespace

CommitDecision decide_by_description(const PreparedTransaction& prepared,
                                     const protocol::TransactionDescription& description) {
  if (description.error == ErrorCode::kTransactionalIdNotFound) {
    return lost(
        "the broker doesn't know the transactional id any more: it has expired "
        "(transactional.id.expiration.ms) or the cluster's data is gone");
  }
  if (description.error != ErrorCode::kNone) {
    return retry(absl::StrCat("DescribeTransactions: ", error_name(description.error)));
  }
  if (description.producer_id != prepared.producer_id ||
      description.producer_epoch != prepared.producer_epoch) {
    return lost(absl::StrCat(
        "the transactional id is at producer id ", description.producer_id, " epoch ",
        description.producer_epoch, " (", transaction_state_name(description.state),
        "), so the transaction was aborted by its timeout or fenced by another producer"));
  }
  switch (description.state) {
    case TransactionState::kPrepareCommit:
    case TransactionState::kCompleteCommit:
      return {CommitStep::kCommitted, ""};
    case TransactionState::kOngoing:
      // Nothing but its commit ends a transaction without raising the epoch, so one that lacks
      // partitions of ours came after ours: a late AddPartitionsToTxn opened it, and it is empty.
      if (!std::includes(description.topic_partitions.begin(), description.topic_partitions.end(),
                         prepared.topic_partitions.begin(), prepared.topic_partitions.end())) {
        return {CommitStep::kCommitted, ""};
      }
      if (description.topic_partitions != prepared.topic_partitions) {
        return lost(absl::StrCat("the open transaction isn't the prepared one: it has written to ",
                                 partitions_text(description.topic_partitions), " instead of ",
                                 partitions_text(prepared.topic_partitions)));
      }
      return {CommitStep::kEndTransaction, ""};
    case TransactionState::kEmpty:
    case TransactionState::kPrepareAbort:
    case TransactionState::kCompleteAbort:
    case TransactionState::kPrepareEpochFence:
    case TransactionState::kDead:
      return lost(
          absl::StrCat("the transaction is in state ", transaction_state_name(description.state)));
    case TransactionState::kUnknown:
      break;
  }
  return retry("DescribeTransactions: the broker shows a state that isn't known here");
}

CommitDecision decide_by_end_error(ErrorCode error) {
  switch (error) {
    case ErrorCode::kNone:
      return {CommitStep::kCommitted, ""};
    case ErrorCode::kInvalidProducerEpoch:
    case ErrorCode::kProducerFenced:
    case ErrorCode::kInvalidTxnState:
    case ErrorCode::kInvalidProducerIdMapping:
      return lost(absl::StrCat("EndTxn: ", error_name(error),
                               ": the transaction was aborted by its timeout, fenced by another "
                               "producer, or its id has expired"));
    default:
      return retry(absl::StrCat("EndTxn: ", error_name(error)));
  }
}

}  // namespace weir::kafka
