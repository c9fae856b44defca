#pragma once

#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"

namespace weir {

// The answer that a client waits for. It is given exactly once: whoever drops it unanswered, as a
// mailbox does that is shut down or full, answers Unavailable. Movable, used by one thread at a
// time.
template <typename T>
class Reply {
 public:
  using Callback = absl::AnyInvocable<void(absl::StatusOr<T>)>;

  Reply() = default;
  Reply(Callback callback) : callback_(std::move(callback)) {}  // NOLINT: implicit
  Reply(Reply&& other) noexcept : callback_(std::exchange(other.callback_, nullptr)) {}
  Reply& operator=(Reply&& other) noexcept {
    drop();
    callback_ = std::exchange(other.callback_, nullptr);
    return *this;
  }
  ~Reply() { drop(); }

  explicit operator bool() const { return callback_ != nullptr; }
  void operator()(absl::StatusOr<T> answer) {
    if (Callback callback = std::exchange(callback_, nullptr)) callback(std::move(answer));
  }

 private:
  void drop() {
    (*this)(absl::UnavailableError("the JobManager is shutting down or overloaded: try again"));
  }

  Callback callback_;
};

}  // namespace weir
