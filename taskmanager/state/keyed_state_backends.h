#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "common/mutex.h"
#include "taskmanager/state/keyed_state_backend.h"

namespace weir {

class RocksDbMemory;

// Makes the state backends of one TaskManager, whose databases share one memory budget.
// Thread-safe; the backends don't need it any more.
class KeyedStateBackends {
 public:
  // `folder`: local, for databases. `managed_bytes` for all of them, with `slots` tasks each of
  // which has one.
  KeyedStateBackends(std::string folder, std::size_t managed_bytes, int slots);

  // `type` as in state.backend.type. `name`: unique among those that live at a time, a file name.
  absl::StatusOr<std::unique_ptr<KeyedStateBackend>> open(std::string_view type,
                                                          const std::string& name);

 private:
  const std::string folder_;
  const std::size_t managed_bytes_;
  const int slots_;

  Mutex mutex_;
  std::shared_ptr<RocksDbMemory> memory_ WEIR_GUARDED_BY(mutex_);  // made for the first database
};

}  // namespace weir
