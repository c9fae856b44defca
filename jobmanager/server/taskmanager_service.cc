#include "jobmanager/server/taskmanager_service.h"

#include <fstream>
#include <memory>
#include <string>
#include <utility>

#include "common/rpc/status_conversion.h"
#include "common/rpc/stream_server.h"

namespace weir {

namespace {

constexpr size_t kChunkBytes = 256 << 10;

// Sends a file in chunks; deletes itself when gRPC is done with it.
class FileSender final : public grpc::ServerWriteReactor<pb::LibraryChunk> {
 public:
  explicit FileSender(const absl::StatusOr<std::string>& path) {
    if (path.ok()) {
      file_.open(*path, std::ios::binary);
      next();
    } else {
      Finish(rpc::to_grpc(path.status()));
    }
  }
  void OnWriteDone(bool ok) override {
    if (!ok) return Finish(grpc::Status(grpc::StatusCode::UNAVAILABLE, "the peer is gone"));
    next();
  }
  void OnDone() override { delete this; }

 private:
  void next() {
    std::string& data = *chunk_.mutable_data();
    data.resize(kChunkBytes);
    file_.read(data.data(), static_cast<std::streamsize>(data.size()));
    data.resize(static_cast<size_t>(file_.gcount()));
    if (!data.empty()) return StartWrite(&chunk_);
    Finish(file_.eof() ? grpc::Status::OK
                       : grpc::Status(grpc::StatusCode::UNAVAILABLE, "can't read the library"));
  }

  std::ifstream file_;
  pb::LibraryChunk chunk_;
};

}  // namespace

grpc::ServerBidiReactor<pb::FromTaskManager, pb::ToTaskManager>* TaskManagerService::Connect(
    grpc::CallbackServerContext* context) {
  auto stream = rpc::StreamServer<pb::ToTaskManager, pb::FromTaskManager>::accept(context);
  const uint64_t session = ++last_session_;
  stream->start({
      .on_message =
          [this, session, stream](pb::FromTaskManager message) {
            const absl::Status accepted =
                message.has_register_()
                    ? dispatcher_.register_taskmanager(session, message.register_(), stream)
                    : dispatcher_.on_taskmanager_message(session, std::move(message));
            if (!accepted.ok()) stream->cancel(accepted);
          },
      .on_closed =
          [this, session](absl::Status status) {
            dispatcher_.on_taskmanager_closed(
                session, status.ok() ? "it said goodbye" : std::string(status.message()));
          },
  });
  return stream->reactor();
}

grpc::ServerWriteReactor<pb::LibraryChunk>* TaskManagerService::FetchLibrary(
    grpc::CallbackServerContext*, const pb::LibraryRequest* request) {
  return new FileSender(dispatcher_.store().library_path(request->sha256()));
}

}  // namespace weir
