#pragma once

#include <cstddef>
#include <list>
#include <map>
#include <optional>
#include <random>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/mutex.h"
#include "jobmanager/rest/json.h"

namespace weir::rest {

// Savepoints, checkpoints and stops that clients have asked for and poll for, by job and trigger
// id. Bounded: the oldest that is complete makes room. Thread-safe; whoever completes an operation
// may outlive the server, so it is held by shared_ptr.
class Operations {
 public:
  explicit Operations(size_t capacity) : capacity_(capacity) {}

  struct Begun {
    std::string trigger_id;
    bool is_new = true;  // else somebody asked with the same id before
  };
  // `trigger_id` of the client, 32 hex digits, or empty. ResourceExhausted: too many under way.
  absl::StatusOr<Begun> begin(const std::string& job_id, const std::string& trigger_id);
  // `operation`: what Flink shows of the result.
  void complete(const std::string& job_id, const std::string& trigger_id, Json operation);
  // The body of the poll. NotFound when it is unknown, or too long ago.
  absl::StatusOr<Json> poll(const std::string& job_id, const std::string& trigger_id) const;

 private:
  struct Operation {
    std::string key;
    std::optional<Json> result;
  };
  using Position = std::list<Operation>::iterator;

  const size_t capacity_;
  mutable Mutex mutex_;
  std::list<Operation> operations_ WEIR_GUARDED_BY(mutex_);  // oldest first
  std::map<std::string, Position> by_key_ WEIR_GUARDED_BY(mutex_);
  std::mt19937_64 random_ WEIR_GUARDED_BY(mutex_){std::random_device{}()};
};

}  // namespace weir::rest
