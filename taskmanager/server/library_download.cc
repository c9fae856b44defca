#include "taskmanager/server/library_download.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <chrono>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/rpc/status_conversion.h"
#include "common/status.h"
#include "proto/jobmanager_service.grpc.pb.h"

namespace weir {
namespace {

constexpr std::chrono::seconds kDeadline(120);

}  // namespace

LibraryDownload::LibraryDownload(std::shared_ptr<grpc::Channel> channel)
    : channel_(std::move(channel)) {}

absl::Status LibraryDownload::fetch(const std::string& sha256, const std::string& path) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  if (!file) return absl::UnavailableError(absl::StrCat("can't write ", path, "; see io.tmp.dirs"));
  const auto stub = pb::TaskManagerGateway::NewStub(channel_);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kDeadline);
  {
    MutexLock lock(mutex_);
    if (cancelled_) return absl::CancelledError("the TaskManager is ending");
    running_ = &context;
  }
  pb::LibraryRequest request;
  request.set_sha256(sha256);
  const auto reader = stub->FetchLibrary(&context, request);
  pb::LibraryChunk chunk;
  while (reader->Read(&chunk)) file << chunk.data();
  const grpc::Status status = reader->Finish();
  {
    MutexLock lock(mutex_);
    running_ = nullptr;
  }
  if (!status.ok()) {
    return absl::UnavailableError(absl::StrCat("can't fetch the job library ", sha256,
                                               " from the JobManager: ", status.error_message()));
  }
  file.close();
  if (!file) {
    return absl::ResourceExhaustedError(absl::StrCat("can't write ", path, "; is the disk full?"));
  }
  return absl::OkStatus();
}

void LibraryDownload::cancel() {
  MutexLock lock(mutex_);
  cancelled_ = true;
  if (running_ != nullptr) running_->TryCancel();
}

}  // namespace weir
