#include "jobmanager/schedule/slot_pool.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace weir {

namespace {
std::string counted(size_t count, const std::string& noun) {
  return absl::StrCat(count, " ", noun, count == 1 ? "" : "s");
}
}  // namespace

int32_t SlotPool::TaskManager::free() const {
  int32_t free = slots;
  for (const auto& [job, count] : used) free -= count;
  return free;
}

void SlotPool::add_taskmanager(const std::string& id, int32_t slots) {
  taskmanagers_[id] = TaskManager{slots, {}};
}

void SlotPool::remove_taskmanager(const std::string& id) {
  taskmanagers_.erase(id);
}

void SlotPool::request(const std::string& allocation, int32_t count, MonotonicTime deadline,
                       std::chrono::milliseconds timeout, std::vector<std::string> preferred) {
  std::erase_if(requests_,
                [&](const Request& request) { return request.allocation == allocation; });
  requests_.push_back({allocation, count, deadline, timeout, std::move(preferred)});
}

void SlotPool::release(const std::string& allocation, const std::string& taskmanager) {
  const auto it = taskmanagers_.find(taskmanager);
  if (it != taskmanagers_.end()) it->second.used.erase(allocation);
}

void SlotPool::release_all(const std::string& allocation) {
  for (auto& [id, taskmanager] : taskmanagers_) taskmanager.used.erase(allocation);
  std::erase_if(requests_,
                [&](const Request& request) { return request.allocation == allocation; });
}

std::set<std::string> SlotPool::allocations(const std::string& prefix) const {
  std::set<std::string> found;
  const auto add = [&](const std::string& allocation) {
    if (absl::StartsWith(allocation, prefix)) found.insert(allocation);
  };
  for (const auto& [id, taskmanager] : taskmanagers_) {
    for (const auto& [allocation, count] : taskmanager.used) add(allocation);
  }
  for (const Request& request : requests_) add(request.allocation);
  return found;
}

std::vector<SlotPool::Decision> SlotPool::advance(MonotonicTime now) {
  std::vector<Decision> decisions;
  std::vector<Request> waiting;
  for (Request& request : requests_) {
    if (auto granted = allocate(request)) {
      decisions.push_back(Granted{request.allocation, std::move(*granted)});
    } else if (now >= request.deadline) {
      decisions.push_back(
          Refused{request.allocation,
                  absl::StrCat("no slots within ", request.timeout.count(),
                               " ms (slot.request.timeout): ", shortage(request.allocation),
                               ": start more TaskManagers, raise taskmanager.numberOfTaskSlots, "
                               "or lower the parallelism")});
    } else {
      waiting.push_back(std::move(request));
    }
  }
  requests_ = std::move(waiting);
  return decisions;
}

std::optional<std::vector<std::string>> SlotPool::allocate(const Request& request) {
  if (taskmanagers_.empty()) return std::nullopt;
  const auto freest = [&] {
    return std::max_element(
        taskmanagers_.begin(), taskmanagers_.end(),
        [](const auto& a, const auto& b) { return a.second.free() < b.second.free(); });
  };
  if (request.count == 0) return std::vector<std::string>{freest()->first};
  if (request.count > slots_free()) return std::nullopt;
  std::vector<std::string> granted(static_cast<size_t>(request.count));
  const auto take = [&](size_t slot, auto taskmanager) {
    ++taskmanager->second.used[request.allocation];
    granted[slot] = taskmanager->first;
  };
  for (size_t slot = 0; slot < std::min(granted.size(), request.preferred.size()); ++slot) {
    const auto it = taskmanagers_.find(request.preferred[slot]);
    if (it != taskmanagers_.end() && it->second.free() > 0) take(slot, it);
  }
  for (size_t slot = 0; slot < granted.size(); ++slot) {
    if (granted[slot].empty()) take(slot, freest());
  }
  return granted;
}

std::optional<MonotonicTime> SlotPool::next_wakeup() const {
  std::optional<MonotonicTime> next;
  for (const Request& request : requests_) {
    if (!next || request.deadline < *next) next = request.deadline;
  }
  return next;
}

int32_t SlotPool::slots_total() const {
  int32_t total = 0;
  for (const auto& [id, taskmanager] : taskmanagers_) total += taskmanager.slots;
  return total;
}

int32_t SlotPool::slots_free() const {
  int32_t free = 0;
  for (const auto& [id, taskmanager] : taskmanagers_) free += std::max(0, taskmanager.free());
  return free;
}

int32_t SlotPool::slots_free(const std::string& taskmanager) const {
  const auto it = taskmanagers_.find(taskmanager);
  return it == taskmanagers_.end() ? 0 : it->second.free();
}

int32_t SlotPool::slots_within_reach(const std::string& allocation_prefix) const {
  int32_t slots = slots_free();
  for (const auto& [id, taskmanager] : taskmanagers_) {
    for (const auto& [allocation, count] : taskmanager.used) {
      if (absl::StartsWith(allocation, allocation_prefix)) slots += count;
    }
  }
  return slots;
}

std::string SlotPool::shortage(const std::string& allocation) const {
  int32_t needed = 0;
  for (const Request& request : requests_) {
    if (request.allocation == allocation) needed = request.count;
  }
  if (taskmanagers_.empty()) {
    return needed == 0 ? "needs a TaskManager, none is registered"
                       : absl::StrCat("needs ", counted(static_cast<size_t>(needed), "slot"),
                                      ", no TaskManager is registered");
  }
  return absl::StrCat("needs ", counted(static_cast<size_t>(needed), "slot"), ", ", slots_free(),
                      " free of ", slots_total(), " on ",
                      counted(taskmanagers_.size(), "TaskManager"));
}

}  // namespace weir
