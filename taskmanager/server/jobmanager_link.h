#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "common/clock.h"
#include "common/mailbox.h"
#include "common/mutex.h"
#include "common/rpc/stream.h"
#include "taskmanager/runtime/control_sender.h"

namespace grpc {
class Channel;
}  // namespace grpc

namespace weir {

namespace pb {
class FromTaskManager;
class HeartbeatFromTaskManager;
class RegisterTaskManager;
class ToTaskManager;
}  // namespace pb

// The one stream to the JobManager. Opens it, registers, keeps heartbeats going both ways, and
// opens another when it is lost:
//
//   disconnected ──▶ connecting ──Registered──▶ registered
//        ▲               │ closed                    │ closed, or silent too long
//        │◀──────────────┘                           ▼
//        └────── everything has ended here ─────── lost
//
// So a registered TaskManager runs nothing of an earlier registration. A JobManager whose leader
// epoch is older than the highest seen is refused: the stream to it is ended.
//
// Thread rule: send() from any thread; the rest, the callbacks too, on the mailbox's. The mailbox
// outlives the link and must be shut down before it.
class JobManagerLink final : public ControlSender {
 public:
  struct Options {
    Mailbox* mailbox = nullptr;
    std::shared_ptr<grpc::Channel> channel;
    std::string address;  // for messages
    std::function<void(pb::RegisterTaskManager&)> fill_in_registration;
    std::function<void(pb::HeartbeatFromTaskManager&)> fill_in_heartbeat;
    std::function<void()> on_registered;
    std::function<void(const pb::ToTaskManager&)> on_message;  // but for registration
    // Ends everything here, then calls `then`.
    std::function<void(std::function<void()> then)> on_lost;
  };

  explicit JobManagerLink(Options options);
  ~JobManagerLink() override;  // ends the stream and waits for its last callback

  void connect();
  // Sends what is queued and connects no more.
  void close();

  void send(pb::FromTaskManager message) override;

 private:
  using ControlStream = rpc::Stream<pb::FromTaskManager>;
  // What gRPC's threads know: outlives every callback.
  struct Inbox;

  void on_incoming(int64_t session, const pb::ToTaskManager& message);
  void on_closed(int64_t session, const absl::Status& status);
  void beat();
  void beat_later();
  void end_stream(const absl::Status& reason);

  const Options options_;
  const std::shared_ptr<Inbox> inbox_;

  // The mailbox's thread only.
  int64_t session_ = 0;
  bool closing_ = false;
  bool registered_ = false;
  bool reported_unreachable_ = false;
  int64_t heartbeat_sequence_ = 0;
  Mailbox::TimerId heartbeat_timer_ = 0;
  std::chrono::milliseconds heartbeat_interval_;
  std::chrono::milliseconds heartbeat_timeout_;
  MonotonicTime last_received_;
  uint64_t leader_epoch_max_ = 0;

  Mutex mutex_;
  std::shared_ptr<ControlStream> stream_ WEIR_GUARDED_BY(mutex_);  // null when lost
  uint64_t leader_epoch_ WEIR_GUARDED_BY(mutex_) = 0;              // of the stream's JobManager
};

}  // namespace weir
