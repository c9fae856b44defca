#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "connectors/kafka/protocol/transaction_admin.h"

namespace weir::kafka {

// A committable of the restored checkpoint.
struct RecoveredTransaction {
  std::string transactional_id;
  bool known_committed = false;  // by the ledger
  std::int64_t producer_id = -1;
  std::int16_t producer_epoch = -1;
  // The broker shows the id in another epoch: who took the checkpoint went on, and this is a
  // recovery from an older one.
  bool used_again = false;
};

bool is_used_again(const RecoveredTransaction& transaction,
                   const protocol::TransactionDescription& description);

// The ids that a subtask had used when the restored checkpoint was taken.
struct RecordedPool {
  std::uint64_t generation = 0;
  int subtask = 0;
  int slot_count = 0;
};

struct RecoveryInput {
  std::string prefix;
  std::string uid;
  std::uint64_t generation = 0;  // of the attempt that recovers
  std::vector<RecoveredTransaction> committables = {};
  std::vector<RecordedPool> pools = {};
  // None: all. Else only ids of these subtasks, from this generation on.
  std::set<int> subtasks = {};
  std::uint64_t generation_from = 0;
  std::vector<std::string> listed_ids = {};  // by ListTransactions, of every broker; any sink's
};

struct RecoveryPlan {
  std::vector<std::size_t> commit;  // indices of the committables to end by EndTxn(commit)
  std::set<std::string> keep;       // the checkpoint's own ids: never initialised again
  std::vector<std::string> fence;   // to raise by InitProducerId when all commits are done; sorted
};

// What a recovery does, decided from the checkpoint and from what the brokers show. Ids of smaller
// generations under exactly this prefix and uid are fenced, whether open or idle, but never one
// that still is as a committable has it: a second recovery from the same checkpoint would take its
// raised epoch for a loss. Those of subtasks that go on, in a recovery of some only, are left
// alone, as are ids of this generation or a larger one, which are somebody else's to decide.
// Deterministic, so that a recovery killed anywhere can be repeated.
RecoveryPlan plan_recovery(const RecoveryInput& input);

}  // namespace weir::kafka
