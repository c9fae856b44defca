#include "taskmanager/server/jobmanager_link.h"

#include <gmock/gmock.h>
#include <grpcpp/channel.h>
#include <gtest/gtest.h>

#include <chrono>
#include <deque>
#include <optional>
#include <vector>

#include "common/rpc/channel.h"
#include "common/rpc/server.h"
#include "common/rpc/stream_server.h"
#include "common/status_matchers.h"
#include "proto/jobmanager_service.grpc.pb.h"

namespace weir {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

// Things that happened, in order; waits for the next.
template <typename T>
class Events {
 public:
  void add(T event) {
    MutexLock lock(mutex_);
    events_.push_back(std::move(event));
    changed_.notify_all();
  }
  std::optional<T> next(std::chrono::milliseconds timeout = 10'000ms) {
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    MutexLock lock(mutex_);
    while (events_.empty() && changed_.wait_until(mutex_, deadline)) {
    }
    if (events_.empty()) return std::nullopt;
    std::optional<T> event = std::move(events_.front());
    events_.pop_front();
    return event;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::deque<T> events_ WEIR_GUARDED_BY(mutex_);
};

// A JobManager that does nothing by itself. One at a time on a port.
class FakeJobManager final : public pb::TaskManagerGateway::CallbackService {
 public:
  using Stream = rpc::StreamServer<pb::ToTaskManager, pb::FromTaskManager>;

  explicit FakeJobManager(int port = 0) {
    auto server = rpc::Server::start({.port = port}, {this});
    WEIR_CHECK_OK(server);
    server_ = *std::move(server);
  }

  grpc::ServerBidiReactor<pb::FromTaskManager, pb::ToTaskManager>* Connect(
      grpc::CallbackServerContext* context) override {
    auto stream = Stream::accept(context);
    stream->start({.on_message = [this](pb::FromTaskManager message) { received.add(message); },
                   .on_closed = [this](const absl::Status& status) { closed.add(status); }});
    MutexLock lock(mutex_);
    stream_ = stream;
    return stream->reactor();
  }

  void send(pb::ToTaskManager message, uint64_t leader_epoch) {
    message.set_leader_epoch(leader_epoch);
    MutexLock lock(mutex_);
    stream_->send(std::move(message)).IgnoreError();
  }
  void answer_registration(uint64_t leader_epoch, int heartbeat_timeout_ms = 50'000) {
    pb::ToTaskManager message;
    message.mutable_registered()->set_heartbeat_interval_ms(20);
    message.mutable_registered()->set_heartbeat_timeout_ms(heartbeat_timeout_ms);
    send(std::move(message), leader_epoch);
  }

  // The next message that isn't a heartbeat.
  std::optional<pb::FromTaskManager> next() {
    for (;;) {
      auto message = received.next();
      if (!message || !message->has_heartbeat()) return message;
    }
  }

  int port() const { return server_->port(); }

  Events<pb::FromTaskManager> received;
  Events<absl::Status> closed;

 private:
  Mutex mutex_;
  std::shared_ptr<Stream> stream_ WEIR_GUARDED_BY(mutex_);
  std::unique_ptr<rpc::Server> server_;
};

class JobManagerLinkTest : public testing::Test {
 protected:
  void SetUp() override {
    jobmanager_ = std::make_unique<FakeJobManager>();
    port_ = jobmanager_->port();
    mailbox_ = std::make_unique<Mailbox>(Mailbox::Options{.name = "main"});
    link_ = std::make_unique<JobManagerLink>(JobManagerLink::Options{
        .mailbox = mailbox_.get(),
        .channel = rpc::make_channel("127.0.0.1:" + std::to_string(port_)),
        .address = "the fake",
        .fill_in_registration =
            [](pb::RegisterTaskManager& registration) { registration.set_taskmanager_id("tm"); },
        .fill_in_heartbeat =
            [](pb::HeartbeatFromTaskManager& heartbeat) { heartbeat.set_memory_bytes(7); },
        .on_registered = [this] { happened_.add("registered"); },
        .on_message =
            [this](const pb::ToTaskManager& message) {
              happened_.add("message " + std::to_string(message.cancel_attempt().attempt()));
            },
        .on_lost =
            [this](std::function<void()> then) {
              happened_.add("lost");
              if (everything_ends_) then();
            }});
    mailbox_->post([this] { link_->connect(); });
    mailbox_->start();
  }
  void TearDown() override {
    mailbox_->shutdown(Mailbox::Pending::kDrop);
    link_.reset();
  }

