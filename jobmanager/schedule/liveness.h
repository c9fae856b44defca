#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/clock.h"

namespace weir {

// Finds TaskManagers that have gone silent: only for hosts that vanish without closing their
// stream. Pure.
class Liveness {
 public:
  struct Silent {
    std::string taskmanager;
    std::chrono::milliseconds age;
  };

  explicit Liveness(std::chrono::milliseconds timeout) : timeout_(timeout) {}

  void heard(const std::string& taskmanager, MonotonicTime now) { last_heard_[taskmanager] = now; }
  void forget(const std::string& taskmanager) { last_heard_.erase(taskmanager); }

  // Those silent for longer than the timeout; each is named once.
  std::vector<Silent> expire(MonotonicTime now);
  std::optional<MonotonicTime> next_wakeup() const;

 private:
  const std::chrono::milliseconds timeout_;
  std::map<std::string, MonotonicTime> last_heard_;
};

}  // namespace weir
