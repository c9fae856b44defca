#include "taskmanager/commit/commit_wait.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace weir {

std::optional<CommitWait::Change> CommitWait::check(const CommitTracker& tracker,
                                                    std::int64_t now_ms) {
  if (tracker.is_behind() == waits_since_ms_.has_value()) return std::nullopt;
  if (!tracker.is_behind()) {
    const std::int64_t waited_ms = now_ms - *std::exchange(waits_since_ms_, std::nullopt);
    return Change{false, absl::StrCat("takes records again after ", waited_ms, " ms")};
  }
  waits_since_ms_ = now_ms;
  return Change{true, absl::StrCat("takes no record: ", tracker.committing(),
                                   " commits aren't done, the oldest that of checkpoint ",
                                   tracker.oldest_committing()->value(),
                                   ": see that the external system answers")};
}

}  // namespace weir
