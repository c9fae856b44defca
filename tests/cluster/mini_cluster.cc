#include "tests/cluster/mini_cluster.h"

#include <gtest/gtest.h>
#include <httplib.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace weir::cluster_test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

const char kJobManager[] = "jobmanager-1";

std::string program(const std::string& name) {
  return WEIR_BINARY_DIR "/bin/" + name;
}

void write_configuration(const std::string& folder,
                         const std::map<std::string, std::string>& config) {
  std::filesystem::create_directories(folder);
  std::ofstream file(folder + "/weir.yaml");
  for (const auto& [key, value] : config) file << key << ": " << nlohmann::json(value) << "\n";
}

}  // namespace

MiniCluster::MiniCluster(MiniClusterOptions options)
    : folder_(make_temporary_folder("weir-cluster")),
      rpc_port_(free_port()),
      rest_port_(free_port()),
      hosts_(options.hosts) {
  const std::string jobmanager_host = hosts_ ? hosts_->address("jobmanager") : "127.0.0.1";
  std::map<std::string, std::string> config = {
      {"jobmanager.rpc.address", jobmanager_host},
      {"jobmanager.bind-host", jobmanager_host},
      {"jobmanager.rpc.port", std::to_string(rpc_port_)},
      {"rest.port", std::to_string(rest_port_)},
      {"taskmanager.numberOfTaskSlots", std::to_string(options.slots)},
      {"execution.checkpointing.dir", "file://" + checkpoints_folder()},
      {"execution.checkpointing.savepoint-dir", "file://" + savepoints_folder()},
      {"high-availability.storageDir", "file://" + metadata_folder()},
  };
  for (const auto& [key, value] : options.config) config[key] = value;
  write_configuration(folder_ + "/conf", config);
  std::filesystem::create_directories(folder_ + "/log");
  if (options.faults_armed) arm_faults();

  start(kJobManager, options.environment[kJobManager]);
  for (int i = 1; i <= options.taskmanagers; ++i) {
    add_taskmanager(options.environment["taskmanager-" + std::to_string(i)]);
  }
  wait_until("all TaskManagers to register",
             [&] { return registered_taskmanagers() == options.taskmanagers; });
}

