#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "common/clock.h"

namespace weir {

// Slots of all TaskManagers, and the jobs that wait for them. Pure. With slot sharing a job asks
// for as many slots as its largest parallelism and gets all of them or none; who asked first is
// served first. The TaskManager with the most free slots gives the next one, but for preferred
// ones.
class SlotPool {
 public:
  struct Granted {
    std::string allocation;
    std::vector<std::string> taskmanagers;  // one per slot; slot i runs the subtasks i
  };
  struct Refused {
    std::string allocation;
    std::string cause;
  };
  using Decision = std::variant<Granted, Refused>;

  void add_taskmanager(const std::string& id, int32_t slots);
  // Its slots are gone, whoever had them.
  void remove_taskmanager(const std::string& id);

  // One per allocation. With `count` 0 the grant names one TaskManager, and takes none of its
  // slots. `preferred`: slot i's TaskManager, if it has a free one.
  void request(const std::string& allocation, int32_t count, MonotonicTime deadline,
               std::chrono::milliseconds timeout, std::vector<std::string> preferred = {});
  void release(const std::string& allocation, const std::string& taskmanager);
  // Everything it has or waits for.
  void release_all(const std::string& allocation);
  // Those whose names begin so, and have or wait for something.
  std::set<std::string> allocations(const std::string& prefix) const;

  // Grants what can be granted, refuses what has waited too long. Call after every change, and at
  // next_wakeup().
  std::vector<Decision> advance(MonotonicTime now);
  std::optional<MonotonicTime> next_wakeup() const;

  int32_t slots_total() const;
  int32_t slots_free() const;
  int32_t slots_free(const std::string& taskmanager) const;
  // Free ones, and those of the allocations whose names begin so.
  int32_t slots_within_reach(const std::string& allocation_prefix) const;
  // "needs 4 slots, 2 free of 2 on 1 TaskManager"
  std::string shortage(const std::string& allocation) const;

 private:
  struct TaskManager {
    int32_t slots = 0;
    std::map<std::string, int32_t> used;  // by allocation
    int32_t free() const;
  };
  struct Request {
    std::string allocation;
    int32_t count = 0;
    MonotonicTime deadline;
    std::chrono::milliseconds timeout;
    std::vector<std::string> preferred;
  };

  std::optional<std::vector<std::string>> allocate(const Request& request);

  std::map<std::string, TaskManager> taskmanagers_;
  std::vector<Request> requests_;  // oldest first
};

}  // namespace weir
