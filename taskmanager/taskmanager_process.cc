#include "taskmanager/taskmanager_process.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "api/library/job_library.h"
#include "common/config_options.h"
#include "common/log.h"
#include "common/mutex.h"
#include "common/rpc/channel.h"
#include "common/status.h"
#include "proto/control.pb.h"
#include "taskmanager/network/network_environment.h"
#include "taskmanager/server/jobmanager_link.h"
#include "taskmanager/server/library_cache.h"
#include "taskmanager/server/library_download.h"
#include "taskmanager/server/task_executor.h"
#include "taskmanager/state/keyed_state_backends.h"
#include "taskmanager/state/state_folder.h"
#include "weir/error.h"

namespace weir {
namespace {

// EX_SOFTWARE: a supervisor starts the process again.
constexpr int kExitCodeStuck = 70;

uint64_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  uint64_t size_pages = 0;
  uint64_t resident_pages = 0;
  statm >> size_pages >> resident_pages;
  return resident_pages * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::string new_id(const Config& config) {
  std::string name = config.get(options::kTaskManagerResourceId);
  if (name.empty()) name = absl::StrCat(config.get(options::kTaskManagerHost), ":", ::getpid());
  return fmt::format("{}-{:04x}", name, std::random_device()() & 0xffff);
}

std::string temporary_folder(const Config& config) {
  const std::string folders = config.get(options::kTemporaryFolders);
  return folders.substr(0, folders.find_first_of(",:"));
}

std::string library_folder(const Config& config) {
  return absl::StrCat(temporary_folder(config), "/weir-libraries-", ::getuid());
}

size_t managed_bytes(const Config& config) {
  const int64_t size = config.get(options::kManagedMemory).bytes;
  if (size > 0) return static_cast<size_t>(size);
  return static_cast<size_t>(static_cast<double>(config.get(options::kTaskManagerMemory).bytes) *
                             config.get(options::kManagedMemoryFraction));
}

KeyedStateBackends::Memory state_memory(const Config& config) {
  const auto process_bytes = static_cast<size_t>(config.get(options::kTaskManagerMemory).bytes);
  const auto network_bytes =
      static_cast<size_t>(NetworkEnvironment::Options::of(config).memory_bytes);
  return {.managed_bytes = managed_bytes(config),
          .slots = static_cast<int>(config.get(options::kTaskSlots)),
          .hashmap_bytes = HashMapMemory::limit_of(process_bytes, network_bytes)};
}

[[noreturn]] void end_stuck_process(const std::string& name) {
  WEIR_LOG_ERROR({}, "ending this process: '{}' didn't end within task.cancellation.timeout", name);
  std::fprintf(stderr, "weir-taskmanager: '%s' didn't end within task.cancellation.timeout\n",
               name.c_str());
  std::_Exit(kExitCodeStuck);
}

}  // namespace

class TaskManagerProcess::Parts {
 public:
  Parts(const Config& config, std::string id, std::unique_ptr<NetworkEnvironment> network,
        std::unique_ptr<StateFolder> state_folder, OnRegistered on_registered)
      : id_(std::move(id)),
        host_(config.get(options::kTaskManagerHost)),
        slots_(static_cast<int>(config.get(options::kTaskSlots))),
        address_(absl::StrCat(config.get(options::kJobManagerRpcAddress), ":",
                              config.get(options::kJobManagerRpcPort))),
        on_registered_(std::move(on_registered)),
        channel_(rpc::make_channel(address_)),
        network_(std::move(network)),
        state_folder_(std::move(state_folder)),
        state_backends_(state_folder_->path(), state_memory(config)),
        download_(channel_),
        libraries_(library_folder(config),
                   [this](const std::string& sha256, const std::string& path) {
                     return download_.fetch(sha256, path);
                   }),
        link_(link_options()),
        executor_(executor_options(config)) {
    mailbox_.post([this] { link_.connect(); });
    mailbox_.start();
  }

  ~Parts() { shutdown(); }

  const std::string& id() const { return id_; }

  bool wait_until_registered(std::chrono::milliseconds timeout) {
    const MonotonicTime deadline = SystemClock::instance().now() + timeout;
    MutexLock lock(mutex_);
    while (!registered_ && changed_.wait_until(mutex_, deadline)) {
    }
    return registered_;
  }

  void shutdown() {
    download_.cancel();
    const bool running = mailbox_.post([this] {
      shutting_down_ = true;
      executor_.cancel_all([this] {
        link_.close();
        MutexLock lock(mutex_);
        ended_ = true;
        changed_.notify_all();
      });
    });
    if (!running) return;
    {
      MutexLock lock(mutex_);
      while (!ended_) changed_.wait(mutex_);
    }
    mailbox_.shutdown(Mailbox::Pending::kDrop);
  }

