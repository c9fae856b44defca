#include "connectors/kafka/sink/transaction_committer.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/fault_point.h"
#include "connectors/kafka/sink/kafka_committable.h"
#include "connectors/kafka/sink/sink_config.h"
#include "weir/error.h"

namespace weir::kafka {
namespace {

constexpr std::chrono::seconds kAttemptTimeout{5};

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
  if (decision.step != CommitStep::kEndTransaction) return to_result(decision, committable);

  WEIR_FAULT_POINT("committer.before_end_txn");
  const absl::StatusOr<protocol::EndTransactionResult> end =
      admin.end_transaction(prepared->transactional_id, prepared->producer_id,
                            prepared->producer_epoch, /*commit=*/true, attempt_deadline());
  if (!end.ok()) return to_retry(end.status(), committable);
  WEIR_FAULT_POINT("committer.after_end_txn");
  return to_result(decide_by_end_error(end->error), committable);
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
