#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "common/ids.h"
#include "common/log.h"
#include "common/mailbox.h"
#include "taskmanager/coordinator/hosted_coordinator.h"
#include "taskmanager/runtime/user_code.h"

namespace weir {

namespace pb {
class CoordinatorId;
class CoordinatorMetrics;
class FromTaskManager;
}  // namespace pb

// The thread of one coordinator in one attempt, and the order of its life:
//
//   validating ──▶ validated ──recover──▶ recovered ──start──▶ started
//                      │                      ▲
//                      └─recover─▶ resolved ──┘ (its resolved state is durable)
//
// Started, it recovers for some subtasks, and starts them again, as often as it is told.
// From each of them to failed, and to ended by cancel(). A message that comes in another state is
// ignored: it is late.
//
// Thread rule: all public methods from any thread; they only enqueue. `on_ended` is the last thing
// that its thread calls; the host may be destroyed after.
class CoordinatorHost {
 public:
  struct Options {
    CoordinatorSpec spec;
    std::function<StreamGraph()> build_graph;  // runs the job's entry point; may throw
    ControlSender* sender = nullptr;
    std::function<void()> on_ended;
  };

  // Starts the thread, which opens and validates.
  explicit CoordinatorHost(Options options);
  CoordinatorHost(const CoordinatorHost&) = delete;
  CoordinatorHost& operator=(const CoordinatorHost&) = delete;
  ~CoordinatorHost();  // waits for the call that is under way

  void recover(pb::RecoverCoordinator request);
  void on_resolved_state_durable();
  void start();
  void on_source_event(pb::SourceEvent event);
  void trigger_checkpoint(CheckpointId checkpoint);
  void notify_checkpoint_complete(CheckpointId checkpoint);
  void cancel();

  const CoordinatorSpec& spec() const { return options_.spec; }
  pb::CoordinatorMetrics metrics() const;

 private:
  enum class State { kValidating, kValidated, kResolved, kRecovered, kStarted, kFailed, kEnded };

  void validate();
  void finish_recovery();
  void report_recovered(int for_attempt);
  void tick();
  void end();
  bool takes_part() const { return state_ == State::kRecovered || state_ == State::kStarted; }

  // Enqueues a call of the connector; what it throws fails the coordinator.
  void post(absl::AnyInvocable<void()> call);
  void guard(absl::AnyInvocable<void()> call);
  void fail(const Failure& failure);
  pb::CoordinatorId id() const;
  LogContext log_context() const;

  const Options options_;
  std::atomic<bool> cancelled_{false};
  Gauges gauges_;

  // The host's thread only.
  State state_ = State::kValidating;
  std::unique_ptr<HostedCoordinator> coordinator_;

  Mailbox mailbox_;
};

}  // namespace weir
