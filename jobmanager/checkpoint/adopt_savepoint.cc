#include "jobmanager/checkpoint/adopt_savepoint.h"

namespace weir {

void adopt_last_savepoint(
    pb::JobRecord& record,
    const std::function<std::optional<std::uint64_t>(const std::string& path)>& generation_of) {
  if (record.savepoints().empty()) return;
  const pb::CheckpointPointer last = record.savepoints(record.savepoints_size() - 1);
  for (const pb::CheckpointPointer& checkpoint : record.checkpoints()) {
    if (checkpoint.checkpoint_id() >= last.checkpoint_id()) return;
  }
  if (generation_of(last.path()) == record.generation()) *record.add_checkpoints() = last;
}

}  // namespace weir
