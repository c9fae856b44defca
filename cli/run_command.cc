#include "cli/run_command.h"

#include <fmt/core.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "api/library/convert.h"
#include "api/library/job_library.h"
#include "cli/jobmanager_client.h"
#include "cli/local_cluster.h"
#include "cli/print.h"
#include "cli/session.h"
#include "common/config.h"
#include "common/config_options.h"
#include "common/status.h"
#include "proto/job_graph.pb.h"

namespace weir::cli {

namespace {

// How long `run` waits for a JobManager that went away.
constexpr absl::Duration kPatience = absl::Minutes(5);
// How long `run -d` waits for slots.
constexpr absl::Duration kSlotsPatience = absl::Seconds(2);

constexpr const char* kJobKeyPrefixes[] = {
    "execution.", "pipeline.", "restart-strategy.", "sink.", "slot.request.timeout",
    "state.",     "task."};

bool concerns_jobs(const std::string& key) {
  return std::any_of(std::begin(kJobKeyPrefixes), std::end(kJobKeyPrefixes),
                     [&key](const char* prefix) { return absl::StartsWith(key, prefix); });
}

// What the client's configuration says about jobs; the rest is about daemons.
std::map<std::string, std::string> job_configuration(const Config& config) {
  std::map<std::string, std::string> result;
  for (const auto& [key, value] : config.values()) {
    if (concerns_jobs(key)) result[key] = value;
  }
  return result;
}

// A cluster that runs already doesn't see what a client sets of daemons by -D.
absl::Status refuse_keys_of_daemons(const ClientOptions& client) {
  Config given;
  for (const std::string& assignment : client.dynamic_properties) {
    WEIR_RETURN_IF_ERROR(given.add_override(assignment));
  }
  const std::string of_clients[] = {options::kJobManagerRpcAddress.key,
                                    options::kJobManagerRpcPort.key, options::kParallelism.key};
  for (const auto& [key, value] : given.values()) {
    if (concerns_jobs(key) || std::ranges::count(of_clients, key) > 0) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "-D", key,
        " is for JobManager and TaskManagers, not for a job: set it in their weir.yaml, or by -D "
        "where they are started"));
  }
  return absl::OkStatus();
}

struct Job {
  std::shared_ptr<const JobLibrary> library;
  pb::JobGraph graph;
};

absl::StatusOr<Job> build_job(const Config& config, const RunOptions& run) {
  Job job;
  WEIR_ASSIGN_OR_RETURN(job.library, JobLibrary::load(run.library));
  WEIR_ASSIGN_OR_RETURN(const StreamGraph graph, job.library->build(run.arguments));
  for (const StreamNode& node : graph.nodes) {
    if (!node.caveat.empty()) fmt::print(stderr, "Note on '{}': {}.\n", node.name, node.caveat);
  }
  Config checked;
  for (const auto& [key, value] : graph.configuration) {
    if (absl::Status status = checked.set(key, value); !status.ok()) {
      return Annotate(status, absl::StrCat("set by the code of ", job.library->name()));
    }
  }
  const int parallelism =
      run.parallelism > 0 ? run.parallelism : static_cast<int>(config.get(options::kParallelism));
  job.graph = to_proto(graph, parallelism, job_configuration(config), run.arguments);
  job.graph.set_library_sha256(job.library->sha256());
  job.graph.set_library_name(job.library->name());
  if (job.graph.name().empty()) {
    job.graph.set_name(std::filesystem::path(job.library->name()).stem().string());
  }
  job.graph.set_allow_non_restored_state(run.allow_non_restored_state);
  return job;
}

int parallelism_max(const pb::JobGraph& graph) {
  int result = 1;
  for (const pb::JobGraph::Node& node : graph.nodes())
    result = std::max(result, node.parallelism());
  return result;
}

absl::StatusOr<std::string> submit(JobManagerClient& client, const Job& job,
                                   const RunOptions& run) {
  WEIR_RETURN_IF_ERROR(client.upload_library(run.library, job.library->sha256()));
  pb::SubmitJobRequest request;
  *request.mutable_graph() = job.graph;
  request.set_savepoint_path(run.savepoint_path);
  request.set_abi_stamp(job.library->abi_stamp());
  WEIR_ASSIGN_OR_RETURN(pb::SubmitJobResponse response, client.submit(request));
  return response.job_id();
}

// Says on a terminal how the job fares, a line per change.
void show_change(const pb::JobStatus& status) {
  if (isatty(STDERR_FILENO) == 0) return;
  std::string line = fmt::format("[attempt {}] {}", status.attempt(), status.state());
  if (!status.detail().empty()) absl::StrAppend(&line, ": ", status.detail());
  if (status.state() == "RESTARTING" && status.has_last_fault()) {
    absl::StrAppend(&line, " after ", status.last_fault().cause());
  }
  fmt::print(stderr, "{}\n", line);
}

absl::Status failure_of(const pb::JobStatus& status) {
  const pb::Fault& cause = status.has_first_fault() ? status.first_fault() : status.last_fault();
  return absl::AbortedError(fmt::format("the job failed. First fault, in attempt {}, {}: {}",
                                        cause.attempt(), cause.where(), cause.cause()));
}

bool waits_for_slots(const pb::JobStatus& status) {
  return absl::StartsWith(status.detail(), "waiting for slots");
}

