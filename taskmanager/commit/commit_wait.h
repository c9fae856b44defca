#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "taskmanager/commit/commit_tracker.h"

namespace weir {

// Says why a sink takes no record while its commits are behind: once when that begins and once when
// it is over. Pure: the time is passed in.
class CommitWait {
 public:
  struct Change {
    bool begins = false;  // else it is over
    std::string message;
  };

  // After whatever changed the tracker.
  std::optional<Change> check(const CommitTracker& tracker, std::int64_t now_ms);

 private:
  std::optional<std::int64_t> waits_since_ms_;
};

}  // namespace weir
