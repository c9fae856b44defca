#include <grpcpp/channel.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/mutex.h"
#include "common/rpc/channel.h"
#include "common/rpc/server.h"
#include "common/rpc/stream_client.h"
#include "common/rpc/stream_server.h"
#include "common/status_matchers.h"
#include "echo_test.grpc.pb.h"

namespace weir::rpc {
namespace {

using test::EchoService;
using test::Text;
using testing::HasSubstr;
using namespace std::chrono_literals;

Text text_of(std::string text) {
  Text message;
  message.set_text(std::move(text));
  return message;
}

// What a stream's callbacks were told; waits for it.
class Recorder {
 public:
  StreamHandlers<Text> handlers() {
    return {.on_message = [this](Text message) { add(message.text()); },
            .on_closed = [this](absl::Status status) { set_closed(std::move(status)); }};
  }

  void add(std::string text) {
    MutexLock lock(mutex_);
    texts_.push_back(std::move(text));
    changed_.notify_all();
  }

  void set_closed(absl::Status status) {
    MutexLock lock(mutex_);
    EXPECT_FALSE(closed_.has_value()) << "closed twice";
    closed_ = std::move(status);
    changed_.notify_all();
  }

  std::vector<std::string> wait_for_texts(size_t count) {
    const MonotonicDeadline deadline = give_up();
    MutexLock lock(mutex_);
    while (texts_.size() < count && changed_.wait_until(mutex_, deadline)) {
    }
    return texts_;
  }

  absl::Status wait_for_closed() {
    const MonotonicDeadline deadline = give_up();
    MutexLock lock(mutex_);
    while (!closed_ && changed_.wait_until(mutex_, deadline)) {
    }
    return closed_.value_or(absl::DeadlineExceededError("not closed"));
  }

 private:
  using MonotonicDeadline = std::chrono::steady_clock::time_point;
  static MonotonicDeadline give_up() { return std::chrono::steady_clock::now() + 20s; }

  Mutex mutex_;
  CondVar changed_;
  std::vector<std::string> texts_ WEIR_GUARDED_BY(mutex_);
  std::optional<absl::Status> closed_ WEIR_GUARDED_BY(mutex_);
};

// Answers each text with "echo " + text; keeps the last stream for the test.
class Echo final : public EchoService::CallbackService {
 public:
  using ServerStream = StreamServer<Text, Text>;

  grpc::ServerBidiReactor<Text, Text>* Connect(grpc::CallbackServerContext* context) override {
    auto stream = ServerStream::accept(context, {.max_queued_messages = 100'000});
    stream->start(
        {.on_message =
             [this, stream](Text message) {
               recorder.add(message.text());
               stream->send(text_of("echo " + message.text())).IgnoreError();
             },
         .on_closed = [this](absl::Status status) { recorder.set_closed(std::move(status)); }});
    MutexLock lock(mutex_);
    stream_ = stream;
    return stream->reactor();
  }

  grpc::ServerUnaryReactor* Fail(grpc::CallbackServerContext* context, const Text* request,
                                 Text*) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(to_grpc(absl::FailedPreconditionError(request->text())));
    return reactor;
  }

  std::shared_ptr<ServerStream> stream() {
    MutexLock lock(mutex_);
    return stream_;
  }

  Recorder recorder;

 private:
  Mutex mutex_;
  std::shared_ptr<ServerStream> stream_ WEIR_GUARDED_BY(mutex_);
};

std::shared_ptr<Stream<Text>> connect(const std::shared_ptr<grpc::Channel>& channel,
                                      StreamHandlers<Text> handlers, StreamOptions options = {}) {
  auto stub = EchoService::NewStub(channel);
  return StreamClient<Text, Text>::open(
      [&](grpc::ClientContext* context, auto* reactor) {
        stub->async()->Connect(context, reactor);
      },
      std::move(handlers), options);
}

class StreamTest : public testing::Test {
 protected:
  void SetUp() override {
    auto server = Server::start({}, {&echo_});
    ASSERT_THAT(server, IsOk());
    server_ = *std::move(server);
    channel_ = make_channel(server_->address());
  }

