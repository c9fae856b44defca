#pragma once

#include <set>
#include <string>
#include <vector>

#include "taskmanager/coordinator/hosted_coordinator.h"
#include "weir/source.h"

namespace weir {

// Hosts a SourceCoordinator: resolve (once in the job's life), restore, start, discovery.
class HostedSource final : public HostedCoordinator {
 public:
  HostedSource(std::unique_ptr<SourceCoordinator> coordinator, const CoordinatorSpec& spec,
               const std::atomic<bool>& cancelled, Gauges& gauges, ControlSender& sender);

  void validate(pb::CoordinatorValidated& answer) override;
  Recovery recover(const pb::RecoverCoordinator& request) override;
  void on_resolved_state_durable() override;
  void recover_subtasks(const pb::RecoverCoordinator& request) override;
  void restart_subtasks() override;
  void start() override;
  std::chrono::milliseconds tick_interval() const override { return kTickInterval; }
  void tick() override;
  void on_source_event(const pb::SourceEvent& event) override;
  std::optional<std::string> snapshot(int64_t checkpoint_id) override;
  void notify_checkpoint_complete(int64_t checkpoint_id) override;
  void close() override;

 private:
  static constexpr std::chrono::milliseconds kTickInterval{100};

  // What the coordinator tells its readers goes by way of the JobManager.
  class Context final : public AttemptContext<SourceCoordinatorContext> {
   public:
    Context(const CoordinatorSpec& spec, const std::atomic<bool>& cancelled, Gauges& gauges,
            ControlSender& sender);
    void assign_splits(int subtask, std::vector<Split> splits) override;
    void signal_no_more_splits(int subtask) override;
    void send_to_reader(int subtask, std::string event) override;

    std::set<int> restarting;  // they hear nothing

   private:
    void send(int subtask, pb::SourceEvent event);
    ControlSender& sender_;
  };

  ControlSender& sender_;
  Context context_;
  const std::unique_ptr<SourceCoordinator> coordinator_;
  std::string resolved_;
  std::vector<Split> restarted_splits_;
};

}  // namespace weir
