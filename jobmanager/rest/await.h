#pragma once

#include <chrono>
#include <future>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "jobmanager/job/reply.h"

namespace weir::rest {

// How long a request waits for the JobManager: a thread of the server waits with it.
inline constexpr std::chrono::seconds kAnswerTimeout{10};

// Calls `ask(reply)` and waits for the answer. One that comes later is dropped.
template <typename T, typename Ask>
absl::StatusOr<T> await(Ask ask) {
  auto promise = std::make_shared<std::promise<absl::StatusOr<T>>>();
  std::future<absl::StatusOr<T>> answer = promise->get_future();
  ask(Reply<T>([promise](absl::StatusOr<T> value) { promise->set_value(std::move(value)); }));
  if (answer.wait_for(kAnswerTimeout) != std::future_status::ready) {
    return absl::DeadlineExceededError("the JobManager doesn't answer: it is busy, ask again");
  }
  return answer.get();
}

}  // namespace weir::rest
