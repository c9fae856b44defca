#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/ids.h"
#include "tests/simulation/sink.h"
#include "tests/simulation/task.h"
#include "tests/simulation/world.h"

namespace weir::simulation {

class SimulatedJobManager;

// A TaskManager process: registers with whoever leads, runs tasks and coordinators of one attempt
// at a time, and cancels them when it loses its stream.
class SimulatedTaskManager {
 public:
  SimulatedTaskManager(World& world, std::string name,
                       std::function<SimulatedJobManager*()> leader);

  Process& process() { return process_; }
  const std::string& name() const { return process_.name(); }

  // --- from the JobManager; an older leader epoch is refused ---
  bool accepts(LeaderEpoch epoch);
  void heard() { last_heard_us_ = world_.events.now_us(); }
  void deploy_coordinators(Attempt attempt, const std::vector<std::string>& uids);
  // `positions` empty: resolve first.
  void recover_source(Attempt attempt, std::vector<SplitPosition> positions);
  void recover_sink(Attempt attempt, SinkRecovery recovery);
  void resolved_durable(Attempt attempt);
  void start_source(Attempt attempt);
  void deploy_task(Attempt attempt, int subtask, pb::OperatorState restored);
  SimulatedTask* task(Attempt attempt, int subtask);
  void start_tasks(Attempt attempt, uint64_t generation, const std::vector<SimulatedTask*>& peers);
  void add_splits(Attempt attempt, int subtask, const std::vector<SplitPosition>& splits);
  void cancel_attempt(Attempt attempt);
  void trigger(Attempt attempt, CheckpointId checkpoint, bool stop_sources);
  void notify_complete(Attempt attempt, CheckpointId checkpoint);
  void notify_aborted(Attempt attempt, CheckpointId checkpoint);
  void notify_savepoint(Attempt attempt, CheckpointId savepoint);

 private:
  using Teller = std::function<void(std::function<void(SimulatedJobManager&)>)>;

  void tell(std::function<void(SimulatedJobManager&)> message);
  Teller teller();
  void look_for_leader();
  void beat();
  void stream_lost();
  void cancel_everything();
  void after(std::function<void()> work);  // a moment of work in this process
  void source_restored(Attempt attempt);
  template <typename Work>
  void each_task(Attempt attempt, Work work);

  World& world_;
  Process process_;
  const std::function<SimulatedJobManager*()> leader_;
  const int64_t patience_us_;
  Connection* stream_ = nullptr;
  SimulatedJobManager* jobmanager_ = nullptr;
  LeaderEpoch epoch_;
  int64_t last_heard_us_ = 0;

  struct RunningTask {
    Attempt attempt;
    int subtask;
    std::unique_ptr<SimulatedTask> task;
  };
  std::vector<RunningTask> tasks_;  // of all attempts; ended ones stay until the run ends
  std::vector<std::unique_ptr<SimulatedSinkCoordinator>> sinks_;
  Attempt sink_attempt_{-1};
  Attempt source_attempt_{-1};
  std::vector<SplitPosition> source_;
};

}  // namespace weir::simulation
