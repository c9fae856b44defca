#pragma once

#include <grpcpp/alarm.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <chrono>
#include <memory>
#include <utility>

#include "common/check.h"
#include "common/mutex.h"
#include "common/rpc/status_conversion.h"
#include "common/rpc/stream.h"
#include "common/rpc/write_queue.h"

namespace weir::rpc {

// The end of a bidirectional stream that accepted it. Keeps itself alive until on_closed has
// returned.
//
//   grpc::ServerBidiReactor<FromClient, ToClient>* Connect(grpc::CallbackServerContext* c) override
//   {
//     auto stream = StreamServer<ToClient, FromClient>::accept(c);
//     stream->start({.on_message = …, .on_closed = …});   // the handlers may hold the stream
//     return stream->reactor();
//   }
template <typename Out, typename In>
class StreamServer final : public Stream<Out>, private grpc::ServerBidiReactor<In, Out> {
 public:
  using Reactor = grpc::ServerBidiReactor<In, Out>;

  static std::shared_ptr<StreamServer> accept(grpc::CallbackServerContext* context,
                                              const StreamOptions& options = {}) {
    std::shared_ptr<StreamServer> stream(new StreamServer(context, options));
    stream->self_ = stream;
    return stream;
  }

  // Called once, before the service's method returns.
  void start(StreamHandlers<In> handlers) {
    WEIR_CHECK(!handlers_.on_closed) << "stream started twice";
    handlers_ = std::move(handlers);
    this->StartRead(&incoming_);
  }

  Reactor* reactor() { return this; }

  absl::Status send(Out message) override {
    MutexLock lock(mutex_);
    if (closing_) return absl::UnavailableError("the stream is closed");
    if (!queue_.push(std::move(message))) {
      cancel_locked(
          absl::ResourceExhaustedError("the peer doesn't read: too many messages queued"));
      return close_reason_;
    }
    advance_locked();
    return absl::OkStatus();
  }

  void close() override {
    MutexLock lock(mutex_);
    closing_ = true;
    advance_locked();
  }

  void cancel(absl::Status reason) override {
    MutexLock lock(mutex_);
    cancel_locked(std::move(reason));
  }

 private:
  StreamServer(grpc::CallbackServerContext* context, const StreamOptions& options)
      : context_(context), queue_(options.max_queued_messages) {}

  // The peer gets the reason behind the write in flight, unless that is stuck because nobody reads:
  // then gRPC's CANCELLED.
  void cancel_locked(absl::Status reason) WEIR_REQUIRES(mutex_) {
    if (finished_ || !close_reason_.ok()) return;
    closing_ = true;
    close_reason_ = std::move(reason);
    queue_.drop_waiting();
    if (queue_.writing()) {
      give_up_.Set(std::chrono::system_clock::now() + std::chrono::seconds(1),
                   [stream = std::weak_ptr<StreamServer>(self_)](bool expired) {
                     if (const auto stuck = stream.lock(); expired && stuck) stuck->give_up();
                   });
    }
    advance_locked();
  }

  void give_up() {
    MutexLock lock(mutex_);
    if (!finished_) context_->TryCancel();
  }

  void advance_locked() WEIR_REQUIRES(mutex_) {
    if (finished_) return;
    if (const Out* message = queue_.start_next()) {
      this->StartWrite(message);
    } else if (closing_ && queue_.empty()) {
      finished_ = true;
      this->Finish(to_grpc(close_reason_));
    }
  }

  void OnReadDone(bool ok) override {
    if (ok) {
      handlers_.on_message(std::move(incoming_));
      incoming_ = In();
      this->StartRead(&incoming_);
      return;
    }
    close();  // the client closed its half, or is gone (OnCancel)
  }

  void OnWriteDone(bool ok) override {
    MutexLock lock(mutex_);
    queue_.written();
    if (!ok) {
      closing_ = true;
      queue_.drop_waiting();
    }
    advance_locked();
  }

  void OnCancel() override {
    MutexLock lock(mutex_);
    if (close_reason_.ok()) {
      close_reason_ = absl::UnavailableError("the peer is gone, or cancelled the stream");
    }
    closing_ = true;
    queue_.drop_waiting();
    advance_locked();
  }

  void OnDone() override {
    absl::Status closed;
    {
      MutexLock lock(mutex_);
      closed = close_reason_;
    }
    handlers_.on_closed(std::move(closed));
    handlers_ = {};  // they may hold the stream: no cycle survives
    const std::shared_ptr<StreamServer> last = std::move(self_);
  }

  StreamHandlers<In> handlers_;  // set once by start(), before any callback
  In incoming_;                  // gRPC's callbacks only
  std::shared_ptr<StreamServer> self_;

  Mutex mutex_;
  grpc::CallbackServerContext* const context_;  // gRPC's; used only before Finish
  WriteQueue<Out> queue_ WEIR_GUARDED_BY(mutex_);
  absl::Status close_reason_ WEIR_GUARDED_BY(mutex_);
  grpc::Alarm give_up_ WEIR_GUARDED_BY(mutex_);
  bool closing_ WEIR_GUARDED_BY(mutex_) = false;
  bool finished_ WEIR_GUARDED_BY(mutex_) = false;
};

}  // namespace weir::rpc
