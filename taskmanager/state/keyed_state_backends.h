#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "common/mutex.h"
#include "taskmanager/state/hashmap_memory.h"
#include "taskmanager/state/keyed_state_backend.h"
#include "taskmanager/state/local_copies.h"

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
  // With `copies` it has copies of its checkpoints' files there, and restores from them.
  absl::StatusOr<std::unique_ptr<KeyedStateBackend>> open(
      std::string_view type, const std::string& name, int in_slot,
      std::shared_ptr<LocalCopies> copies = nullptr);

  // What all tasks of the job on this TaskManager share.
  std::shared_ptr<LocalCopies> copies_of(const std::string& job_id);
  // Deletes those of other jobs, when their last task has ended.
  void keep_copies_of(const std::set<std::string>& job_ids);

 private:
  const std::string folder_;
  const std::size_t managed_bytes_;
  const int slots_;
  const std::shared_ptr<HashMapMemory> hashmap_memory_;

  Mutex mutex_;
  std::shared_ptr<RocksDbMemory> memory_ WEIR_GUARDED_BY(mutex_);  // made for the first database
  std::map<std::string, std::shared_ptr<LocalCopies>> copies_ WEIR_GUARDED_BY(mutex_);  // by job
  int copies_made_ WEIR_GUARDED_BY(mutex_) = 0;  // names their folders
};

}  // namespace weir
