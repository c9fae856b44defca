#pragma once

#include <atomic>
#include <cstdint>

#include "jobmanager/job/dispatcher.h"
#include "proto/jobmanager_service.grpc.pb.h"

namespace weir {

// The TaskManagers' streams and their fetching of job libraries. Only enqueues; the dispatcher
// outlives it.
class TaskManagerService final : public pb::TaskManagerGateway::CallbackService {
 public:
  explicit TaskManagerService(Dispatcher& dispatcher) : dispatcher_(dispatcher) {}

  grpc::ServerBidiReactor<pb::FromTaskManager, pb::ToTaskManager>* Connect(
      grpc::CallbackServerContext* context) override;
  grpc::ServerWriteReactor<pb::LibraryChunk>* FetchLibrary(
      grpc::CallbackServerContext* context, const pb::LibraryRequest* request) override;

 private:
  Dispatcher& dispatcher_;
  std::atomic<uint64_t> last_session_{0};
};

}  // namespace weir
