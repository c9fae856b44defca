#include "jobmanager/rest/operations.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/ids.h"

namespace weir::rest {

namespace {

std::string key_of(const std::string& job_id, const std::string& trigger_id) {
  return absl::StrCat(job_id, "/", trigger_id);
}

}  // namespace

absl::StatusOr<Operations::Begun> Operations::begin(const std::string& job_id,
                                                    const std::string& trigger_id) {
  MutexLock lock(mutex_);
  Begun begun;
  // JobId stands for any 128 bits that Flink writes as 32 hex digits.
  begun.trigger_id = trigger_id.empty() ? to_string(JobId::random(random_)) : trigger_id;
  const std::string key = key_of(job_id, begun.trigger_id);
  if (by_key_.contains(key)) {
    begun.is_new = false;
    return begun;
  }
  if (operations_.size() >= capacity_) {
    const auto oldest = std::find_if(operations_.begin(), operations_.end(),
                                     [](const Operation& one) { return one.result.has_value(); });
    if (oldest == operations_.end()) {
      return absl::ResourceExhaustedError(
          absl::StrCat(capacity_, " savepoints and checkpoints are under way: ask again later"));
    }
    by_key_.erase(oldest->key);
    operations_.erase(oldest);
  }
  by_key_[key] = operations_.insert(operations_.end(), {key, std::nullopt});
  return begun;
}

void Operations::complete(const std::string& job_id, const std::string& trigger_id,
                          Json operation) {
  MutexLock lock(mutex_);
  by_key_.at(key_of(job_id, trigger_id))->result = std::move(operation);
}

absl::StatusOr<Json> Operations::poll(const std::string& job_id,
                                      const std::string& trigger_id) const {
  MutexLock lock(mutex_);
  const auto found = by_key_.find(key_of(job_id, trigger_id));
  if (found == by_key_.end()) {
    return absl::NotFoundError(absl::StrCat("There is no operation with triggerId=", trigger_id,
                                            " for job ", job_id, "."));
  }
  const std::optional<Json>& result = found->second->result;
  return Json{{"status", {{"id", result ? "COMPLETED" : "IN_PROGRESS"}}},
              {"operation", result ? *result : Json(nullptr)}};
}

}  // namespace weir::rest