  void register_with_epoch(uint64_t leader_epoch) {
    const auto registration = jobmanager_->next();
    ASSERT_TRUE(registration && registration->has_register_());
    EXPECT_EQ(registration->register_().taskmanager_id(), "tm");
    jobmanager_->answer_registration(leader_epoch);
    EXPECT_EQ(happened_.next(), "registered");
  }
  void restart_jobmanager() {
    jobmanager_.reset();
    jobmanager_ = std::make_unique<FakeJobManager>(port_);
  }
  static pb::ToTaskManager cancel(int attempt) {
    pb::ToTaskManager message;
    message.mutable_cancel_attempt()->set_attempt(attempt);
    return message;
  }
  static pb::FromTaskManager released(int attempt) {
    pb::FromTaskManager message;
    message.mutable_attempt_released()->set_attempt(attempt);
    return message;
  }

  int port_ = 0;
  std::atomic<bool> everything_ends_{true};
  Events<std::string> happened_;
  std::unique_ptr<FakeJobManager> jobmanager_;
  std::unique_ptr<Mailbox> mailbox_;
  std::unique_ptr<JobManagerLink> link_;
};

TEST_F(JobManagerLinkTest, RegistersAndPassesMessagesBothWays) {
  register_with_epoch(3);
  jobmanager_->send(cancel(5), 3);
  EXPECT_EQ(happened_.next(), "message 5");
  link_->send(released(5));
  const auto message = jobmanager_->next();
  ASSERT_TRUE(message);
  EXPECT_EQ(message->attempt_released().attempt(), 5);
  EXPECT_EQ(message->leader_epoch(), 3u);
}

TEST_F(JobManagerLinkTest, SendsHeartbeats) {
  register_with_epoch(1);
  const auto first = jobmanager_->received.next();
  ASSERT_TRUE(first && first->has_heartbeat());
  const auto second = jobmanager_->received.next();
  ASSERT_TRUE(second && second->has_heartbeat());
  EXPECT_EQ(second->heartbeat().sequence(), first->heartbeat().sequence() + 1);
  EXPECT_EQ(second->heartbeat().memory_bytes(), 7u);
}

TEST_F(JobManagerLinkTest, ALostJobManagerEndsEverythingAndIsFoundAgain) {
  register_with_epoch(1);
  restart_jobmanager();
  EXPECT_EQ(happened_.next(), "lost");
  register_with_epoch(2);
}

TEST_F(JobManagerLinkTest, NothingIsRegisteredBeforeEverythingHasEnded) {
  register_with_epoch(1);
  everything_ends_ = false;
  restart_jobmanager();
  EXPECT_EQ(happened_.next(), "lost");
  EXPECT_FALSE(jobmanager_->received.next(300ms).has_value());
}

TEST_F(JobManagerLinkTest, AJobManagerWithAnOlderLeaderEpochIsRefused) {
  register_with_epoch(9);
  restart_jobmanager();
  EXPECT_EQ(happened_.next(), "lost");
  ASSERT_TRUE(jobmanager_->next());
  jobmanager_->answer_registration(8);
  EXPECT_TRUE(jobmanager_->closed.next());
  register_with_epoch(10);  // it comes back, and a newer one is welcome
}

TEST_F(JobManagerLinkTest, ASilentJobManagerIsLost) {
  ASSERT_TRUE(jobmanager_->next());
  jobmanager_->answer_registration(1, /*heartbeat_timeout_ms=*/60);
  EXPECT_EQ(happened_.next(), "registered");
  EXPECT_EQ(happened_.next(), "lost");
  EXPECT_TRUE(jobmanager_->closed.next());
}

TEST_F(JobManagerLinkTest, WhatIsSentWhileTheJobManagerIsAwayIsDropped) {
  register_with_epoch(1);
  everything_ends_ = false;
  restart_jobmanager();
  EXPECT_EQ(happened_.next(), "lost");
  link_->send(released(1));
  mailbox_->post([this] { link_->connect(); });
  const auto first = jobmanager_->next();
  ASSERT_TRUE(first);
  EXPECT_TRUE(first->has_register_());
}

TEST_F(JobManagerLinkTest, CloseSendsWhatIsQueued) {
  register_with_epoch(1);
  link_->send(released(4));
  mailbox_->post([this] { link_->close(); });
  const auto last = jobmanager_->next();
  ASSERT_TRUE(last);
  EXPECT_EQ(last->attempt_released().attempt(), 4);
  EXPECT_TRUE(jobmanager_->closed.next());
}

}  // namespace
}  // namespace weir
