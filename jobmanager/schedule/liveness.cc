#include "jobmanager/schedule/liveness.h"

#include <algorithm>

namespace weir {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

std::vector<Liveness::Silent> Liveness::expire(MonotonicTime now) {
  std::vector<Silent> silent;
  for (auto it = last_heard_.begin(); it != last_heard_.end();) {
    if (now - it->second >= timeout_) {
      silent.push_back({it->first, duration_cast<milliseconds>(now - it->second)});
      it = last_heard_.erase(it);
    } else {
      ++it;
    }
  }
  return silent;
}

std::optional<MonotonicTime> Liveness::next_wakeup() const {
  std::optional<MonotonicTime> next;
  for (const auto& [id, heard] : last_heard_) {
    if (!next || heard + timeout_ < *next) next = heard + timeout_;
  }
  return next;
}

}  // namespace weir
