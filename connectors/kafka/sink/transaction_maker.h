#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/mailbox.h"
#include "common/mutex.h"
#include "connectors/kafka/client/client_properties.h"
#include "connectors/kafka/protocol/transaction_admin.h"
#include "connectors/kafka/sink/producer.h"

namespace weir::kafka {

// A producer whose transaction can begin at once.
struct ReadyTransaction {
  int slot = 0;
  std::string transactional_id = {};
  std::unique_ptr<Producer> producer = nullptr;
  std::int64_t producer_id = -1;
  std::int16_t producer_epoch = -1;
  int init_attempts = 0;
};

// Makes producers ready, and drops used ones, on a thread of its own, so that the task never waits
// for either. While the broker is away it goes on trying.
//
// All calls from the writer's thread. At its end it drops what was made and not taken.
class TransactionMaker {
 public:
  // `properties` of every producer, but for transactional.id.
  TransactionMaker(Properties properties, std::unique_ptr<protocol::TransactionAdmin> admin);
  ~TransactionMaker();

  // One at a time: the next only after take() has returned the last.
  void make(int slot, std::string transactional_id, std::vector<std::string> topics);
  // What was made, if it is; waits at most `wait`. A status when it can't be made at all.
  std::optional<absl::StatusOr<ReadyTransaction>> take(std::chrono::milliseconds wait);
  void drop(std::unique_ptr<Producer> producer);

 private:
  absl::StatusOr<ReadyTransaction> make_ready(int slot, const std::string& transactional_id,
                                              const std::vector<std::string>& topics);
  absl::Status retry(const std::function<absl::Status()>& attempt);
  absl::Status describe(ReadyTransaction& transaction);

  const Properties properties_;
  const std::unique_ptr<protocol::TransactionAdmin> admin_;  // of the mailbox's thread

  Mutex mutex_;
  CondVar changed_;
  bool stopping_ WEIR_GUARDED_BY(mutex_) = false;
  std::optional<absl::StatusOr<ReadyTransaction>> made_ WEIR_GUARDED_BY(mutex_);

  Mailbox mailbox_;  // last: its thread ends first
};

}  // namespace weir::kafka
