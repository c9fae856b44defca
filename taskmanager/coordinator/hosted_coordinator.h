#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "taskmanager/runtime/attempt_context.h"
#include "taskmanager/runtime/control_sender.h"
#include "weir/graph.h"

namespace weir {

namespace pb {
class CoordinatorValidated;
class RecoverCoordinator;
class SourceEvent;
}  // namespace pb

struct CoordinatorSpec {
  AttemptInfo attempt;
  std::string uid;
  int parallelism = 1;
};

// A source's or sink's coordinator as its host drives it. All calls come from the host's thread and
// throw what the connector throws.
class HostedCoordinator {
 public:
  enum class Recovery { kDone, kWaitsForResolvedState };

  virtual ~HostedCoordinator() = default;

  // Opens, and fills in the answer to DeployCoordinators.
  virtual void validate(pb::CoordinatorValidated& answer) = 0;
  virtual Recovery recover(const pb::RecoverCoordinator& request) = 0;
  virtual void on_resolved_state_durable() {}
  // For some subtasks, which begin anew while the others go on; then restart_subtasks() when they
  // run. Only if validate() has answered that it can.
  virtual void recover_subtasks(const pb::RecoverCoordinator& request) = 0;
  virtual void restart_subtasks() {}
  virtual void start() {}
  // Between two ticks, from start on.
  virtual std::chrono::milliseconds tick_interval() const = 0;
  virtual void tick() = 0;
  virtual void on_source_event(const pb::SourceEvent& /*event*/) {}
  // Nothing: it takes no part in checkpoints.
  virtual std::optional<std::string> snapshot(int64_t /*checkpoint_id*/) { return std::nullopt; }
  virtual void notify_checkpoint_complete(int64_t /*checkpoint_id*/) {}
  virtual void close() = 0;
};

// Makes the coordinator of the node with the spec's uid. The flag, gauges and sender outlive it.
// Throws FatalError if the graph has none such.
std::unique_ptr<HostedCoordinator> make_hosted_coordinator(const StreamGraph& graph,
                                                           const CoordinatorSpec& spec,
                                                           const std::atomic<bool>& cancelled,
                                                           Gauges& gauges, ControlSender& sender);

}  // namespace weir
