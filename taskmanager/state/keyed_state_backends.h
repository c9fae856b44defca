#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "common/mutex.h"
#include "taskmanager/state/hashmap_memory.h"
#include "taskmanager/state/keyed_state_backend.h"

namespace weir {

class RocksDbMemory;

// Makes the state backends of one TaskManager, whose databases share one memory budget.
// Thread-safe; the backends don't need it any more.
class KeyedStateBackends {
 public:
  struct Memory {
    std::size_t managed_bytes = 0;                          // of all databases
    int slots = 1;                                          // with equal parts of that
    std::size_t hashmap_bytes = HashMapMemory::kUnbounded;  // of all tables without a database
  };

  // `folder`: local, for databases.
  KeyedStateBackends(std::string folder, const Memory& memory);

  // `type` as in state.backend.type. `name`: unique among those that live at a time, a file name.
  // `in_slot`: how many the slot opens, this one too: its memory is divided among them.
  absl::StatusOr<std::unique_ptr<KeyedStateBackend>> open(std::string_view type,
                                                          const std::string& name, int in_slot);

 private:
  const std::string folder_;
  const std::size_t managed_bytes_;
  const int slots_;
  const std::shared_ptr<HashMapMemory> hashmap_memory_;

  Mutex mutex_;
  std::shared_ptr<RocksDbMemory> memory_ WEIR_GUARDED_BY(mutex_);  // made for the first database
};

}  // namespace weir
