#include "jobmanager/checkpoint/transaction_age.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

namespace weir {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds kShortestCheckInterval{50};
constexpr milliseconds kLongestCheckInterval{5000};

std::string time_of_day(int64_t wall_ms) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%S UTC", absl::FromUnixMillis(wall_ms),
                          absl::UTCTimeZone());
}

}  // namespace

void TransactionAge::set_timeout(const std::string& sink_uid, milliseconds timeout) {
  if (timeout.count() > 0) {
    timeouts_[sink_uid] = timeout;
  } else {
    timeouts_.erase(sink_uid);
  }
}

std::optional<milliseconds> TransactionAge::timeout() const {
  std::optional<milliseconds> smallest;
  for (const auto& [uid, timeout] : timeouts_) {
    if (!smallest || timeout < *smallest) smallest = timeout;
  }
  return smallest;
}

TransactionAge::Verdict TransactionAge::check(std::optional<int64_t> oldest_prepared_ms,
                                              bool may_checkpoint, int64_t now_ms) {
  const auto limit = timeout();
  if (!limit || !oldest_prepared_ms || now_ms - *oldest_prepared_ms < limit->count() / 2) return {};
  Verdict verdict;
  // Without figures that change, so that it is said once.
  verdict.warning = absl::StrCat(
      "a transaction prepared at ", time_of_day(*oldest_prepared_ms),
      " isn't committed yet and runs out at ", time_of_day(*oldest_prepared_ms + limit->count()),
      " (transaction timeout ", limit->count(),
      " ms): see that checkpoints complete and that the sink's brokers answer");
  // Again only after a while: what one checkpoint didn't help, the next hardly will.
  if (may_checkpoint && now_ms >= next_checkpoint_ms_) {
    verdict.checkpoint = true;
    next_checkpoint_ms_ = now_ms + limit->count() / 8;
  }
  return verdict;
}

milliseconds TransactionAge::check_interval() const {
  return std::clamp(timeout().value_or(kLongestCheckInterval) / 16, kShortestCheckInterval,
                    kLongestCheckInterval);
}

}  // namespace weir
