#include "connectors/kafka/sink/marker_writer.h"

#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "common/status.h"
#include "connectors/kafka/sink/kafka_committable.h"

namespace weir::kafka {
namespace {

using protocol::ErrorCode;

absl::Status write_marker(protocol::TransactionAdmin& admin, const MissingMarker& missing,
                          protocol::Deadline deadline) {
  const std::string partition = partition_name(missing.partition);
  const char* const kind = missing.marker.commit ? "commit" : "abort";
  WEIR_ASSIGN_OR_RETURN(const ErrorCode error, admin.write_transaction_marker(
                                                   missing.marker, missing.partition, deadline));
  if (error == ErrorCode::kClusterAuthorizationFailed) {
    return absl::PermissionDeniedError(absl::StrCat(
        "Kafka has left out the ", kind, " marker of ", missing.transactional_id, " in ", partition,
        " (KAFKA-20734): readers wait there until it is written, for which the job's user needs "
        "ClusterAction on the cluster",
        missing.marker.commit ? "; never end it by kafka-transactions.sh abort" : ""));
  }
  if (error != ErrorCode::kNone) {
    return absl::UnavailableError(
        absl::StrCat("WriteTxnMarkers in ", partition, ": ", error_name(error)));
  }
  WEIR_LOG_WARN({}, "Kafka had left out the {} marker of {} in {} (KAFKA-20734); written", kind,
                missing.transactional_id, partition);
  return absl::OkStatus();
}

}  // namespace

absl::Status ensure_markers(protocol::TransactionAdmin& admin,
                            const std::vector<DecidedTransaction>& transactions,
                            const std::vector<protocol::TopicPartition>& partitions,
                            protocol::Deadline deadline) {
  if (transactions.empty() || partitions.empty()) return absl::OkStatus();
  WEIR_ASSIGN_OR_RETURN(const std::vector<protocol::PartitionProducers> described,
                        admin.describe_producers(partitions, deadline));
  for (const protocol::PartitionProducers& partition : described) {
    if (partition.error == ErrorCode::kTopicAuthorizationFailed) {
      WEIR_LOG_WARN({},
                    "whether readers see the end of {} in {} can't be told: the job's user needs "
                    "Read on the topic",
                    transactions.front().transactional_id, partition_name(partition.partition));
    } else if (partition.error != ErrorCode::kNone &&
               partition.error != ErrorCode::kUnknownTopicOrPartition) {  // nobody reads there
      return absl::UnavailableError(absl::StrCat("DescribeProducers of ",
                                                 partition_name(partition.partition), ": ",
                                                 error_name(partition.error)));
    }
  }
  for (const MissingMarker& missing : missing_markers(transactions, described)) {
    WEIR_RETURN_IF_ERROR(write_marker(admin, missing, deadline));
  }
  return absl::OkStatus();
}

}  // namespace weir::kafka
