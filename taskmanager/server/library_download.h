#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "common/mutex.h"

namespace grpc {
class Channel;
class ClientContext;
}  // namespace grpc

namespace weir {

// Fetches job libraries from the JobManager, in chunks. Blocking; cancel() from any thread.
class LibraryDownload {
 public:
  explicit LibraryDownload(std::shared_ptr<grpc::Channel> channel);
  LibraryDownload(const LibraryDownload&) = delete;
  LibraryDownload& operator=(const LibraryDownload&) = delete;

  absl::Status fetch(const std::string& sha256, const std::string& path);
  // Ends a fetch that is under way, and every later one.
  void cancel();

 private:
  const std::shared_ptr<grpc::Channel> channel_;
  Mutex mutex_;
  bool cancelled_ WEIR_GUARDED_BY(mutex_) = false;
  grpc::ClientContext* running_ WEIR_GUARDED_BY(mutex_) = nullptr;
};

}  // namespace weir
