#pragma once

#include <cstdint>
#include <map>

#include "google/protobuf/repeated_ptr_field.h"
#include "proto/checkpoint.pb.h"
#include "tests/simulation/durable_store.h"
#include "weir/key_group.h"

namespace weir::simulation {

// Keyed state of one subtask: how many records of each key came. Keys belong to subtasks, and move
// between them, by the real key groups.
class KeyCounts {
 public:
  static constexpr int kMaxParallelism = 8;
  static constexpr int kKeys = 12;

  static int subtask_of(int key, int parallelism);

  KeyCounts(int subtask, int parallelism);

  // The count of this key, this time included.
  int64_t add(int key) { return ++counts_[key]; }
  // What is counted so far, in a file of its own.
  pb::KeyedStateHandle snapshot(DurableStore& durable) const;
  // The own key groups of the handles' files.
  void restore(const google::protobuf::RepeatedPtrField<pb::KeyedStateHandle>& handles,
               const DurableStore& durable);

 private:
  const KeyGroupRange range_;
  std::map<int, int64_t> counts_;
};

}  // namespace weir::simulation