 private:
  JobManagerLink::Options link_options() {
    return {.mailbox = &mailbox_,
            .channel = channel_,
            .address = address_,
            .fill_in_registration =
                [this](pb::RegisterTaskManager& registration) {
                  registration.set_taskmanager_id(id_);
                  registration.set_host(host_);
                  registration.set_slots(slots_);
                  registration.set_pid(::getpid());
                  registration.set_abi_stamp(abi_stamp());
                  registration.set_data_port(network_->port());
                },
            .fill_in_heartbeat =
                [this](pb::HeartbeatFromTaskManager& heartbeat) {
                  executor_.add_metrics(heartbeat);
                  heartbeat.set_memory_bytes(resident_bytes());
                },
            .on_registered = [this] { on_registered(); },
            .on_message = [this](const pb::ToTaskManager& message) { executor_.handle(message); },
            .on_lost =
                [this](std::function<void()> then) {
                  {
                    MutexLock lock(mutex_);
                    registered_ = false;
                  }
                  if (shutting_down_) return;  // everything is being cancelled already
                  executor_.cancel_all(std::move(then));
                }};
  }

  TaskExecutor::Options executor_options(const Config& config) {
    return {.mailbox = &mailbox_,
            .sender = &link_,
            .network = network_.get(),
            .state_backends = &state_backends_,
            .find_graph =
                [this](const pb::JobGraph& graph,
                       std::function<void(absl::StatusOr<TaskExecutor::GraphBuilder>)> callback) {
                  find_graph(graph, std::move(callback));
                },
            .slots = slots_,
            .cancellation_timeout = config.get(options::kTaskCancellationTimeout),
            .on_stuck = end_stuck_process};
  }

  // The library comes once; the entry point is called by whoever needs a graph, on its own thread.
  void find_graph(const pb::JobGraph& graph,
                  std::function<void(absl::StatusOr<TaskExecutor::GraphBuilder>)> callback) {
    std::vector<std::string> arguments(graph.arguments().begin(), graph.arguments().end());
    libraries_.get(graph.library_sha256(), graph.library_name(),
                   [callback = std::move(callback), arguments = std::move(arguments),
                    fingerprint = graph.fingerprint()](auto library) {
                     if (!library.ok()) {
                       callback(library.status());
                       return;
                     }
                     callback([library = *std::move(library), arguments, fingerprint] {
                       auto built = library->build(arguments, fingerprint);
                       if (!built.ok()) throw FatalError(std::string(built.status().message()));
                       return *std::move(built);
                     });
                   });
  }

  void on_registered() {
    on_registered_(absl::StrCat("TaskManager ", id_, " registered at ", address_, " with ", slots_,
                                slots_ == 1 ? " slot" : " slots"));
    MutexLock lock(mutex_);
    registered_ = true;
    changed_.notify_all();
  }

  const std::string id_;
  const std::string host_;
  const int slots_;
  const std::string address_;
  const OnRegistered on_registered_;
  const std::shared_ptr<grpc::Channel> channel_;

  bool shutting_down_ = false;  // the mailbox's thread only
  Mutex mutex_;
  CondVar changed_;
  bool registered_ WEIR_GUARDED_BY(mutex_) = false;
  bool ended_ WEIR_GUARDED_BY(mutex_) = false;

  // Each outlives what stands below it; the mailbox is shut down before any of them goes.
  const std::unique_ptr<NetworkEnvironment> network_;
  const std::unique_ptr<StateFolder> state_folder_;
  KeyedStateBackends state_backends_;
  Mailbox mailbox_{{.name = "taskmanager"}};
  LibraryDownload download_;
  LibraryCache libraries_;
  JobManagerLink link_;
  TaskExecutor executor_;
};

absl::StatusOr<std::unique_ptr<TaskManagerProcess>> TaskManagerProcess::start(
    const Config& config, OnRegistered on_registered) {
  if (config.get(options::kJobManagerRpcPort) == 0) {
    return absl::InvalidArgumentError(
        "jobmanager.rpc.port is 0: name the port that the JobManager listens on");
  }
  WEIR_ASSIGN_OR_RETURN(auto network,
                        NetworkEnvironment::start(NetworkEnvironment::Options::of(config)));
  std::string id = new_id(config);
  WEIR_ASSIGN_OR_RETURN(auto state_folder, StateFolder::create(temporary_folder(config), id));
  return std::unique_ptr<TaskManagerProcess>(new TaskManagerProcess(
      std::make_unique<Parts>(config, std::move(id), std::move(network), std::move(state_folder),
                              std::move(on_registered))));
}

TaskManagerProcess::TaskManagerProcess(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

TaskManagerProcess::~TaskManagerProcess() = default;

const std::string& TaskManagerProcess::id() const {
  return parts_->id();
}

bool TaskManagerProcess::wait_until_registered(std::chrono::milliseconds timeout) {
  return parts_->wait_until_registered(timeout);
}

void TaskManagerProcess::shutdown() {
  parts_->shutdown();
}

}  // namespace weir
