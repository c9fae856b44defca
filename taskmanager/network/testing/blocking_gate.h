#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "common/check.h"
#include "common/mutex.h"
#include "taskmanager/network/input_gate.h"
#include "taskmanager/network/network_environment.h"

namespace weir {

// For tests: "channel: text" of a buffer, or of an event.
inline std::string to_text(const InputGate::Item& item) {
  std::ostringstream text;
  text << item.channel << ": ";
  if (const Event* event = std::get_if<Event>(&item.content)) {
    text << *event;
  } else {
    text << std::get<Buffer>(item.content).bytes();
  }
  return text.str();
}

// For tests: a gate, and a wait for what comes by it.
//
// next() and gate() are confined to one thread, the rest is thread-safe.
class BlockingGate {
 public:
  static constexpr std::chrono::seconds kPatience{30};

  BlockingGate(NetworkEnvironment& environment, std::vector<InputChannel> channels) {
    auto gate = environment.create_gate(
        {.name = "Sink (1/1)",
         .channels = std::move(channels),
         .on_available = [this] { notify([] {}); },
         .on_failure = [this](const absl::Status& status) { notify([&] { failure_ = status; }); }});
    WEIR_CHECK_OK(gate);
    gate_ = *std::move(gate);
    gate_->start();
  }

  InputGate& gate() { return *gate_; }

  // Waits for it; nothing if the gate fails.
  std::optional<InputGate::Item> next() {
    while (true) {
      if (std::optional<InputGate::Item> item = gate_->poll()) return item;
      MutexLock lock(mutex_);
      while (!available_ && failure_.ok()) wait_locked();
      if (!failure_.ok()) return std::nullopt;
      available_ = false;
    }
  }

  // Of the next item, or why the gate failed.
  std::string next_text() {
    const std::optional<InputGate::Item> item = next();
    return item ? to_text(*item) : failure().ToString();
  }

  absl::Status wait_for_failure() {
    MutexLock lock(mutex_);
    while (failure_.ok()) wait_locked();
    return failure_;
  }
  absl::Status failure() {
    MutexLock lock(mutex_);
    return failure_;
  }

 private:
  template <typename Change>
  void notify(Change change) {
    MutexLock lock(mutex_);
    change();
    available_ = true;
    changed_.notify_all();
  }
  void wait_locked() WEIR_REQUIRES(mutex_) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    WEIR_CHECK(changed_.wait_until(mutex_, deadline))
        << "nothing came for " << kPatience.count() << " s";
  }

  Mutex mutex_;
  CondVar changed_;
  bool available_ WEIR_GUARDED_BY(mutex_) = false;
  absl::Status failure_ WEIR_GUARDED_BY(mutex_);
  std::unique_ptr<InputGate> gate_;
};

}  // namespace weir
