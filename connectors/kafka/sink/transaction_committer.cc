#include "connectors/kafka/sink/transaction_committer.h"

#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/fault_point.h"
#include "common/log.h"
#include "common/status.h"
#include "connectors/kafka/sink/kafka_committable.h"
#include "connectors/kafka/sink/marker_writer.h"
#include "connectors/kafka/sink/sink_config.h"
#include "weir/error.h"

namespace weir::kafka {
namespace {

constexpr std::chrono::seconds kAttemptTimeout{5};
constexpr std::chrono::milliseconds kMarkersPollInterval{1};

protocol::Deadline attempt_deadline() {
  return std::chrono::steady_clock::now() + kAttemptTimeout;
}

CommitResult to_result(CommitDecision decision, const Committable& committable) {
  switch (decision.step) {
    case CommitStep::kCommitted:
      return {CommitStatus::kCommitted, ""};
    case CommitStep::kLost:
      return {CommitStatus::kLost,
              absl::StrCat("transaction ", committable.transaction, ": ", decision.message)};
    case CommitStep::kRetry:
    case CommitStep::kEndTransaction:
      break;
  }
  return {CommitStatus::kRetry,
          absl::StrCat("transaction ", committable.transaction, ": ", decision.message)};
}

absl::StatusOr<LeaderEpochs> leader_epochs_of(protocol::TransactionAdmin& admin,
                                              const PreparedTransaction& prepared) {
  std::vector<std::string> topics;
  for (const protocol::TopicPartition& partition : prepared.topic_partitions) {
    if (topics.empty() || topics.back() != partition.topic) topics.push_back(partition.topic);
  }
  WEIR_ASSIGN_OR_RETURN(
      const protocol::ClusterMetadata cluster,
      admin.coordinators_metadata(prepared.transactional_id, topics, attempt_deadline()));
  return leader_epochs(cluster, prepared.topic_partitions);
}

// Waits until the coordinator has done with the transaction, as far as it sees.
absl::Status wait_until_completed(protocol::TransactionAdmin& admin,
                                  const PreparedTransaction& prepared) {
  for (const auto deadline = attempt_deadline();;) {
    WEIR_ASSIGN_OR_RETURN(const protocol::TransactionDescription description,
                          admin.describe_transaction(prepared.transactional_id, deadline));
    if (description.error != protocol::ErrorCode::kNone) {
      return absl::UnavailableError("DescribeTransactions: " + error_name(description.error));
    }
    if (description.state != protocol::TransactionState::kPrepareCommit) return absl::OkStatus();
    if (std::chrono::steady_clock::now() >= deadline) {
      return absl::UnavailableError("Kafka is still writing the commit's markers");
    }
    std::this_thread::sleep_for(kMarkersPollInterval);
  }
}

DecidedTransaction decided(const PreparedTransaction& prepared, bool committed) {
  return {.transactional_id = prepared.transactional_id,
          .producer_id = prepared.producer_id,
          .producer_epoch = prepared.producer_epoch,
          .committed = committed};
}

// A commit is known when readers see it. `before`: the partitions' leaders before EndTxn, if it was
// sent just now.
absl::Status wait_for_markers(protocol::TransactionAdmin& admin,
                              const PreparedTransaction& prepared,
                              const std::optional<LeaderEpochs>& before) {
  WEIR_RETURN_IF_ERROR(wait_until_completed(admin, prepared));
  if (before) {
    WEIR_ASSIGN_OR_RETURN(const LeaderEpochs after, leader_epochs_of(admin, prepared));
    if (led_throughout(*before, after, prepared.topic_partitions)) return absl::OkStatus();
  }
  return ensure_markers(admin, {decided(prepared, /*committed=*/true)}, prepared.topic_partitions,
                        attempt_deadline());
}

// Readers shall not wait for what is lost, nor for what nobody knows any more.
absl::Status close_lost(protocol::TransactionAdmin& admin, const PreparedTransaction& prepared,
                        const protocol::TransactionDescription& description) {
  const bool over = description.error != protocol::ErrorCode::kNone ||
                    description.producer_id != prepared.producer_id ||
                    description.producer_epoch > prepared.producer_epoch;
  if (!over) return absl::OkStatus();
  const absl::Status closed = ensure_markers(admin, {decided(prepared, /*committed=*/false)},
                                             prepared.topic_partitions, attempt_deadline());
  if (!absl::IsPermissionDenied(closed)) return closed;
  WEIR_LOG_WARN({}, "{}", std::string(closed.message()));
  return absl::OkStatus();
}

CommitResult to_retry(const absl::Status& status, const Committable& committable) {
  return to_result({CommitStep::kRetry, std::string(status.message())}, committable);
}

}  // namespace

CommitResult commit_transaction(protocol::TransactionAdmin& admin, const Committable& committable) {
  const absl::StatusOr<PreparedTransaction> prepared = from_committable(committable);
  if (!prepared.ok()) throw FatalError(std::string(prepared.status().message()));

  const absl::StatusOr<protocol::TransactionDescription> description =
      admin.describe_transaction(prepared->transactional_id, attempt_deadline());
  if (!description.ok()) return to_retry(description.status(), committable);
  CommitDecision decision = decide_by_description(*prepared, *description);
  std::optional<LeaderEpochs> leaders;
  if (decision.step == CommitStep::kEndTransaction) {
    const absl::StatusOr<LeaderEpochs> before = leader_epochs_of(admin, *prepared);
    if (!before.ok()) return to_retry(before.status(), committable);
    leaders = *before;
    WEIR_FAULT_POINT("committer.before_end_txn");
    const absl::StatusOr<protocol::EndTransactionResult> end =
        admin.end_transaction(prepared->transactional_id, prepared->producer_id,
                              prepared->producer_epoch, /*commit=*/true, attempt_deadline());
    if (!end.ok()) return to_retry(end.status(), committable);
    WEIR_FAULT_POINT("committer.after_end_txn");
    decision = decide_by_end_error(end->error);
  }
  if (decision.step == CommitStep::kCommitted) {
    const absl::Status visible = wait_for_markers(admin, *prepared, leaders);
    if (!visible.ok()) return to_retry(visible, committable);
  } else if (decision.step == CommitStep::kLost) {
    const absl::Status closed = close_lost(admin, *prepared, *description);
    if (!closed.ok()) return to_retry(closed, committable);
  }
  return to_result(decision, committable);
}

TransactionCommitter::TransactionCommitter(KafkaSinkOptions options)
    : options_(std::move(options)) {}

void TransactionCommitter::open(RuntimeContext& /*context*/) {
  absl::StatusOr<std::unique_ptr<protocol::TransactionAdmin>> admin =
      make_transaction_admin(options_);
  if (!admin.ok()) throw FatalError(std::string(admin.status().message()));
  admin_ = *std::move(admin);
}

CommitResult TransactionCommitter::commit(const Committable& committable) {
  return commit_transaction(*admin_, committable);
}

}  // namespace weir::kafka
