#include <gmock/gmock.h>

#include <memory>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "common/status_matchers.h"
#include "taskmanager/network/element_assembler.h"
#include "taskmanager/network/network_environment.h"
#include "taskmanager/network/testing/blocking_gate.h"

namespace weir {
namespace {

using testing::HasSubstr;

Event barrier(int64_t checkpoint) {
  return {.kind = Event::Kind::kBarrier, .checkpoint = CheckpointId(checkpoint)};
}

std::unique_ptr<NetworkEnvironment> start_environment(int64_t memory_bytes = 4 << 20) {
  auto environment = NetworkEnvironment::start({.host = "127.0.0.1", .memory_bytes = memory_bytes});
  EXPECT_THAT(environment, IsOk());
  return *std::move(environment);
}

// Two TaskManagers: one produces, the other reads.
class RemoteExchangeTest : public testing::Test {
 protected:
  std::unique_ptr<ResultPartition> add_partition(int subtask = 0, int channels = 1) {
    auto partition = producing_->create_partition(
        {.id = id(subtask), .name = "Map (1/2)", .channels = channels, .on_available = [this] {
           MutexLock lock(mutex_);
           available_ = true;
           changed_.notify_all();
         }});
    EXPECT_THAT(partition, IsOk());
    return *std::move(partition);
  }
  static PartitionId id(int subtask) { return {.vertex = 1, .edge = 2, .subtask = subtask}; }

  InputChannel from(int subtask, int channel = 0) {
    return {id(subtask), channel, producing_->address()};
  }
  std::unique_ptr<BlockingGate> read(std::vector<InputChannel> channels) {
    return std::make_unique<BlockingGate>(*reading_, std::move(channels));
  }

  void wait_until_writable(ResultPartition& partition) {
    while (!partition.writable()) {
      MutexLock lock(mutex_);
      const auto deadline = std::chrono::steady_clock::now() + BlockingGate::kPatience;
      while (!available_) WEIR_CHECK(changed_.wait_until(mutex_, deadline)) << "no buffer came";
      available_ = false;
    }
  }

  std::unique_ptr<NetworkEnvironment> producing_ = start_environment();
  std::unique_ptr<NetworkEnvironment> reading_ = start_environment();

