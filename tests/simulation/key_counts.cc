#include "tests/simulation/key_counts.h"

namespace weir::simulation {
namespace {

int group_of(int key) {
  return key_group_of(hash_key<int>(key), KeyCounts::kMaxParallelism);
}

}  // namespace

int KeyCounts::subtask_of(int key, int parallelism) {
  return weir::subtask_of(group_of(key), parallelism, kMaxParallelism);
}

KeyCounts::KeyCounts(int subtask, int parallelism)
    : range_(key_group_range(subtask, parallelism, kMaxParallelism)) {}

pb::KeyedStateHandle KeyCounts::snapshot(DurableStore& durable) const {
  pb::KeyedStateHandle handle;
  handle.set_format_version(1);
  handle.set_max_parallelism(kMaxParallelism);
  handle.set_first_key_group(range_.first);
  handle.set_last_key_group(range_.last);
  handle.add_files()->set_path(durable.write_state(counts_));
  return handle;
}

void KeyCounts::restore(const google::protobuf::RepeatedPtrField<pb::KeyedStateHandle>& handles,
                        const DurableStore& durable) {
  for (const pb::KeyedStateHandle& handle : handles) {
    for (const auto& file : handle.files()) {
      for (const auto& [key, count] : durable.state(file.path())) {
        if (range_.contains(group_of(key))) counts_[key] += count;
      }
    }
  }
}

}  // namespace weir::simulation