  Echo echo_;
  std::unique_ptr<Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  Recorder recorder_;
};

TEST_F(StreamTest, MessagesTravelBothWaysInOrder) {
  auto stream = connect(channel_, recorder_.handlers());
  std::vector<std::string> expected;
  for (int i = 0; i < 2000; ++i) {
    ASSERT_THAT(stream->send(text_of(std::to_string(i))), IsOk());
    expected.push_back("echo " + std::to_string(i));
  }
  EXPECT_EQ(recorder_.wait_for_texts(2000), expected);
  stream->close();
  EXPECT_THAT(recorder_.wait_for_closed(), IsOk());
}

TEST_F(StreamTest, CloseSendsWhatIsQueuedFirst) {
  auto stream = connect(channel_, recorder_.handlers());
  for (int i = 0; i < 500; ++i) ASSERT_THAT(stream->send(text_of("x")), IsOk());
  stream->close();
  EXPECT_THAT(stream->send(text_of("late")), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(recorder_.wait_for_closed(), IsOk());
  EXPECT_EQ(recorder_.wait_for_texts(500).size(), 500u);
  EXPECT_THAT(echo_.recorder.wait_for_closed(), IsOk());
}

TEST_F(StreamTest, TheServerClosesWithOkOrItsReason) {
  auto stream = connect(channel_, recorder_.handlers());
  ASSERT_THAT(stream->send(text_of("a")), IsOk());
  recorder_.wait_for_texts(1);
  echo_.stream()->cancel(absl::PermissionDeniedError("an older epoch"));
  EXPECT_THAT(recorder_.wait_for_closed(),
              StatusIs(absl::StatusCode::kPermissionDenied, "an older epoch"));
  EXPECT_THAT(echo_.recorder.wait_for_closed(), StatusIs(absl::StatusCode::kPermissionDenied));
}

TEST_F(StreamTest, TheClientsCancelIsSeenByTheServer) {
  auto stream = connect(channel_, recorder_.handlers());
  ASSERT_THAT(stream->send(text_of("a")), IsOk());
  recorder_.wait_for_texts(1);
  stream->cancel(absl::AbortedError("enough"));
  EXPECT_THAT(recorder_.wait_for_closed(), StatusIs(absl::StatusCode::kAborted, "enough"));
  EXPECT_THAT(echo_.recorder.wait_for_closed(), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(echo_.stream()->send(text_of("late")), StatusIs(absl::StatusCode::kUnavailable));
}

TEST_F(StreamTest, AServerThatIsGoneClosesTheStreamAtOnce) {
  auto stream = connect(channel_, recorder_.handlers());
  ASSERT_THAT(stream->send(text_of("a")), IsOk());
  recorder_.wait_for_texts(1);
  const auto begin = std::chrono::steady_clock::now();
  server_->shutdown(0ms);
  EXPECT_FALSE(recorder_.wait_for_closed().ok());
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 2s);
}

TEST_F(StreamTest, NobodyListeningClosesTheStream) {
  const std::string address = server_->address();
  server_->shutdown(0ms);
  const auto channel = make_channel(address);
  auto stream = connect(channel, recorder_.handlers());
  EXPECT_THAT(recorder_.wait_for_closed(), StatusIs(absl::StatusCode::kUnavailable));
}

TEST_F(StreamTest, AFullQueueFailsTheStreamInsteadOfGrowing) {
  // Nobody reads: the server's handler is held until the test ends.
  std::mutex gate;
  std::unique_lock<std::mutex> held(gate);
  struct Stuck final : EchoService::CallbackService {
    explicit Stuck(std::mutex& gate) : gate(gate) {}
    grpc::ServerBidiReactor<Text, Text>* Connect(grpc::CallbackServerContext* context) override {
      auto stream = StreamServer<Text, Text>::accept(context);
      stream->start({.on_message = [this](Text) { const std::lock_guard<std::mutex> wait(gate); },
                     .on_closed = [this](absl::Status s) { recorder.set_closed(std::move(s)); }});
      return stream->reactor();
    }
    std::mutex& gate;
    Recorder recorder;
  } stuck(gate);
  auto server = Server::start({}, {&stuck});
  ASSERT_THAT(server, IsOk());
  const auto channel = make_channel((*server)->address());
  auto stream = connect(channel, recorder_.handlers(), {.max_queued_messages = 100});
  const std::string large(64 << 10, 'x');
  absl::Status sent;
  for (int i = 0; i < 10'000 && sent.ok(); ++i) sent = stream->send(text_of(large));
  EXPECT_THAT(sent, StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_THAT(recorder_.wait_for_closed(), StatusIs(absl::StatusCode::kResourceExhausted));
  held.unlock();
  EXPECT_FALSE(stuck.recorder.wait_for_closed().ok());
}

TEST_F(StreamTest, TheServersCancelEndsAStreamWhoseClientDoesNotRead) {
  std::mutex gate;
  std::unique_lock<std::mutex> held(gate);
  auto stream =
      connect(channel_,
              {.on_message = [&](Text) { const std::lock_guard<std::mutex> wait(gate); },
               .on_closed = [&](absl::Status status) { recorder_.set_closed(std::move(status)); }});
  const std::string large(1 << 20, 'x');
  for (int i = 0; i < 20; ++i) ASSERT_THAT(stream->send(text_of(large)), IsOk());
  EXPECT_EQ(echo_.recorder.wait_for_texts(20).size(), 20u);
  echo_.stream()->cancel(absl::AbortedError("silent"));
  EXPECT_THAT(echo_.recorder.wait_for_closed(), StatusIs(absl::StatusCode::kAborted, "silent"));
  held.unlock();
  EXPECT_FALSE(recorder_.wait_for_closed().ok());
}

TEST_F(StreamTest, SendsFromSeveralThreadsAllArrive) {
  auto stream = connect(channel_, recorder_.handlers());
  std::vector<std::thread> senders;
  for (int t = 0; t < 4; ++t) {
    senders.emplace_back([&] {
      for (int i = 0; i < 500; ++i) EXPECT_THAT(stream->send(text_of("m")), IsOk());
    });
  }
  for (auto& sender : senders) sender.join();
  EXPECT_EQ(recorder_.wait_for_texts(2000).size(), 2000u);
  stream->close();
  EXPECT_THAT(recorder_.wait_for_closed(), IsOk());
}

TEST_F(StreamTest, ARestartedServerIsFoundAgainInWellUnderASecond) {
  auto stream = connect(channel_, recorder_.handlers());
  ASSERT_THAT(stream->send(text_of("a")), IsOk());
  recorder_.wait_for_texts(1);
  const int port = server_->port();
  server_.reset();
  EXPECT_FALSE(recorder_.wait_for_closed().ok());
  for (int i = 0; i < 5; ++i) {  // the backoff grows to its bound
    Recorder refused;
    connect(channel_, refused.handlers());
    EXPECT_FALSE(refused.wait_for_closed().ok());
  }
  Echo again;
  auto server = Server::start({.port = port}, {&again});
  ASSERT_THAT(server, IsOk());
  const auto begin = std::chrono::steady_clock::now();
  bool connected = false;
  while (!connected && std::chrono::steady_clock::now() - begin < 5s) {
    Recorder attempt;
    auto reconnected = connect(channel_, attempt.handlers());
    reconnected->send(text_of("b")).IgnoreError();
    reconnected->close();
    connected = attempt.wait_for_closed().ok();
  }
  EXPECT_TRUE(connected);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 900ms);
}

TEST_F(StreamTest, ASecondServerOnThePortIsRefused) {
  Echo other;
  EXPECT_THAT(Server::start({.port = server_->port()}, {&other}),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("choose another port")));
}

TEST_F(StreamTest, StatusesCrossTheWireWithCodeAndText) {
  auto stub = EchoService::NewStub(channel_);
  grpc::ClientContext context;
  Text response;
  EXPECT_THAT(to_absl(stub->Fail(&context, text_of("not now"), &response)),
              StatusIs(absl::StatusCode::kFailedPrecondition, "not now"));
}

}  // namespace
}  // namespace weir::rpc
