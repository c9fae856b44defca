#include "connectors/kafka/sink/recovery_plan.h"

#include <optional>

#include "connectors/kafka/sink/transactional_id.h"

namespace weir::kafka {

RecoveryPlan plan_recovery(const RecoveryInput& input) {
  RecoveryPlan plan;
  for (std::size_t i = 0; i < input.committables.size(); ++i) {
    plan.keep.insert(input.committables[i].transactional_id);
    if (!input.committables[i].known_committed) plan.commit.push_back(i);
  }

  std::set<std::string> fence;
  for (const std::string& text : input.listed_ids) {
    const std::optional<TransactionalId> id = parse_transactional_id(text);
    if (id && id->prefix == input.prefix && id->uid == input.uid &&
        id->generation < input.generation) {
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
