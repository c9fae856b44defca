#include "connectors/kafka/sink/commit_wait.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

namespace weir::kafka {

void CommitWait::prepared(int slot, std::int64_t checkpoint_id, std::int64_t now_ms) {
  prepared_[slot] = {checkpoint_id, now_ms};
}

void CommitWait::released(int slot) {
  prepared_.erase(slot);
}

std::optional<CommitWait::Change> CommitWait::check(bool exhausted, std::int64_t now_ms) {
  if (exhausted == waits_since_ms_.has_value()) return std::nullopt;
  if (!exhausted) {
    const std::int64_t waited_ms = now_ms - *std::exchange(waits_since_ms_, std::nullopt);
    return Change{
        false, absl::StrCat("goes on after ", waited_ms, " ms: a transactional id is free again")};
  }
  waits_since_ms_ = now_ms;
  const auto oldest = std::min_element(
      prepared_.begin(), prepared_.end(),
      [](const auto& a, const auto& b) { return a.second.checkpoint_id < b.second.checkpoint_id; });
  return Change{true, absl::StrCat("takes no record: all ", prepared_.size(),
                                   " transactional ids await commits, the oldest since ",
                                   absl::FormatTime("%Y-%m-%d %H:%M:%S UTC",
                                                    absl::FromUnixMillis(oldest->second.since_ms),
                                                    absl::UTCTimeZone()),
                                   " that of checkpoint ", oldest->second.checkpoint_id,
                                   ": see that checkpoints complete and that the brokers answer")};
}

}  // namespace weir::kafka
