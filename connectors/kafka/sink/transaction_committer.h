#pragma once

#include <chrono>
#include <memory>

#include "connectors/kafka/protocol/transaction_admin.h"
#include "connectors/kafka/sink/commit_decision.h"
#include "weir/kafka/sink.h"
#include "weir/sink.h"

namespace weir::kafka {

// Commits a prepared transaction from its committable alone: the one path of a normal run and of a
// recovery. kCommitted only when readers see it. Blocks for at most some attempt timeouts.
CommitResult commit_transaction(protocol::TransactionAdmin& admin, const Committable& committable);

// Commits one subtask's transactions. Confined to its thread.
class TransactionCommitter final : public Committer {
 public:
  explicit TransactionCommitter(KafkaSinkOptions options);
  void open(RuntimeContext& context) override;
  CommitResult commit(const Committable& committable) override;

 private:
  const KafkaSinkOptions options_;
  std::unique_ptr<protocol::TransactionAdmin> admin_;
};

}  // namespace weir::kafka
