#pragma once

#include "taskmanager/coordinator/hosted_coordinator.h"
#include "weir/sink.h"

namespace weir {

// Hosts a SinkCoordinator: recovery, then a sweep every few seconds.
class HostedSink final : public HostedCoordinator {
 public:
  HostedSink(std::unique_ptr<SinkCoordinator> coordinator, const CoordinatorSpec& spec,
             const std::atomic<bool>& cancelled, Gauges& gauges, ControlSender& sender);

  void validate(pb::CoordinatorValidated& answer) override;
  Recovery recover(const pb::RecoverCoordinator& request) override;
  void recover_subtasks(const pb::RecoverCoordinator& request) override { recover(request); }
  std::chrono::milliseconds tick_interval() const override { return kSweepInterval; }
  void tick() override;
  void close() override;

 private:
  static constexpr std::chrono::milliseconds kSweepInterval{5000};

  void report(const Committable& committable, const CommitResult& result);

  ControlSender& sender_;
  AttemptContext<RuntimeContext> context_;
  const std::unique_ptr<SinkCoordinator> coordinator_;
};

}  // namespace weir
