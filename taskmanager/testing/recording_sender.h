#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/mutex.h"
#include "proto/control.pb.h"
#include "taskmanager/runtime/control_sender.h"

namespace weir {

// Keeps what tasks and coordinators report, and waits for it. For tests. Thread-safe.
class RecordingSender final : public ControlSender {
 public:
  using Predicate = std::function<bool(const pb::FromTaskManager&)>;

  void send(pb::FromTaskManager message) override {
    MutexLock lock(mutex_);
    messages_.push_back(std::move(message));
    changed_.notify_all();
  }

  // The first message not yet taken by wait_for that satisfies the predicate; nothing after 10 s.
  std::optional<pb::FromTaskManager> wait_for(const Predicate& predicate) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    MutexLock lock(mutex_);
    do {
      for (auto message = messages_.begin(); message != messages_.end(); ++message) {
        if (!predicate(*message)) continue;
        std::optional<pb::FromTaskManager> found = std::move(*message);
        messages_.erase(message);
        return found;
      }
    } while (changed_.wait_until(mutex_, deadline));
    return std::nullopt;
  }

  // `vertex` -1: of any.
  std::optional<pb::TaskStateChanged> reached(pb::TaskStateChanged::State state, int vertex = -1) {
    auto message = wait_for([&](const pb::FromTaskManager& sent) {
      return sent.has_task_state_changed() && sent.task_state_changed().state() == state &&
             (vertex < 0 || sent.task_state_changed().task().vertex() == vertex);
    });
    if (!message) return std::nullopt;
    return message->task_state_changed();
  }

  std::optional<pb::DeclineCheckpoint> declined() {
    auto message =
        wait_for([](const pb::FromTaskManager& sent) { return sent.has_decline_checkpoint(); });
    if (!message) return std::nullopt;
    return message->decline_checkpoint();
  }

  // Of those not taken.
  int count(const Predicate& predicate) {
    MutexLock lock(mutex_);
    int result = 0;
    for (const auto& message : messages_) result += predicate(message) ? 1 : 0;
    return result;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::vector<pb::FromTaskManager> messages_ WEIR_GUARDED_BY(mutex_);
};

}  // namespace weir
