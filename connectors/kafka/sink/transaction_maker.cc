#include "connectors/kafka/sink/transaction_maker.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/fault_point.h"
#include "common/status.h"

namespace weir::kafka {
namespace {

// Short, so that the end of the task needn't wait for a broker that is away.
constexpr std::chrono::milliseconds kAttemptTimeout{1000};
constexpr std::chrono::milliseconds kRetryPause{100};

}  // namespace

TransactionMaker::TransactionMaker(Properties properties,
                                   std::unique_ptr<protocol::TransactionAdmin> admin)
    : properties_(std::move(properties)),
      admin_(std::move(admin)),
      mailbox_({.name = "kafka-maker"}) {
  mailbox_.start();
}

TransactionMaker::~TransactionMaker() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  mailbox_.shutdown(Mailbox::Pending::kDrop);
}

void TransactionMaker::make(int slot, std::string transactional_id,
                            std::vector<std::string> topics) {
  mailbox_.post([this, slot, id = std::move(transactional_id), topics = std::move(topics)] {
    absl::StatusOr<ReadyTransaction> made = make_ready(slot, id, topics);
    MutexLock lock(mutex_);
    made_ = std::move(made);
    changed_.notify_all();
  });
}

std::optional<absl::StatusOr<ReadyTransaction>> TransactionMaker::take(
    std::chrono::milliseconds wait) {
  const auto deadline = std::chrono::steady_clock::now() + wait;
  MutexLock lock(mutex_);
  while (!made_) {
    if (wait.count() == 0 || !changed_.wait_until(mutex_, deadline)) break;
  }
  return std::exchange(made_, std::nullopt);
}

void TransactionMaker::drop(std::unique_ptr<Producer> producer) {
  mailbox_.post([producer = std::move(producer)]() mutable { producer.reset(); });
}

absl::Status TransactionMaker::retry(const std::function<absl::Status()>& attempt) {
  while (true) {
    absl::Status status = attempt();
    if (status.ok()) return status;
    if (!absl::IsUnavailable(status) && !absl::IsDeadlineExceeded(status)) return status;
    const auto next_attempt = std::chrono::steady_clock::now() + kRetryPause;
    MutexLock lock(mutex_);
    while (!stopping_ && changed_.wait_until(mutex_, next_attempt)) {
    }
    if (stopping_) return absl::CancelledError("the writer is closed");
  }
}

absl::StatusOr<ReadyTransaction> TransactionMaker::make_ready(
    int slot, const std::string& transactional_id, const std::vector<std::string>& topics) {
  ReadyTransaction made{.slot = slot, .transactional_id = transactional_id};
  Properties properties = properties_;
  properties["transactional.id"] = transactional_id;
  WEIR_ASSIGN_OR_RETURN(made.producer, Producer::create(properties));
  Producer& producer = *made.producer;
  WEIR_RETURN_IF_ERROR(retry([&] { return producer.init_transactions(kAttemptTimeout); }));
  for (const std::string& topic : topics) {
    WEIR_RETURN_IF_ERROR(retry([&] { return producer.load_topic(topic, kAttemptTimeout); }));
  }
  WEIR_RETURN_IF_ERROR(retry([&] { return describe(made); }));
  made.init_attempts = producer.init_attempts();
  WEIR_FAULT_POINT("sink.handle_ready");
  return made;
}

// librdkafka has no call for the producer id and epoch that it was given.
absl::Status TransactionMaker::describe(ReadyTransaction& transaction) {
  WEIR_ASSIGN_OR_RETURN(
      const protocol::TransactionDescription description,
      admin_->describe_transaction(transaction.transactional_id,
                                   std::chrono::steady_clock::now() + kAttemptTimeout));
  if (description.error != protocol::ErrorCode::kNone) {
    return absl::UnavailableError(absl::StrCat("DescribeTransactions of ",
                                               transaction.transactional_id, ": ",
                                               error_name(description.error)));
  }
  if (description.state != protocol::TransactionState::kEmpty) {
    return absl::AbortedError(absl::StrCat(
        "the transaction of ", transaction.transactional_id, " is in state ",
        transaction_state_name(description.state),
        " right after its init: another producer uses the same transactional id prefix"));
  }
  transaction.producer_id = description.producer_id;
  transaction.producer_epoch = description.producer_epoch;
  return absl::OkStatus();
}

}  // namespace weir::kafka
