// What a TaskManager does about another one that breaks off, or breaks the protocol.
#include <gmock/gmock.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/status_matchers.h"
#include "taskmanager/network/network_environment.h"
#include "taskmanager/network/testing/blocking_gate.h"
#include "taskmanager/network/testing/raw_peer.h"
#include "weir/error.h"

namespace weir {
namespace {

using testing::HasSubstr;

PartitionId id(int subtask) {
  return {.vertex = 1, .edge = 2, .subtask = subtask};
}

class PeerTest : public testing::Test {
 protected:
  std::unique_ptr<BlockingGate> read(std::vector<int> subtasks) {
    std::vector<InputChannel> channels;
    for (const int subtask : subtasks) channels.push_back({id(subtask), 0, peer_.address()});
    return std::make_unique<BlockingGate>(*environment_, channels);
  }
  // A gate whose channel, number 1, the peer has got the request for.
  std::unique_ptr<BlockingGate> read_from_peer() {
    auto gate = read({0});
    peer_.accept();
    EXPECT_TRUE(peer_.receive(FrameType::kOpen));
    peer_.greet();
    return gate;
  }
  void send_buffer(uint32_t channel, uint32_t number, std::string_view body) {
    peer_.send({.type = FrameType::kBuffer, .channel = channel, .number = number}, body);
  }

  std::unique_ptr<ResultPartition> produce() {
    auto partition =
        environment_->create_partition({.id = id(0),
                                        .name = "Map (1/2)",
                                        .channels = 1,
                                        .on_failure = [this](const absl::Status& status) {
                                          MutexLock lock(mutex_);
                                          failure_ = status;
                                          failed_.notify_all();
                                        }});
    EXPECT_THAT(partition, IsOk());
    return *std::move(partition);
  }
  // The peer reads channel 0 of the partition as its number 1.
  void open_from_peer(uint32_t credits) {
    peer_.connect(environment_->port());
    peer_.greet();
    peer_.open(1, id(0), 0, credits);
    EXPECT_TRUE(peer_.receive(FrameType::kHello));
  }
  absl::Status wait_for_partitions_failure() {
    MutexLock lock(mutex_);
    const auto deadline = std::chrono::steady_clock::now() + BlockingGate::kPatience;
    while (failure_.ok()) WEIR_CHECK(failed_.wait_until(mutex_, deadline)) << "no failure";
    return failure_;
  }
  void expect_refusal(const std::string& text) {
    const auto refusal = peer_.receive(FrameType::kError);
    ASSERT_TRUE(refusal);
    EXPECT_THAT(refusal->body, HasSubstr(text));
    EXPECT_FALSE(peer_.receive());
  }

  std::unique_ptr<NetworkEnvironment> environment_ =
      *NetworkEnvironment::start({.host = "127.0.0.1", .memory_bytes = 4 << 20});
  RawPeer peer_;

