#include "jobmanager/jobmanager_process.h"

#include <unistd.h>

#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "common/clock.h"
#include "common/config_options.h"
#include "common/log.h"
#include "common/rpc/server.h"
#include "common/status.h"
#include "jobmanager/job/dispatcher.h"
#include "jobmanager/metadata/file_metadata_store.h"
#include "jobmanager/rest/rest_server.h"
#include "jobmanager/server/client_service.h"
#include "jobmanager/server/taskmanager_service.h"

namespace weir {

namespace {

absl::StatusOr<std::string> storage_folder(const Config& config) {
  if (config.get(options::kHighAvailability) != "none") {
    return absl::UnimplementedError(
        "high-availability.type: only 'none', a local folder, is there yet");
  }
  std::string folder = config.get(options::kHighAvailabilityFolder);
  if (folder.empty()) {
    const std::string folders = config.get(options::kTemporaryFolders);
    folder = absl::StrCat(folders.substr(0, folders.find_first_of(",:")), "/weir-", ::getuid());
  }
  if (absl::StartsWith(folder, "file://")) folder = folder.substr(7);
  if (!absl::StartsWith(folder, "/")) {
    return absl::InvalidArgumentError(
        absl::StrCat("high-availability.storageDir: '", folder, "' isn't an absolute path"));
  }
  // One folder may serve several clusters.
  const std::string cluster = config.get(options::kClusterId);
  if (config.contains(options::kClusterId) && cluster != "/default") {
    absl::StrAppend(&folder, "/",
                    absl::StrReplaceAll(absl::StripPrefix(cluster, "/"), {{"/", "_"}}));
  }
  return folder;
}

}  // namespace

// In the order of their making; they end in the reverse order.
struct JobManagerProcess::Parts {
  std::unique_ptr<FileMetadataStore> store;
  std::unique_ptr<Dispatcher> dispatcher;
  std::unique_ptr<TaskManagerService> taskmanager_service;
  std::unique_ptr<ClientService> client_service;
  std::unique_ptr<rpc::Server> rpc_server;
  std::unique_ptr<RestServer> rest_server;
};

JobManagerProcess::JobManagerProcess(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

JobManagerProcess::~JobManagerProcess() {
  shutdown();
}

absl::StatusOr<std::unique_ptr<JobManagerProcess>> JobManagerProcess::start(const Config& config) {
  auto parts = std::make_unique<Parts>();
  WEIR_ASSIGN_OR_RETURN(const std::string folder, storage_folder(config));
  WEIR_ASSIGN_OR_RETURN(parts->store, FileMetadataStore::open(folder));
  const auto make_mailbox = [](const std::string& name) {
    auto mailbox = std::make_shared<Mailbox>(Mailbox::Options{.name = name, .wakeup = {}});
    mailbox->start();
    return mailbox;
  };
  parts->dispatcher =
      std::make_unique<Dispatcher>(config, *parts->store, SystemClock::instance(), make_mailbox,
                                   absl::StrCat(folder, "/checkpoints"));
  parts->taskmanager_service = std::make_unique<TaskManagerService>(*parts->dispatcher);
  parts->client_service = std::make_unique<ClientService>(*parts->dispatcher);
  // Jobs are there before anybody can ask for them.
  WEIR_RETURN_IF_ERROR(parts->dispatcher->start());
  rpc::ServerOptions server;
  server.host = config.get(options::kJobManagerBindHost);
  server.port = static_cast<int>(config.get(options::kJobManagerRpcPort));
  WEIR_ASSIGN_OR_RETURN(
      parts->rpc_server,
      rpc::Server::start(server, {parts->taskmanager_service.get(), parts->client_service.get()}));
  WEIR_ASSIGN_OR_RETURN(parts->rest_server,
                        RestServer::start(config.get(options::kRestBindAddress),
                                          static_cast<int>(config.get(options::kRestPort)),
                                          *parts->dispatcher, config.shown_values()));
  WEIR_LOG_INFO(LogContext{}, "leads with epoch {}, state in {}", parts->store->leader_epoch(),
                folder);
  return std::unique_ptr<JobManagerProcess>(new JobManagerProcess(std::move(parts)));
}

int JobManagerProcess::rpc_port() const {
  return parts_->rpc_server->port();
}
int JobManagerProcess::rest_port() const {
  return parts_->rest_server->port();
}

void JobManagerProcess::shutdown() {
  if (parts_ == nullptr) return;
  parts_->rest_server.reset();
  parts_->dispatcher->shutdown();  // answers every call that waits
  parts_->rpc_server->shutdown(std::chrono::milliseconds(200));
  parts_.reset();
}

}  // namespace weir
