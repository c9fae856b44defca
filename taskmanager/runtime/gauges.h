#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "common/mutex.h"

namespace weir {

// The latest values of a task's or coordinator's gauges, those of connectors and operators by
// "<uid>.<name>". Thread-safe.
class Gauges {
 public:
  void set(std::string_view uid, std::string_view name, int64_t value) {
    std::string key(uid);
    key.append(".").append(name);
    MutexLock lock(mutex_);
    values_[std::move(key)] = value;
  }

  // The task's own, by its name alone.
  void set(std::string_view name, int64_t value) {
    MutexLock lock(mutex_);
    values_[std::string(name)] = value;
  }

  std::map<std::string, int64_t> snapshot() const {
    MutexLock lock(mutex_);
    return values_;
  }

 private:
  mutable Mutex mutex_;
  std::map<std::string, int64_t> values_ WEIR_GUARDED_BY(mutex_);
};

}  // namespace weir