// Until it runs or has failed. A job that waits for slots may do so for long: it is left alone
// after a while, in which those of a job that has just ended come free.
absl::Status wait_for_start(JobManagerClient& client, const std::string& job_id) {
  std::optional<pb::JobStatus> last;
  absl::Status watched;
  do {
    last.reset();
    watched = client.watch(
        job_id, kPatience,
        [&](const pb::JobStatus& status) {
          last = status;
          return status.state() != "RUNNING" && status.state() != "RESTARTING";
        },
        absl::Now() + kSlotsPatience);
  } while (absl::IsDeadlineExceeded(watched) && last && !waits_for_slots(*last));
  if (!last || !(watched.ok() || absl::IsDeadlineExceeded(watched))) return watched;
  if (last->state() == "FAILED") return failure_of(*last);
  if (waits_for_slots(*last)) fmt::print(stderr, "It is {}.\n", last->detail());
  return absl::OkStatus();
}

absl::Status wait_for_end(JobManagerClient& client, const std::string& job_id) {
  pb::JobStatus last;
  std::string shown;
  WEIR_RETURN_IF_ERROR(client.watch(job_id, kPatience, [&](const pb::JobStatus& status) {
    const std::string change = absl::StrCat(status.state(), status.attempt(), status.detail());
    if (change != shown) show_change(status);
    shown = change;
    last = status;
    return true;
  }));
  if (last.state() == "FAILED") return failure_of(last);
  fmt::print("Job {} {}.\n", job_id, last.state() == "CANCELED" ? "was cancelled" : "has finished");
  return absl::OkStatus();
}

// While it lives, Ctrl-C and SIGTERM don't end the process but call `on_signal` once.
class SignalWatch {
 public:
  // REQUIRES: blocked() was called before any other thread was started.
  explicit SignalWatch(std::function<void()> on_signal)
      : thread_([this, on_signal = std::move(on_signal)] {
          const sigset_t signals = watched();
          const timespec patience{.tv_sec = 0, .tv_nsec = 100'000'000};
          while (!ended_) {
            if (sigtimedwait(&signals, nullptr, &patience) > 0) return on_signal();
          }
        }) {}
  ~SignalWatch() {
    ended_ = true;
    thread_.join();
  }

  static void block() {
    const sigset_t signals = watched();
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  }

 private:
  static sigset_t watched() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    return signals;
  }

  std::atomic<bool> ended_{false};
  std::thread thread_;
};

absl::Status run_locally(const Config& config, const Job& job, const RunOptions& run) {
  SignalWatch::block();
  WEIR_ASSIGN_OR_RETURN(auto cluster, LocalCluster::start(config, parallelism_max(job.graph)));
  if (isatty(STDERR_FILENO) != 0) {
    fmt::print(stderr, "A local cluster for this job: REST at http://{}; Ctrl-C cancels the job.\n",
               cluster->rest_address());
  }
  JobManagerClient client(cluster->jobmanager_address());
  WEIR_ASSIGN_OR_RETURN(const std::string job_id, submit(client, job, run));
  fmt::print("Job has been submitted with JobID {}\n", job_id);
  std::fflush(stdout);
  SignalWatch on_interrupt(
      [&] { JobManagerClient(cluster->jobmanager_address()).cancel(job_id).IgnoreError(); });
  return wait_for_end(client, job_id);
}

}  // namespace

absl::Status run_job(const ClientOptions& options, const RunOptions& run) {
  WEIR_ASSIGN_OR_RETURN(const Config config,
                        Config::load(options.conf_dir, options.dynamic_properties));
  if (std::find(run.arguments.begin(), run.arguments.end(), "--help") != run.arguments.end()) {
    WEIR_ASSIGN_OR_RETURN(auto library, JobLibrary::load(run.library));
    WEIR_ASSIGN_OR_RETURN(const std::string usage, library->usage({}));
    fmt::print("weir run {} [arguments]\n{}", run.library, usage);
    return absl::OkStatus();
  }
  if (run.target != "local") WEIR_RETURN_IF_ERROR(refuse_keys_of_daemons(options));
  WEIR_ASSIGN_OR_RETURN(const Job job, build_job(config, run));
  if (run.target == "local") return run_locally(config, job, run);

  WEIR_ASSIGN_OR_RETURN(const std::string address, jobmanager_address(options));
  JobManagerClient client(address);
  WEIR_ASSIGN_OR_RETURN(const std::string job_id, submit(client, job, run));
  fmt::print("Job has been submitted with JobID {}\n", job_id);
  std::fflush(stdout);
  return run.detached ? wait_for_start(client, job_id) : wait_for_end(client, job_id);
}

absl::Status show_plan(const ClientOptions& options, const RunOptions& run) {
  WEIR_ASSIGN_OR_RETURN(const Config config,
                        Config::load(options.conf_dir, options.dynamic_properties));
  WEIR_ASSIGN_OR_RETURN(const Job job, build_job(config, run));
  if (options.json) {
    print_json(job.graph);
    return absl::OkStatus();
  }
  std::vector<std::vector<std::string>> rows = {{"NODE", "UID", "PARALLELISM", "INPUTS"}};
  for (const pb::JobGraph::Node& node : job.graph.nodes()) {
    std::string inputs;
    for (const pb::JobGraph::Edge& edge : node.edges()) {
      absl::StrAppend(&inputs, inputs.empty() ? "" : ", ", job.graph.nodes(edge.from()).uid());
    }
    rows.push_back({node.name(), node.uid(), absl::StrCat(node.parallelism()), inputs});
  }
  fmt::print("{}\n", job.graph.name());
  print_table(rows);
  for (const auto& [key, value] : job.graph.configuration()) {
    fmt::print("  {}: {}\n", key, is_secret_key(key) ? "******" : value);
  }
  return absl::OkStatus();
}

}  // namespace weir::cli