MiniCluster::~MiniCluster() {
  processes_.clear();
  expect_no_sanitizer_reports();
  if (::testing::Test::HasFailure() || std::uncaught_exceptions() > 0) {
    std::cerr << "the cluster's logs are kept in " << folder_ << "/log\n";
    return;
  }
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void MiniCluster::start(const std::string& name, const Environment& environment) {
  Environment all = environment;
  all["WEIR_FAULT_LOG"] = folder_ + "/log/" + name + ".faults";
  all["WEIR_FAULT_ARMED_BY"] = faults_armed_by();
  const std::string daemon = name.substr(0, name.rfind('-'));
  std::string temporary = folder_ + "/tmp/" + name;
  std::filesystem::create_directories(temporary);
  std::vector<std::string> command = {program("weir-" + daemon), "-c", folder_ + "/conf",
                                      "-Dio.tmp.dirs=" + temporary};
  if (hosts_ && name != kJobManager) {
    const std::string host = "host" + name.substr(name.rfind('-'));
    command.push_back("-Dtaskmanager.host=" + hosts_->address(host));
    command.push_back("-Dtaskmanager.bind-host=" + hosts_->address(host));
    command = hosts_->on(host, command);
  }
  processes_.erase(name);
  processes_[name] = std::make_unique<Process>(command, all, folder_ + "/log/" + name + ".log");
}

Process& MiniCluster::process(const std::string& name) {
  auto found = processes_.find(name);
  if (found == processes_.end()) throw std::runtime_error("no process " + name + " in the cluster");
  return *found->second;
}

void MiniCluster::kill(const std::string& name) {
  process(name).kill();
}
void MiniCluster::pause(const std::string& name) {
  process(name).signal(SIGSTOP);
}
void MiniCluster::resume(const std::string& name) {
  process(name).signal(SIGCONT);
}
pid_t MiniCluster::pid(const std::string& name) {
  return process(name).pid();
}
bool MiniCluster::running(const std::string& name) {
  return process(name).running();
}

void MiniCluster::restart(const std::string& name, const Environment& environment) {
  process(name).kill();
  start(name, environment);
}

std::string MiniCluster::add_taskmanager(const Environment& environment) {
  std::string name = "taskmanager-" + std::to_string(++taskmanagers_started_);
  start(name, environment);
  return name;
}

ExitStatus MiniCluster::wait_for_exit(const std::string& name, milliseconds timeout) {
  std::optional<ExitStatus> status = process(name).wait(timeout);
  if (!status) fail(name + " still runs, expected it to end");
  return *status;
}

std::string MiniCluster::log(const std::string& name) {
  std::ifstream file(folder_ + "/log/" + name + ".log");
  return {std::istreambuf_iterator<char>(file), {}};
}

void MiniCluster::arm_faults() {
  std::ofstream(faults_armed_by()).flush();
}

std::vector<std::string> MiniCluster::faults_hit(const std::string& name) {
  std::ifstream file(folder_ + "/log/" + name + ".faults");
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

CommandResult MiniCluster::weir(const std::vector<std::string>& arguments, milliseconds timeout) {
  std::vector<std::string> command = {program("weir")};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return run_command(command, {{"WEIR_CONF_DIR", folder_ + "/conf"}}, timeout);
}

std::string MiniCluster::submit(const std::string& library,
                                const std::vector<std::string>& arguments,
                                const std::vector<std::string>& flags) {
  std::vector<std::string> command = {"run", "-d"};
  command.insert(command.end(), flags.begin(), flags.end());
  command.push_back(WEIR_BINARY_DIR "/" + library + ".so");
  command.insert(command.end(), arguments.begin(), arguments.end());
  CommandResult result = weir(command);
  std::smatch found;
  if (result.exit_code != 0 ||
      !std::regex_search(result.output, found, std::regex("with JobID ([0-9a-f]{32})"))) {
    fail("weir run " + library + " → exit code " + std::to_string(result.exit_code) + ": " +
         result.errors + result.output);
  }
  return found[1];
}

nlohmann::json MiniCluster::rest(const std::string& path) {
  httplib::Client client("127.0.0.1", rest_port_);
  client.set_connection_timeout(seconds(2));
  client.set_read_timeout(seconds(10));
  httplib::Result answer = client.Get("/v1" + path);
  if (!answer) throw std::runtime_error("GET " + path + ": " + httplib::to_string(answer.error()));
  if (answer->status != 200) {
    throw std::runtime_error("GET " + path + ": " + std::to_string(answer->status) + " " +
                             answer->body);
  }
  return nlohmann::json::parse(answer->body);
}

std::string MiniCluster::job_state(const std::string& job) {
  return rest("/jobs/" + job)["state"];
}

int MiniCluster::completed_checkpoints(const std::string& job) {
  return rest("/jobs/" + job + "/checkpoints")["counts"]["completed"];
}

int MiniCluster::registered_taskmanagers() {
  return rest("/overview")["taskmanagers"];
}

void MiniCluster::expect_no_sanitizer_reports() const {
  for (const auto& entry : std::filesystem::directory_iterator(folder_ + "/log")) {
    EXPECT_EQ(sanitizer_report(entry.path()), "") << entry.path();
  }
}

void MiniCluster::wait_until(const std::string& what, const std::function<bool()>& condition,
                             milliseconds timeout) {
  std::string last_error;
  for (auto deadline = steady_clock::now() + timeout; steady_clock::now() < deadline;) {
    try {
      if (condition()) return;
      last_error.clear();
    } catch (const std::exception& error) {
      last_error = std::string(" (") + error.what() + ")";
    }
    std::this_thread::sleep_for(milliseconds(20));
  }
  fail("waited " + std::to_string(timeout.count()) + " ms for " + what + last_error);
}

void MiniCluster::fail(const std::string& message) {
  std::string text = message + "\n";
  for (const auto& [name, process] : processes_) {
    text += name + (process->running() ? " runs" : " has ended") + "\n" +
            tail(folder_ + "/log/" + name + ".log");
  }
  throw std::runtime_error(text);
}

}  // namespace weir::cluster_test