 private:
  Mutex mutex_;
  CondVar failed_;
  absl::Status failure_ WEIR_GUARDED_BY(mutex_);
};

TEST_F(PeerTest, AllGatesShareOneConnectionAndFailTogetherWhenTheProducerIsLost) {
  auto first = read({0, 1});
  auto second = read({2});
  peer_.accept();
  ASSERT_TRUE(peer_.receive(FrameType::kHello));
  for (int i = 0; i < 3; ++i) {
    const auto request = peer_.receive();
    ASSERT_TRUE(request);
    EXPECT_EQ(request->header.type, FrameType::kOpen);
    EXPECT_EQ(request->header.channel, static_cast<uint32_t>(i + 1));
    EXPECT_EQ(decode_open(request->body)->partition, id(i));
  }
  EXPECT_FALSE(peer_.connected_again());
  peer_.greet();
  peer_.close();
  for (BlockingGate* gate : {first.get(), second.get()}) {
    EXPECT_THAT(gate->wait_for_failure(),
                StatusIs(absl::StatusCode::kUnavailable,
                         HasSubstr("connection to the TaskManager at " + peer_.address() + ": ")));
  }
}

TEST_F(PeerTest, AnEndedChannelDoesNotMindTheProducersEnd) {
  auto gate = read({0, 1});
  peer_.accept();
  peer_.greet();
  peer_.send({.type = FrameType::kEvent, .channel = 1, .number = 1},
             encode_event(Event::end_of_partition()));
  peer_.send({.type = FrameType::kEvent, .channel = 2, .number = 1},
             encode_event(Event::end_of_partition()));
  EXPECT_EQ(gate->next_text(), "0: end of partition");
  EXPECT_EQ(gate->next_text(), "1: end of partition");
  EXPECT_FALSE(peer_.receive(FrameType::kError));  // the reader closes, and complains of nothing
  EXPECT_THAT(gate->failure(), IsOk());
}

TEST_F(PeerTest, CreditIsGivenForWhatTheReaderGaveBack) {
  auto gate = read_from_peer();
  send_buffer(1, 1, "a");
  EXPECT_EQ(gate->next_text(), "0: a");
  const auto credit = peer_.receive();
  ASSERT_TRUE(credit);
  EXPECT_EQ(credit->header.type, FrameType::kCredit);
  EXPECT_EQ(credit->header.channel, 1u);
  EXPECT_EQ(credit->header.number, 1u);
}

TEST_F(PeerTest, ABufferWithoutCreditIsRefused) {
  auto gate = read_from_peer();
  for (uint32_t i = 1; i <= 3; ++i) send_buffer(1, i, "unasked");
  EXPECT_THAT(gate->wait_for_failure(),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("no credit was given for")));
}

TEST_F(PeerTest, AMissingFrameIsNoticed) {
  auto gate = read_from_peer();
  send_buffer(1, 1, "first");
  send_buffer(1, 3, "third");
  EXPECT_THAT(
      gate->wait_for_failure(),
      StatusIs(absl::StatusCode::kDataLoss, HasSubstr("frame 3 of channel 1 came after frame 1")));
  expect_refusal("frame 3 of channel 1");
}

TEST_F(PeerTest, ARepeatedFrameIsNoticed) {
  auto gate = read_from_peer();
  send_buffer(1, 1, "first");
  send_buffer(1, 1, "first");
  EXPECT_THAT(
      gate->wait_for_failure(),
      StatusIs(absl::StatusCode::kDataLoss, HasSubstr("frame 1 of channel 1 came after frame 1")));
}

TEST_F(PeerTest, AChannelThatNobodyOpenedIsRefused) {
  auto gate = read_from_peer();
  send_buffer(9, 1, "what");
  EXPECT_THAT(gate->wait_for_failure(),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("channel 9, which isn't open")));
}

TEST_F(PeerTest, BytesThatAreNoFrameFailTheGate) {
  auto gate = read_from_peer();
  peer_.send("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(gate->wait_for_failure(),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("malformed frame")));
  expect_refusal("malformed frame");
}

TEST_F(PeerTest, WhatFollowsThePeersErrorIsNotReadAnyMore) {
  auto gate = read_from_peer();
  peer_.send(encode_error_frame(kNoChannel, absl::InternalError("sorry")) +
             "garbage that is longer than a header");
  EXPECT_THAT(gate->wait_for_failure(), StatusIs(absl::StatusCode::kInternal, HasSubstr("sorry")));
}

TEST_F(PeerTest, AConnectionThatNoGateNeedsAnyMoreEndsWithTheEnvironmentAtLast) {
  auto gate = read_from_peer();
  gate.reset();
  environment_.reset();
  while (const auto received = peer_.receive()) {
    EXPECT_EQ(received->header.type, FrameType::kClose);
  }
}

TEST_F(PeerTest, AProducerOfAnotherVersionIsRefusedNamingBoth) {
  auto gate = read({0});
  peer_.accept();
  peer_.send({.type = FrameType::kHello}, encode_hello({.version = 9, .address = "raw:1"}));
  EXPECT_THAT(gate->wait_for_failure(),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("version 9")));
}

TEST_F(PeerTest, AReaderOfAnotherVersionIsRefusedNamingBoth) {
  peer_.connect(environment_->port());
  peer_.send({.type = FrameType::kHello}, encode_hello({.version = 9, .address = "raw:1"}));
  expect_refusal("version 9");
}