 private:
  Mutex mutex_;
  CondVar changed_;
  bool available_ WEIR_GUARDED_BY(mutex_) = false;
};

TEST_F(RemoteExchangeTest, RecordsAndEventsComeInTheirOrder) {
  auto partition = add_partition();
  auto gate = read({from(0)});
  partition->write(0, "one");
  partition->write(0, "two");
  partition->broadcast_event(barrier(5));
  partition->write(0, "three");
  partition->finish();
  EXPECT_EQ(gate->next_text(), "0: onetwo");
  EXPECT_EQ(gate->next_text(), "0: barrier 5");
  EXPECT_EQ(gate->next_text(), "0: three");
  EXPECT_EQ(gate->next_text(), "0: end of partition");
  EXPECT_TRUE(partition->all_taken());
}

TEST_F(RemoteExchangeTest, EachChannelGoesToItsReader) {
  auto first = add_partition(0, 2);
  auto second = add_partition(1, 2);
  auto left = read({from(0, 0), from(1, 0)});
  auto right = read({from(0, 1), from(1, 1)});
  first->write(0, "a");
  first->flush();
  EXPECT_EQ(left->next_text(), "0: a");
  second->write(0, "b");
  second->flush();
  EXPECT_EQ(left->next_text(), "1: b");
  second->write(1, "c");
  second->flush();
  EXPECT_EQ(right->next_text(), "1: c");
}

TEST_F(RemoteExchangeTest, AnElementLargerThanABufferIsPutTogetherAgain) {
  auto partition = add_partition();
  auto gate = read({from(0)});
  std::string large;
  while (large.size() < 100 * kBufferBytes) large += std::to_string(large.size()) + ",";
  std::thread writer([&] {
    partition->write(0, large);
    partition->finish();
  });
  ElementAssembler assembler;
  std::string received;
  while (auto item = gate->next()) {
    const Buffer* buffer = std::get_if<Buffer>(&item->content);
    if (!buffer) break;
    received += assembler.add(*buffer);
  }
  writer.join();
  EXPECT_TRUE(received == large);
}

TEST_F(RemoteExchangeTest, AReaderThatStandsStillStopsTheWriterAndMemoryStaysWithinTheQuotas) {
  auto partition = add_partition();
  auto gate = read({from(0)});
  const std::string full(kBufferBytes, 'f');
  const int at_the_sender = 10;
  const int least_at_the_reader = 2;
  const int most_at_the_reader = 10;
  int written = 0;
  for (; written < at_the_sender + least_at_the_reader; ++written) {
    wait_until_writable(*partition);
    partition->write(0, full);
  }
  for (int attempt = 0; attempt < 10'000; ++attempt) {
    if (!partition->writable()) continue;
    partition->write(0, full);
    ++written;
  }
  EXPECT_LE(written, at_the_sender + most_at_the_reader);
  partition->finish();
  for (int i = 0; i < written; ++i) EXPECT_EQ(gate->next_text(), "0: " + full);
  wait_until_writable(*partition);
}

TEST_F(RemoteExchangeTest, ABlockedChannelStopsOnlyItsOwnSender) {
  auto first = add_partition(0);
  auto second = add_partition(1);
  auto gate = read({from(0), from(1)});
  first->broadcast_event(barrier(1));
  EXPECT_EQ(gate->next_text(), "0: barrier 1");
  gate->gate().block(0);
  const std::string full(kBufferBytes, 'f');
  for (int i = 0; i < 10; ++i) first->write(0, full);
  first->finish();
  for (int i = 0; i < 100; ++i) {
    second->write(0, full);
    second->flush();
    EXPECT_EQ(gate->next_text(), "1: " + full);
  }
  gate->gate().unblock(0);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(gate->next_text(), "0: " + full);
}

TEST_F(RemoteExchangeTest, APriorityEventOvertakesAtBothEnds) {
  auto partition = add_partition();
  auto gate = read({from(0)});
  const std::string full(kBufferBytes, 'f');
  for (int i = 0; i < 12; ++i) {
    wait_until_writable(*partition);
    partition->write(0, full);
  }
  gate->gate().block(0);
  const auto overtaken = partition->broadcast_priority_event(barrier(7));
  auto item = gate->next();
  ASSERT_TRUE(item);
  EXPECT_EQ(std::get<Event>(item->content), barrier(7));
  EXPECT_EQ(overtaken[0].size() + item->overtaken.size(), 12u);
  item.reset();  // or the buffers' credit doesn't come back
  gate->gate().unblock(0);
  for (int i = 0; i < 12; ++i) EXPECT_EQ(gate->next_text(), "0: " + full);
}

TEST_F(RemoteExchangeTest, APartitionThatNobodyProducesFailsTheGateByName) {
  auto gate = read({from(3)});
  EXPECT_THAT(gate->wait_for_failure(),
              StatusIs(absl::StatusCode::kNotFound,
                       HasSubstr("input of 'Sink (1/1)': edge 2 of vertex 1 subtask 3")));
}

TEST_F(RemoteExchangeTest, AChannelThatThePartitionHasNotFailsTheGate) {
  auto partition = add_partition();
  auto gate = read({from(0, 5)});
  EXPECT_THAT(gate->wait_for_failure(),
              StatusIs(absl::StatusCode::kOutOfRange, HasSubstr("none with number 5")));
}

TEST_F(RemoteExchangeTest, ATaskManagerThatIsNotThereFailsTheGateByAddress) {
  const std::string address = producing_->address();
  producing_.reset();
  auto gate = read({{id(0), 0, address}});
  EXPECT_THAT(gate->wait_for_failure(),
              StatusIs(absl::StatusCode::kUnavailable,
                       HasSubstr("TaskManager at " + address + ": Connection refused")));
}

TEST_F(RemoteExchangeTest, AnAddressThatIsNoneFailsTheGate) {
  EXPECT_THAT(read({{id(0), 0, "nowhere"}})->wait_for_failure(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("nowhere")));
}

TEST_F(RemoteExchangeTest, TheProducersFailureIsToldWithItsCause) {
  auto partition = add_partition();
  auto gate = read({from(0)});
  partition->write(0, "record");
  partition->flush();
  EXPECT_EQ(gate->next_text(), "0: record");
  partition->fail(absl::InternalError("division by zero"));
  EXPECT_THAT(gate->wait_for_failure(),
              StatusIs(absl::StatusCode::kInternal,
                       HasSubstr("'Map (1/2)', which sends it, failed: division by zero")));
}

TEST_F(RemoteExchangeTest, AProducerThatIsCancelledFailsItsReader) {
  auto partition = add_partition();
  auto gate = read({from(0)});
  partition->broadcast_event(barrier(1));
  EXPECT_EQ(gate->next_text(), "0: barrier 1");
  partition.reset();
  EXPECT_THAT(gate->wait_for_failure(), StatusIs(absl::StatusCode::kCancelled));
}

TEST_F(RemoteExchangeTest, AnEndedChannelOutlivesItsProducer) {
  auto partition = add_partition();
  auto gate = read({from(0)});
  partition->write(0, "last");
  partition->finish();
  EXPECT_EQ(gate->next_text(), "0: last");
  EXPECT_EQ(gate->next_text(), "0: end of partition");
  partition.reset();
  producing_.reset();
  EXPECT_THAT(gate->failure(), IsOk());
}

TEST_F(RemoteExchangeTest, AGateThatGoesLeavesOthersOnItsConnectionAlone) {
  auto first = add_partition(0);
  auto second = add_partition(1);
  auto left = read({from(0)});
  auto right = read({from(1)});
  const std::string full(kBufferBytes, 'f');
  for (int i = 0; i < 10; ++i) first->write(0, full);
  left.reset();
  for (int i = 0; i < 100; ++i) {
    second->write(0, full);
    second->flush();
    EXPECT_EQ(right->next_text(), "0: " + full);
  }
  EXPECT_THAT(right->failure(), IsOk());
}

TEST_F(RemoteExchangeTest, AfterTheLastGateAnotherOneConnectsAnew) {
  for (int attempt = 0; attempt < 20; ++attempt) {
    auto partition = add_partition(attempt);
    auto gate = read({from(attempt)});
    partition->write(0, "record");
    if (attempt % 2 == 0) {
      partition->finish();
    } else {
      partition->flush();
    }
    EXPECT_EQ(gate->next_text(), "0: record");
  }
}

TEST_F(RemoteExchangeTest, AGateThatFindsNoMemoryIsRefusedByName) {
  auto small = start_environment(8 * static_cast<int64_t>(kBufferBytes));
  std::vector<InputChannel> channels(5, from(0));
  EXPECT_THAT(small->create_gate({.name = "Sink (1/1)", .channels = channels}),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       HasSubstr("'Sink (1/1)' needs 10 network buffers of 32 kb, 8 of 8 are")));
}

TEST_F(RemoteExchangeTest, APortThatIsTakenIsNamedWithTheRemedy) {
  EXPECT_THAT(NetworkEnvironment::start({.port = producing_->port()}),
              StatusIs(absl::StatusCode::kUnavailable,
                       HasSubstr("can't listen on 127.0.0.1:" + std::to_string(producing_->port()) +
                                 ": Address already in use: set taskmanager.data.port")));
}

}  // namespace
}  // namespace weir
