#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>

#include <memory>
#include <utility>

#include "common/mutex.h"
#include "common/rpc/status_conversion.h"
#include "common/rpc/stream.h"
#include "common/rpc/write_queue.h"

namespace weir::rpc {

// The end of a bidirectional stream that opened it. Keeps itself alive until on_closed has
// returned; the stub's channel is kept by gRPC.
//
//   auto stream = StreamClient<ToServer, FromServer>::open(
//       [&](grpc::ClientContext* context, auto* reactor) { stub.async()->Connect(context, reactor);
//       },
//       {.on_message = …, .on_closed = …});
template <typename Out, typename In>
class StreamClient final : public Stream<Out>, private grpc::ClientBidiReactor<Out, In> {
 public:
  using Reactor = grpc::ClientBidiReactor<Out, In>;

  template <typename StartRpc>
  static std::shared_ptr<StreamClient> open(StartRpc start_rpc, StreamHandlers<In> handlers,
                                            const StreamOptions& options = {}) {
    std::shared_ptr<StreamClient> stream(new StreamClient(std::move(handlers), options));
    stream->self_ = stream;
    stream->start(start_rpc);
    // gRPC allows operations from outside its callbacks while the hold is there: until reading
    // ends.
    stream->AddHold();
    stream->StartRead(&stream->incoming_);
    stream->StartCall();
    return stream;
  }

  absl::Status send(Out message) override {
    MutexLock lock(mutex_);
    if (closing_ || read_ended_) return absl::UnavailableError("the stream is closed");
    if (!queue_.push(std::move(message))) {
      cancel_locked(
          absl::ResourceExhaustedError("the peer doesn't read: too many messages queued"));
      return cancel_reason_;
    }
    write_next_locked();
    return absl::OkStatus();
  }

  void close() override {
    MutexLock lock(mutex_);
    if (closing_ || read_ended_) return;
    closing_ = true;
    write_next_locked();
  }

  void cancel(absl::Status reason) override {
    MutexLock lock(mutex_);
    cancel_locked(std::move(reason));
  }

 private:
  StreamClient(StreamHandlers<In> handlers, const StreamOptions& options)
      : handlers_(std::move(handlers)), queue_(options.max_queued_messages) {}

  template <typename StartRpc>
  void start(StartRpc& start_rpc) {
    MutexLock lock(mutex_);
    start_rpc(context_.get(), static_cast<Reactor*>(this));
  }

  void cancel_locked(absl::Status reason) WEIR_REQUIRES(mutex_) {
    if (read_ended_ || !cancel_reason_.ok()) return;
    closing_ = true;
    cancel_reason_ = std::move(reason);
    queue_.drop_waiting();
    context_->TryCancel();
  }

  void write_next_locked() WEIR_REQUIRES(mutex_) {
    if (read_ended_ || !cancel_reason_.ok()) return;
    if (const Out* message = queue_.start_next()) {
      this->StartWrite(message);
    } else if (closing_ && queue_.empty() && !writes_done_) {
      writes_done_ = true;
      this->StartWritesDone();
    }
  }

  void OnReadDone(bool ok) override {
    if (ok) {
      handlers_.on_message(std::move(incoming_));
      incoming_ = In();
      this->StartRead(&incoming_);
      return;
    }
    {
      MutexLock lock(mutex_);
      read_ended_ = true;
      queue_.drop_waiting();
    }
    this->RemoveHold();
  }

  void OnWriteDone(bool ok) override {
    MutexLock lock(mutex_);
    queue_.written();
    if (ok) write_next_locked();  // otherwise the read fails too, and that ends the stream
  }

  void OnDone(const grpc::Status& status) override {
    absl::Status closed = to_absl(status);
    {
      MutexLock lock(mutex_);
      if (!cancel_reason_.ok()) closed = cancel_reason_;
      context_.reset();  // its reference to the channel: see the class comment
    }
    handlers_.on_closed(std::move(closed));
    handlers_ = {};  // they may hold the stream: no cycle survives
    const std::shared_ptr<StreamClient> last = std::move(self_);
  }

  StreamHandlers<In> handlers_;
  In incoming_;                         // gRPC's callbacks only
  std::shared_ptr<StreamClient> self_;  // until OnDone

  Mutex mutex_;
  std::unique_ptr<grpc::ClientContext> context_ WEIR_GUARDED_BY(mutex_) =
      std::make_unique<grpc::ClientContext>();
  WriteQueue<Out> queue_ WEIR_GUARDED_BY(mutex_);
  absl::Status cancel_reason_ WEIR_GUARDED_BY(mutex_);
  bool closing_ WEIR_GUARDED_BY(mutex_) = false;
  bool writes_done_ WEIR_GUARDED_BY(mutex_) = false;
  bool read_ended_ WEIR_GUARDED_BY(mutex_) = false;
};

}  // namespace weir::rpc
