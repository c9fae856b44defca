#pragma once

// A Weir cluster of real processes for tests: one JobManager, some TaskManagers, the command line.
//
//   MiniCluster cluster({.taskmanagers = 2,
//                        .environment = {{"taskmanager-1", {{"WEIR_FAULT", "…"}}}}});
//   std::string job = cluster.submit("examples/processed", {"--brokers", …});
//   cluster.wait_until("a checkpoint", [&] { return cluster.completed_checkpoints(job) > 0; });
//   cluster.kill("taskmanager-1");

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "tests/cluster/host_network.h"
#include "tests/cluster/process.h"

namespace weir::cluster_test {

struct MiniClusterOptions {
  int taskmanagers = 2;
  int slots = 2;  // of each TaskManager
  // Added to conf/weir.yaml, which has the ports and folders already.
  std::map<std::string, std::string> config;
  // By process name, for its first start only: a restarted process has no fault points.
  std::map<std::string, Environment> environment;
  // TaskManager i runs on host i, the JobManager at an address of its own. Outlives the cluster.
  const HostNetwork* hosts = nullptr;
  bool faults_armed = true;  // else hits of fault points count from arm_faults() on
};

// Processes are named "jobmanager-1" and "taskmanager-1", "taskmanager-2" …; all end with this
// object. Methods throw std::runtime_error, with the ends of all logs, when the cluster doesn't do
// what was asked. The folder (configuration, logs, checkpoints) is deleted unless the test has
// failed.
class MiniCluster {
 public:
  // Returns when every TaskManager has registered.
  explicit MiniCluster(MiniClusterOptions options = {});
  ~MiniCluster();
  MiniCluster(const MiniCluster&) = delete;
  MiniCluster& operator=(const MiniCluster&) = delete;

  const std::string& folder() const { return folder_; }
  int rpc_port() const { return rpc_port_; }  // of the JobManager
  std::string checkpoints_folder() const { return folder_ + "/checkpoints"; }
  std::string savepoints_folder() const { return folder_ + "/savepoints"; }
  std::string metadata_folder() const { return folder_ + "/ha"; }

  // --- Processes ---

  void kill(const std::string& name);    // SIGKILL, returns when it is gone
  void pause(const std::string& name);   // SIGSTOP
  void resume(const std::string& name);  // SIGCONT
  // Starts it again, killing it before if it runs. Doesn't wait for it to register.
  void restart(const std::string& name, const Environment& environment = {});
  // Starts one more and returns its name.
  std::string add_taskmanager(const Environment& environment = {});
  int taskmanagers_started() const { return taskmanagers_started_; }
  bool running(const std::string& name);
  pid_t pid(const std::string& name);
  // Waits until it ends by itself, as at a fault point.
  ExitStatus wait_for_exit(const std::string& name,
                           std::chrono::milliseconds timeout = std::chrono::seconds(60));
  // Everything that it has logged so far, over all its starts.
  std::string log(const std::string& name);
  void arm_faults();
  // The fault points at which it has acted so far, in order: "fault point NAME hit N ACTION".
  std::vector<std::string> faults_hit(const std::string& name);

  // --- Clients ---

  // Runs `weir` with these arguments against this cluster.
  CommandResult weir(const std::vector<std::string>& arguments,
                     std::chrono::milliseconds timeout = std::chrono::seconds(60));
  // `weir run -d FLAGS LIBRARY.so ARGUMENTS`, the library below the build folder; returns the job's
  // id.
  std::string submit(const std::string& library, const std::vector<std::string>& arguments,
                     const std::vector<std::string>& flags = {});
  // GET of the REST path ("/jobs/…"); an answer other than 200, or none, is an error.
  nlohmann::json rest(const std::string& path);

  std::string job_state(const std::string& job);  // RUNNING, FINISHED …
  int completed_checkpoints(const std::string& job);
  int registered_taskmanagers();

  // Looks every 20 ms; after `timeout` throws with `what` and the ends of the logs. A condition
  // that throws (the JobManager is down just now) is one that isn't met yet.
  void wait_until(const std::string& what, const std::function<bool()>& condition,
                  std::chrono::milliseconds timeout = std::chrono::seconds(60));

 private:
  void start(const std::string& name, const Environment& environment);
  Process& process(const std::string& name);
  std::string faults_armed_by() const { return folder_ + "/faults-armed"; }
  // The job recovers from the end of a daemon that a sanitizer has ended: only its log tells.
  void expect_no_sanitizer_reports() const;
  [[noreturn]] void fail(const std::string& message);

  std::string folder_;
  int rpc_port_;
  int rest_port_;
  const HostNetwork* const hosts_;
  int taskmanagers_started_ = 0;
  std::map<std::string, std::unique_ptr<Process>> processes_;
};

}  // namespace weir::cluster_test
