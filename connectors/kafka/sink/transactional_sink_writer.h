#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "connectors/kafka/protocol/transaction_admin.h"
#include "connectors/kafka/sink/commit_decision.h"
#include "connectors/kafka/sink/sink_writer.h"
#include "connectors/kafka/sink/transaction_maker.h"
#include "connectors/kafka/sink/transaction_pool.h"

namespace weir::kafka {

// kExactlyOnce: one transaction per checkpoint, on a producer and an id of its own. The first
// record begins it; at the barrier it is flushed and looked at once more, and its producer is
// dropped. From then on it is the committer's. Nothing here ever aborts one.
class TransactionalSinkWriter final : public SinkWriterWithProducer {
 public:
  using SinkWriterWithProducer::SinkWriterWithProducer;

  void open(RuntimeContext& context) override;
  bool writable() override;
  void end_batch() override;
  std::vector<Committable> prepare_commit(std::int64_t checkpoint_id) override;
  std::string snapshot(std::int64_t checkpoint_id) override;
  void release(const Committable& committable) override;
  void close() override;

 private:
  Producer& begin() override;
  // Takes in what was made ready, waiting at most `wait`, and asks for the next.
  void advance(std::chrono::milliseconds wait);
  void wait_for_ready();
  protocol::TransactionDescription describe(const std::string& transactional_id);
  void show_pool();

  TransactionPool pool_;
  std::unique_ptr<protocol::TransactionAdmin> admin_;
  std::unique_ptr<TransactionMaker> maker_;
  std::optional<ReadyTransaction> ready_;  // its slot is READY
  std::optional<ReadyTransaction> open_;   // its slot is OPEN; its producer is producer_
};

}  // namespace weir::kafka
