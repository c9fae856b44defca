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

std::string name_of(const OldestPrepared& oldest) {
  if (oldest.transaction.empty()) return "what no completed checkpoint carries yet";
  return absl::StrCat("transaction ", oldest.transaction, " of sink '", oldest.sink_uid,
                      "', checkpoint ", oldest.checkpoint);
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

TransactionAge::Verdict TransactionAge::check(const std::optional<OldestPrepared>& oldest,
                                              bool may_checkpoint, int64_t now_ms) {
  Verdict verdict;
  const auto limit = timeout();
  const bool danger = limit && oldest && now_ms - oldest->since_ms >= limit->count() / 2;
  verdict.begins = danger && !in_danger_;
  verdict.ends = !danger && in_danger_;
  in_danger_ = danger;
  if (!danger) return verdict;
  verdict.warning = absl::StrCat(
      name_of(*oldest), ", prepared at ", time_of_day(oldest->since_ms),
      ", isn't committed and will be lost at ", time_of_day(oldest->since_ms + limit->count()),
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
