#include "connectors/kafka/sink/recovery_plan.h"

#include <optional>

#include "connectors/kafka/sink/transactional_id.h"

namespace weir::kafka {

bool is_used_again(const RecoveredTransaction& transaction,
                   const protocol::TransactionDescription& description) {
  return description.error == protocol::ErrorCode::kNone &&
         (description.producer_id != transaction.producer_id ||
          description.producer_epoch != transaction.producer_epoch);
}

RecoveryPlan plan_recovery(const RecoveryInput& input) {
  RecoveryPlan plan;
  for (std::size_t i = 0; i < input.committables.size(); ++i) {
    if (!input.committables[i].used_again) {
      plan.keep.insert(input.committables[i].transactional_id);
    }
    if (!input.committables[i].known_committed) plan.commit.push_back(i);
  }

  std::set<std::string> fence;
  for (const std::string& text : input.listed_ids) {
    const std::optional<TransactionalId> id = parse_transactional_id(text);
    if (id && id->prefix == input.prefix && id->uid == input.uid &&
        id->generation < input.generation && id->generation >= input.generation_from &&
        (input.subtasks.empty() || input.subtasks.contains(id->subtask))) {
      fence.insert(text);
    }
  }
  for (const RecordedPool& pool : input.pools) {
    if (pool.generation >= input.generation) continue;
    for (int slot = 0; slot < pool.slot_count; ++slot) {
      fence.insert(
          format_transactional_id({input.prefix, input.uid, pool.generation, pool.subtask, slot}));
    }
  }
  for (const std::string& id : fence) {
    if (!plan.keep.contains(id)) plan.fence.push_back(id);
  }
  return plan;
}

}  // namespace weir::kafka
