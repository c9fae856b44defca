#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "common/file_descriptor.h"
#include "connectors/socket/testing/line_server.h"
#include "weir/environment.h"
#include "weir/error.h"
#include "weir/print.h"
#include "weir/socket.h"
#include "weir/test_context.h"

namespace weir {
namespace {

using socket::testing::LineServer;
using socket::testing::send_text;
using std::chrono::milliseconds;
using std::chrono::minutes;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::ThrowsMessage;

SocketTextSource source_of(const LineServer& server) {
  return SocketTextSource("127.0.0.1", server.port()).retry_delay(milliseconds(1));
}

// Ends the connection by a reset.
void reset(FileDescriptor client) {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  setsockopt(client.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

struct Running {
  std::unique_ptr<SourceReader<std::string>> reader;
  TestReaderContext context;
  TestOutput<std::string> output;

  explicit Running(const SocketTextSource& source) : reader(source.create_reader()) {
    TestCoordinatorContext coordinator_context;
    auto coordinator = source.create_coordinator();
    coordinator->open(coordinator_context);
    coordinator->restore(coordinator->resolve(), {});
    coordinator->start();
    reader->set_output(output);
    reader->open(context);
    reader->add_splits(coordinator_context.assigned.at(0));
    EXPECT_THAT(coordinator_context.no_more_splits, ElementsAre(0));
    reader->no_more_splits();
  }

  // Until `count` lines have come.
  void read(std::size_t count) {
    while (output.values.size() < count) {
      ASSERT_NE(reader->poll(minutes(1)), PollStatus::kEndOfInput);
    }
  }
  void read_to_end() {
    while (reader->poll(minutes(1)) != PollStatus::kEndOfInput) {
    }
  }
};

TEST(SocketTextSourceTest, ReadsLinesAndWhatTheServerSaidLast) {
  LineServer server;
  Running running(source_of(server));
  EXPECT_EQ(running.reader->poll(milliseconds(0)), PollStatus::kIdle);
  {
    const FileDescriptor client = server.accept();
    send_text(client, "to be\r\nor ");
    running.read(1);
    send_text(client, "not\nto be");
  }
  running.read_to_end();
  EXPECT_THAT(running.output.values, ElementsAre("to be", "or not", "to be"));
  EXPECT_EQ(running.reader->io_counts().records, 3u);
  EXPECT_EQ(running.reader->io_counts().bytes, 19u);
}

TEST(SocketTextSourceTest, ConnectsAgainAsOftenInARowAsItMay) {
  LineServer server;
  Running running(source_of(server).max_retries(2));
  std::thread thread([&] {
    for (const char* line : {"a\n", "b\n", "", "c\n", "", ""}) send_text(server.accept(), line);
  });
  running.read_to_end();
  thread.join();
  EXPECT_THAT(running.output.values, ElementsAre("a", "b", "c"));
}

TEST(SocketTextSourceTest, WaitsForAServerThatIsDown) {
  LineServer server;
  Running running(source_of(server).max_retries(-1));
  std::thread thread([&] {
    send_text(server.accept(), "a\n");
    reset(server.accept());
    send_text(server.accept(), "b\n");
  });
  running.read(2);
  thread.join();
  EXPECT_THAT(running.output.values, ElementsAre("a", "b"));
  server.stop();
  for (int i = 0; i < 10; ++i) EXPECT_NE(running.reader->poll(minutes(1)), PollStatus::kEndOfInput);
}

TEST(SocketTextSourceTest, FailsWhenNobodyListens) {
  LineServer server;
  server.stop();
  const std::string address = "127.0.0.1:" + std::to_string(server.port());
  EXPECT_THAT(([&] { Running(source_of(server)).read_to_end(); }),
              ThrowsMessage<Error>(AllOf(HasSubstr(address), HasSubstr("refused"))));
  EXPECT_THAT(([&] { Running(source_of(server).max_retries(3)).read_to_end(); }),
              ThrowsMessage<Error>(HasSubstr("refused")));
}

TEST(SocketTextSourceTest, FailsWhenTheConnectionBreaks) {
  LineServer server;
  Running running(source_of(server));
  EXPECT_EQ(running.reader->poll(milliseconds(0)), PollStatus::kIdle);
  reset(server.accept());
  EXPECT_THAT([&] { running.read_to_end(); }, ThrowsMessage<Error>(HasSubstr("reset")));
}

TEST(SocketTextSourceTest, HalfALineOfABrokenConnectionIsNoLine) {
  LineServer server;
  Running running(source_of(server).max_retries(-1));
  EXPECT_EQ(running.reader->poll(milliseconds(0)), PollStatus::kIdle);
  FileDescriptor client = server.accept();
  send_text(client, "whole\nhalf");
  running.read(1);
  reset(std::move(client));
  std::thread thread([&] { send_text(server.accept(), "next\n"); });
  running.read(2);
  thread.join();
  EXPECT_THAT(running.output.values, ElementsAre("whole", "next"));
}

TEST(SocketTextSourceTest, RefusesALineWithoutEnd) {
  LineServer server;
  Running running(source_of(server).max_line_bytes(10).max_retries(-1));
  EXPECT_EQ(running.reader->poll(milliseconds(0)), PollStatus::kIdle);
  const FileDescriptor client = server.accept();
  send_text(client, "01234567890");
  EXPECT_THAT([&] { running.read(1); }, ThrowsMessage<Error>(HasSubstr("more than 10 bytes")));
}

TEST(SocketTextSourceTest, WakeUpEndsEveryWait) {
  LineServer server;
  Running running(source_of(server));
  const FileDescriptor client = [&] {
    EXPECT_EQ(running.reader->poll(milliseconds(0)), PollStatus::kIdle);
    return server.accept();
  }();
  running.reader->wake_up();  // before the wait
  EXPECT_EQ(running.reader->poll(minutes(10)), PollStatus::kIdle);
  std::thread waker([&] { running.reader->wake_up(); });
  EXPECT_EQ(running.reader->poll(minutes(10)), PollStatus::kIdle);
  waker.join();

  server.stop();
  Running retrying(source_of(server).max_retries(1).retry_delay(minutes(10)));
  EXPECT_EQ(retrying.reader->poll(minutes(10)), PollStatus::kIdle);  // refused
  retrying.reader->wake_up();
  EXPECT_EQ(retrying.reader->poll(minutes(10)), PollStatus::kIdle);
}

TEST(SocketTextSourceTest, AnotherDelimiter) {
  LineServer server;
  Running running(source_of(server).delimiter(";"));
  std::thread thread([&] { send_text(server.accept(), "a\n;b;"); });
  running.read_to_end();
  thread.join();
  EXPECT_THAT(running.output.values, ElementsAre("a\n", "b"));
}

TEST(SocketTextSourceTest, HasNoPositionToRemember) {
  LineServer server;
  Running running(source_of(server));
  const std::vector<Split> splits = running.reader->snapshot(1);
  ASSERT_EQ(splits.size(), 1u);
  EXPECT_EQ(splits[0].id, "socket");
  EXPECT_THAT(splits[0].state, IsEmpty());
}

TEST(SocketTextSourceTest, AJobKnowsThatItIsReadByOneAtMostOnce) {
  StreamExecutionEnvironment env;
  env.from_source(SocketTextSource("localhost", 9999),
                  WatermarkStrategy<std::string>::no_watermarks(), "lines")
      .set_parallelism(2)
      .print();
  EXPECT_THAT(env.graph().nodes[0].caveat, HasSubstr("at most once"));
  EXPECT_THAT([&] { env.graph().check(); },
              ThrowsMessage<FatalError>(HasSubstr("is 2: it can be at most 1")));
}

TEST(SocketTextSourceTest, RefusesWhatCantWork) {
  EXPECT_THROW(SocketTextSource("localhost", 0), FatalError);
  EXPECT_THROW(SocketTextSource("localhost", 65536), FatalError);
  EXPECT_THROW(SocketTextSource("localhost", 1).delimiter(""), FatalError);
}

}  // namespace
}  // namespace weir
