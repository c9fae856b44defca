#include "taskmanager/server/jobmanager_link.h"

#include <grpcpp/channel.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/fault_point.h"
#include "common/log.h"
#include "common/rpc/stream_client.h"
#include "proto/jobmanager_service.grpc.pb.h"

namespace weir {
namespace {

using std::chrono_literals::operator""ms;

// The channel has a backoff of its own; a refused connection costs next to nothing.
constexpr auto kReconnectDelay = 50ms;
// Until the JobManager has said how often it wants a heartbeat.
constexpr auto kRegistrationTimeout = 10'000ms;
constexpr auto kRegistrationCheck = 1'000ms;
// For a JobManager that doesn't answer a close.
constexpr auto kCloseTimeout = 1'000ms;

}  // namespace

struct JobManagerLink::Inbox {
  Mutex mutex;
  CondVar changed;
  int open_streams WEIR_GUARDED_BY(mutex) = 0;
};

JobManagerLink::JobManagerLink(Options options)
    : options_(std::move(options)), inbox_(std::make_shared<Inbox>()) {}

JobManagerLink::~JobManagerLink() {
  close();
  const MonotonicTime patience = SystemClock::instance().now() + kCloseTimeout;
  {
    MutexLock lock(inbox_->mutex);
    while (inbox_->open_streams > 0 && inbox_->changed.wait_until(inbox_->mutex, patience)) {
    }
  }
  end_stream(absl::CancelledError("the TaskManager ends"));
  MutexLock lock(inbox_->mutex);
  while (inbox_->open_streams > 0) inbox_->changed.wait(inbox_->mutex);
}

void JobManagerLink::connect() {
  if (closing_) return;
  const int64_t session = ++session_;
  registered_ = false;
  heartbeat_interval_ = kRegistrationCheck;
  heartbeat_timeout_ = kRegistrationTimeout;
  last_received_ = SystemClock::instance().now();
  {
    MutexLock lock(inbox_->mutex);
    ++inbox_->open_streams;
  }
  rpc::StreamHandlers<pb::ToTaskManager> handlers;
  handlers.on_message = [this, session](pb::ToTaskManager message) {
    options_.mailbox->post(
        [this, session, message = std::move(message)] { on_incoming(session, message); });
  };
  handlers.on_closed = [this, session, inbox = inbox_](const absl::Status& status) {
    options_.mailbox->post([this, session, status] { on_closed(session, status); });
    MutexLock lock(inbox->mutex);  // from here on the link may go
    --inbox->open_streams;
    inbox->changed.notify_all();
  };
  const auto stub = pb::TaskManagerGateway::NewStub(options_.channel);
  std::shared_ptr<ControlStream> stream =
      rpc::StreamClient<pb::FromTaskManager, pb::ToTaskManager>::open(
          [&](grpc::ClientContext* context, auto* reactor) {
            stub->async()->Connect(context, reactor);
          },
          std::move(handlers));
  {
    MutexLock lock(mutex_);
    stream_ = std::move(stream);
    leader_epoch_ = leader_epoch_max_;
  }
  pb::FromTaskManager message;
  options_.fill_in_registration(*message.mutable_register_());
  send(std::move(message));
  beat_later();
}

void JobManagerLink::close() {
  closing_ = true;
  MutexLock lock(mutex_);
  if (stream_ != nullptr) stream_->close();
}

void JobManagerLink::send(pb::FromTaskManager message) {
  MutexLock lock(mutex_);
  if (stream_ == nullptr) return;
  message.set_leader_epoch(leader_epoch_);
  // A send that fails closes the stream, and that is noticed.
  stream_->send(std::move(message)).IgnoreError();
}

void JobManagerLink::on_incoming(int64_t session, const pb::ToTaskManager& message) {
  if (session != session_) return;
  if (message.leader_epoch() < leader_epoch_max_) {
    end_stream(absl::FailedPreconditionError(absl::StrCat("it has the leader epoch ",
                                                          message.leader_epoch(), ", but ",
                                                          leader_epoch_max_, " has led already")));
    return;
  }
  leader_epoch_max_ = message.leader_epoch();
  last_received_ = SystemClock::instance().now();
  if (message.has_registered()) {
    {
      MutexLock lock(mutex_);
      leader_epoch_ = leader_epoch_max_;
    }
    registered_ = true;
    reported_unreachable_ = false;
    heartbeat_interval_ =
        std::max(1ms, std::chrono::milliseconds(message.registered().heartbeat_interval_ms()));
    heartbeat_timeout_ = std::chrono::milliseconds(message.registered().heartbeat_timeout_ms());
    WEIR_FAULT_POINT("taskmanager.registered");
    options_.on_registered();
    beat_later();
  } else if (registered_) {
    options_.on_message(message);
  }
}

void JobManagerLink::on_closed(int64_t session, const absl::Status& status) {
  if (session != session_ || closing_) return;
  ++session_;  // what still comes from it is void
  options_.mailbox->cancel_timer(heartbeat_timer_);
  {
    MutexLock lock(mutex_);
    stream_ = nullptr;
  }
  if (registered_) {
    WEIR_LOG_WARN({}, "lost the JobManager at {}, cancelling everything: {}", options_.address,
                  status.ToString());
    registered_ = false;
    options_.on_lost([this] { connect(); });
    return;
  }
  if (!reported_unreachable_) {
    WEIR_LOG_WARN({}, "no JobManager at {} yet, trying on: {}", options_.address,
                  status.ToString());
    reported_unreachable_ = true;
  }
  options_.mailbox->post_after(kReconnectDelay, [this] { connect(); });
}

void JobManagerLink::beat_later() {
  options_.mailbox->cancel_timer(heartbeat_timer_);
  heartbeat_timer_ = options_.mailbox->post_after(heartbeat_interval_, [this] { beat(); });
}

void JobManagerLink::beat() {
  if (SystemClock::instance().now() - last_received_ > heartbeat_timeout_) {
    end_stream(absl::DeadlineExceededError("it was silent for longer than heartbeat.timeout"));
    return;
  }
  if (registered_) {
    pb::FromTaskManager message;
    message.mutable_heartbeat()->set_sequence(++heartbeat_sequence_);
    options_.fill_in_heartbeat(*message.mutable_heartbeat());
    send(std::move(message));
  }
  beat_later();
}

void JobManagerLink::end_stream(const absl::Status& reason) {
  MutexLock lock(mutex_);
  if (stream_ != nullptr) stream_->cancel(reason);
}

}  // namespace weir