TEST_F(PeerTest, AReaderThatDoesNotGreetIsRefused) {
  peer_.connect(environment_->port());
  peer_.open(1, id(0), 0, 2);
  expect_refusal("the first frame isn't a hello");
}

TEST_F(PeerTest, ARequestForWhatNobodyProducesIsAnsweredByName) {
  open_from_peer(2);
  const auto error = peer_.receive();
  ASSERT_TRUE(error);
  EXPECT_EQ(error->header.type, FrameType::kError);
  EXPECT_EQ(error->header.channel, 1u);
  EXPECT_THAT(status_of_error(error->header, error->body),
              StatusIs(absl::StatusCode::kNotFound,
                       HasSubstr("no task produces edge 2 of vertex 1 subtask 0")));
}

TEST_F(PeerTest, NothingButEventsIsSentWithoutCredit) {
  auto partition = produce();
  open_from_peer(0);
  partition->broadcast_event(Event::abort_checkpoint(CheckpointId(1)));
  EXPECT_EQ(peer_.receive()->header.type, FrameType::kEvent);
  for (int i = 0; i < 3; ++i) partition->write(0, std::string(kBufferBytes, 'f'));
  partition->broadcast_event(Event::abort_checkpoint(CheckpointId(2)));
  partition->broadcast_priority_event(Event::abort_checkpoint(CheckpointId(3)));
  const auto overtaking = peer_.receive();
  ASSERT_TRUE(overtaking);
  EXPECT_EQ(overtaking->header.type, FrameType::kEvent);
  EXPECT_TRUE(overtaking->header.priority);
  peer_.send({.type = FrameType::kCredit, .channel = 1, .number = 3}, "");
  for (int i = 0; i < 3; ++i) {
    const auto buffer = peer_.receive();
    ASSERT_TRUE(buffer);
    EXPECT_EQ(buffer->header.type, FrameType::kBuffer);
    EXPECT_EQ(buffer->header.backlog, 2 - i);
    EXPECT_EQ(buffer->header.number, static_cast<uint32_t>(i + 3));
  }
  EXPECT_EQ(decode_event(peer_.receive()->body)->checkpoint, CheckpointId(2));
}

TEST_F(PeerTest, ALostReaderFailsThePartitionAndEndsAWriteThatWaits) {
  auto partition = produce();
  open_from_peer(2);
  std::thread writer([&] {
    const std::string full(kBufferBytes, 'f');
    EXPECT_THROW(
        {
          while (true) partition->write(0, full);
        },
        Error);
  });
  ASSERT_TRUE(peer_.receive(FrameType::kBuffer));
  peer_.close();
  EXPECT_THAT(wait_for_partitions_failure(),
              StatusIs(absl::StatusCode::kUnavailable,
                       HasSubstr("channel 0 of 'Map (1/2)', read by the TaskManager at raw:1: ")));
  writer.join();
}

TEST_F(PeerTest, AReaderThatTookTheEndMayGo) {
  auto partition = produce();
  open_from_peer(2);
  partition->finish();
  ASSERT_TRUE(peer_.receive(FrameType::kEvent));
  peer_.close();
  EXPECT_TRUE(partition->all_taken());
}

TEST_F(PeerTest, AMalformedRequestFailsThePartitionsThatTheReaderHas) {
  auto partition = produce();
  open_from_peer(2);
  peer_.send("garbage that is longer than a header");
  EXPECT_THAT(wait_for_partitions_failure(),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("malformed frame")));
}

TEST_F(PeerTest, AReadersBufferIsRefused) {
  open_from_peer(2);
  send_buffer(1, 1, "backwards");
  EXPECT_TRUE(peer_.receive(FrameType::kError));
}

TEST_F(PeerTest, ADeadConnectionDoesNotStopTheNextOne) {
  for (int i = 0; i < 5; ++i) {
    RawPeer garbage;
    garbage.connect(environment_->port());
    garbage.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  }
  auto partition = produce();
  open_from_peer(2);
  partition->write(0, "record");
  partition->flush();
  EXPECT_EQ(peer_.receive(FrameType::kBuffer)->body, "record");
}

}  // namespace
}  // namespace weir
