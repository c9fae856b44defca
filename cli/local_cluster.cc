#include "cli/local_cluster.h"

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/config_options.h"
#include "common/log.h"
#include "common/status.h"
#include "jobmanager/jobmanager_process.h"
#include "taskmanager/taskmanager_process.h"

namespace weir::cli {

namespace {

constexpr std::chrono::seconds kRegistrationTimeout{20};

absl::StatusOr<std::string> make_temporary_folder() {
  std::string path = (std::filesystem::temp_directory_path() / "weir-local-XXXXXX").string();
  if (mkdtemp(path.data()) == nullptr) {
    return absl::UnavailableError(absl::StrCat("can't create a folder ", path));
  }
  return path;
}

}  // namespace

struct LocalCluster::Processes {
  std::string folder;
  std::string jobmanager_address;
  std::string rest_address;
  std::unique_ptr<JobManagerProcess> jobmanager;
  std::unique_ptr<TaskManagerProcess> taskmanager;

  ~Processes() {
    if (taskmanager != nullptr) taskmanager->shutdown();
    if (jobmanager != nullptr) jobmanager->shutdown();
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }
};

LocalCluster::LocalCluster(std::unique_ptr<Processes> processes)
    : processes_(std::move(processes)) {}

LocalCluster::~LocalCluster() = default;

const std::string& LocalCluster::jobmanager_address() const {
  return processes_->jobmanager_address;
}

const std::string& LocalCluster::rest_address() const {
  return processes_->rest_address;
}

absl::StatusOr<std::unique_ptr<LocalCluster>> LocalCluster::start(const Config& config, int slots) {
  auto processes = std::make_unique<Processes>();
  WEIR_ASSIGN_OR_RETURN(processes->folder, make_temporary_folder());
  const std::string& folder = processes->folder;
  // What the job prints stands on stdout; the cluster's own lines stay out of the way.
  WEIR_RETURN_IF_ERROR(log_init({.level = LogLevel::kWarn, .path = folder + "/weir.log"}));

  Config local = config;
  std::vector<std::string> assignments = {
      "jobmanager.rpc.address=127.0.0.1",
      "jobmanager.bind-host=127.0.0.1",
      "jobmanager.rpc.port=0",
      "rest.port=0",
      "rest.bind-address=127.0.0.1",
      absl::StrCat("io.tmp.dirs=", folder, "/tmp"),
      absl::StrCat("high-availability.storageDir=", folder, "/ha"),
      absl::StrCat("taskmanager.numberOfTaskSlots=", slots)};
  if (!config.contains(options::kCheckpointFolder)) {
    assignments.push_back(
        absl::StrCat("execution.checkpointing.dir=file://", folder, "/checkpoints"));
  }
  for (const std::string& assignment : assignments) {
    WEIR_RETURN_IF_ERROR(local.add_override(assignment));
  }
  WEIR_ASSIGN_OR_RETURN(processes->jobmanager, JobManagerProcess::start(local));
  processes->jobmanager_address = absl::StrCat("127.0.0.1:", processes->jobmanager->rpc_port());
  processes->rest_address = absl::StrCat("127.0.0.1:", processes->jobmanager->rest_port());
  WEIR_RETURN_IF_ERROR(
      local.add_override(absl::StrCat("jobmanager.rpc.port=", processes->jobmanager->rpc_port())));
  WEIR_ASSIGN_OR_RETURN(processes->taskmanager,
                        TaskManagerProcess::start(local, [](const std::string&) {}));
  if (!processes->taskmanager->wait_until_registered(kRegistrationTimeout)) {
    return absl::DeadlineExceededError("the local cluster's TaskManager didn't register in time");
  }
  return std::unique_ptr<LocalCluster>(new LocalCluster(std::move(processes)));
}

}  // namespace weir::cli
