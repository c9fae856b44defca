#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/simulation/job_manager.h"
#include "tests/simulation/task_manager.h"
#include "tests/simulation/world.h"

namespace weir::simulation {

// The processes of a run, what befalls them, and the users' commands. Everything that ever lived
// stays until the run ends, because requests may still be on their way to it.
class Cluster {
 public:
  explicit Cluster(World& world);
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  // Until the job has ended and everything has come to rest, or it clearly never will.
  void run();

  JobEnd end() const;
  const std::string& last_fault() const { return jobmanagers_.back()->last_fault(); }
  int faults() const { return faults_; }
  // Transactions that no sweep has ended although there was time for it.
  const std::vector<std::string>& left_open() const { return left_open_; }

 private:
  void lay_to_rest(int64_t ended_us);
  void rescale();
  void start_taskmanager();
  void start_jobmanager();
  void schedule_faults();
  void fault();
  void kill_taskmanager();
  void stop_taskmanager();
  void cut_taskmanager_off(bool from_kafka);
  void kill_jobmanager();
  void isolate_jobmanager();
  void kill_broker();
  void long_outage();
  void calm_down();
  void command();  // the user's, repeated until it is heard
  SimulatedTaskManager* any_taskmanager();

  World& world_;
  std::vector<std::unique_ptr<SimulatedTaskManager>> taskmanagers_;
  std::vector<std::unique_ptr<SimulatedJobManager>> jobmanagers_;
  SimulatedJobManager* leader_ = nullptr;
  int parallelism_ = 0;  // of the next JobManager, however the job was rescaled; 0: as it was
  int faults_ = 0;
  bool calm_ = false;
  std::vector<std::string> left_open_;
};

}  // namespace weir::simulation
