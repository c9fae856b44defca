#include <gmock/gmock.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "common/status_matchers.h"
#include "taskmanager/network/element_assembler.h"
#include "taskmanager/network/input_gate.h"
#include "taskmanager/network/network_environment.h"
#include "taskmanager/network/result_partition.h"
#include "taskmanager/network/testing/blocking_gate.h"
#include "weir/error.h"

namespace weir {
namespace {

using std::chrono_literals::operator""ms;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Event barrier(int64_t checkpoint) {
  return {.kind = Event::Kind::kBarrier, .checkpoint = CheckpointId(checkpoint)};
}

Event timed_barrier(int64_t checkpoint) {
  return {
      .kind = Event::Kind::kBarrier, .checkpoint = CheckpointId(checkpoint), .aligned_until_ms = 5};
}

// Stands still until told, and counts who asks.
class WatchedClock final : public Clock {
 public:
  MonotonicTime now() const override {
    const MonotonicTime now = clock_.now();
    ++asked_;
    return now;
  }
  WallTime wall_now() const override { return clock_.wall_now(); }
  void advance(std::chrono::nanoseconds duration) { clock_.advance(duration); }
  int asked() const { return asked_; }

 private:
  ManualClock clock_;
  mutable std::atomic<int> asked_{0};
};

// An environment, partitions of it and a gate that reads channel 0 of each.
class LocalExchangeTest : public testing::Test {
 protected:
  ResultPartition& add_partition(int channels = 1) {
    const PartitionId id{.vertex = 1, .edge = 2, .subtask = static_cast<int>(partitions_.size())};
    auto partition = environment_->create_partition({.id = id,
                                                     .name = "Map (1/1)",
                                                     .channels = channels,
                                                     .on_available = [this] { ++writable_; },
                                                     .clock = &clock_});
    EXPECT_THAT(partition, IsOk());
    inputs_.push_back({id, 0, environment_->address()});
    partitions_.push_back(*std::move(partition));
    return *partitions_.back();
  }

  void start_gate() {
    gate_ = *environment_->create_gate(
        {.name = "Sink (1/1)",
         .channels = inputs_,
         .on_available = [this] { ++available_; },
         .on_failure = [this](const absl::Status& status) { failure_ = status; },
         .on_priority_event = [this] { ++events_; }});
    gate_->start();
  }

  // Empty if there is nothing.
  std::string poll() {
    const auto item = gate_->poll();
    return item ? to_text(*item) : "";
  }

  WatchedClock clock_;
  std::unique_ptr<NetworkEnvironment> environment_ =
      *NetworkEnvironment::start({.memory_bytes = 1 << 20});
  std::vector<std::unique_ptr<ResultPartition>> partitions_;
  std::vector<InputChannel> inputs_;
  std::unique_ptr<InputGate> gate_;
  int available_ = 0;
  int writable_ = 0;
  int events_ = 0;
  absl::Status failure_;
};

TEST_F(LocalExchangeTest, WhatIsWrittenComesAfterAFlush) {
  ResultPartition& partition = add_partition();
  start_gate();
  partition.write(0, "one");
  partition.write(0, "two");
  EXPECT_EQ(poll(), "");
  EXPECT_EQ(partition.bytes_sent(), 0u);
  partition.flush();
  EXPECT_EQ(partition.bytes_sent(), 6u);
  EXPECT_EQ(available_, 1);
  EXPECT_EQ(poll(), "0: onetwo");
  EXPECT_EQ(poll(), "");
}

TEST_F(LocalExchangeTest, EventsKeepTheirPlaceAmongTheRecords) {
  ResultPartition& partition = add_partition();
  start_gate();
  partition.write(0, "before");
  partition.broadcast_event(barrier(5));
  partition.write(0, "after");
  partition.finish();
  EXPECT_EQ(poll(), "0: before");
  EXPECT_EQ(poll(), "0: barrier 5");
  EXPECT_EQ(poll(), "0: after");
  EXPECT_FALSE(partition.all_taken());
  EXPECT_EQ(poll(), "0: end of partition");
  EXPECT_TRUE(partition.all_taken());
}

TEST_F(LocalExchangeTest, AReaderThatComesLaterGetsEverything) {
  ResultPartition& partition = add_partition();
  partition.write(0, "early");
  partition.broadcast_event(barrier(1));
  start_gate();
  EXPECT_EQ(available_, 1);
  EXPECT_EQ(poll(), "0: early");
  EXPECT_EQ(poll(), "0: barrier 1");
}

TEST_F(LocalExchangeTest, TheFlushIsDueOneTimeoutAfterTheFirstUnsentElement) {
  ResultPartition& partition = add_partition();
  start_gate();
  EXPECT_EQ(partition.flush_deadline(), MonotonicTime::max());
  partition.write(0, "one");
  const MonotonicTime due = clock_.now() + 100ms;
  EXPECT_EQ(partition.flush_deadline(), due);
  clock_.advance(50ms);
  partition.write(0, "two");
  EXPECT_EQ(partition.flush_deadline(), due);
  partition.flush();
  EXPECT_EQ(partition.flush_deadline(), MonotonicTime::max());
}

TEST_F(LocalExchangeTest, AFlushWaitsForAReaderThatIsBehind) {
  ResultPartition& partition = add_partition();
  start_gate();
  partition.write(0, "one");
  partition.flush();
  partition.write(0, "two");
  partition.flush();
  EXPECT_EQ(partition.flush_deadline(), clock_.now() + 100ms);
  EXPECT_EQ(poll(), "0: one");
  EXPECT_EQ(poll(), "");
  partition.flush();
  EXPECT_EQ(poll(), "0: two");
}

TEST_F(LocalExchangeTest, AnElementThatDoesNotFitBeginsANewBuffer) {
  ResultPartition& partition = add_partition();
  start_gate();
  const std::string most(kBufferBytes - 2, 'm');
  partition.write(0, most);
  partition.write(0, "abc");
  EXPECT_EQ(poll(), "0: " + most);
  partition.flush();
  EXPECT_EQ(poll(), "0: abc");
}

TEST_F(LocalExchangeTest, AnElementLargerThanABufferIsPutTogetherAgain) {
  ResultPartition& partition = add_partition();
  start_gate();
  std::string large;
  for (int i = 0; large.size() < 3 * kBufferBytes + 100; ++i) large += std::to_string(i) + ",";
  partition.write(0, "small");
  partition.write(0, large);
  partition.write(0, "next");
  partition.flush();
  partition.broadcast_event(Event::end_of_partition());
  ElementAssembler assembler;
  std::vector<std::string> elements;
  while (auto item = gate_->poll()) {
    if (const Buffer* buffer = std::get_if<Buffer>(&item->content)) {
      const std::string_view whole = assembler.add(*buffer);
      if (!whole.empty()) elements.emplace_back(whole);
    }
  }
  EXPECT_THAT(elements, ElementsAre("small", large + "next"));
  EXPECT_EQ(assembler.incomplete(), "");
}

TEST_F(LocalExchangeTest, ChannelsTakeTurns) {
  ResultPartition& first = add_partition();
  ResultPartition& second = add_partition();
  start_gate();
  for (int i = 0; i < 2; ++i) {
    first.broadcast_event(barrier(i));
    second.broadcast_event(barrier(i));
  }
  EXPECT_EQ(poll(), "0: barrier 0");
  EXPECT_EQ(poll(), "1: barrier 0");
  EXPECT_EQ(poll(), "0: barrier 1");
  EXPECT_EQ(poll(), "1: barrier 1");
}

TEST_F(LocalExchangeTest, ABlockedChannelKeepsWhatComesUntilItIsUnblocked) {
  ResultPartition& first = add_partition();
  ResultPartition& second = add_partition();
  start_gate();
  first.broadcast_event(barrier(1));
  EXPECT_EQ(poll(), "0: barrier 1");
  gate_->block(0);
  first.broadcast_event(barrier(2));
  second.broadcast_event(barrier(1));
  EXPECT_EQ(poll(), "1: barrier 1");
  EXPECT_EQ(poll(), "");
  gate_->unblock(0);
  EXPECT_EQ(poll(), "0: barrier 2");
}

TEST_F(LocalExchangeTest, APriorityEventOvertakesAndReturnsWhatItOvertook) {
  ResultPartition& first = add_partition();
  ResultPartition& second = add_partition();
  start_gate();
  second.broadcast_event(barrier(1));
  first.write(0, "sent");
  first.flush();
  first.write(0, "not sent");
  gate_->block(0);
  const auto overtaken = first.broadcast_priority_event(barrier(2));
  ASSERT_EQ(overtaken.size(), 1u);
  ASSERT_EQ(overtaken[0].size(), 2u);
  EXPECT_EQ(overtaken[0][0].bytes(), "sent");
  EXPECT_EQ(overtaken[0][1].bytes(), "not sent");
  EXPECT_EQ(poll(), "0: barrier 2");
  EXPECT_EQ(poll(), "1: barrier 1");
  EXPECT_EQ(poll(), "");
  gate_->unblock(0);
  EXPECT_EQ(poll(), "0: sent");
  EXPECT_EQ(poll(), "0: not sent");
}

TEST_F(LocalExchangeTest, ABarrierSentAheadOvertakesWhatWaitsBeforeIt) {
  ResultPartition& partition = add_partition();
  start_gate();
  partition.write(0, "before");
  partition.broadcast_event(timed_barrier(1));
  partition.write(0, "after");
  EXPECT_TRUE(partition.event_waits());
  const auto overtaken = partition.send_ahead(timed_barrier(1));
  EXPECT_FALSE(partition.event_waits());
  ASSERT_EQ(overtaken[0].size(), 1u);
  EXPECT_EQ(overtaken[0][0].bytes(), "before");
  EXPECT_EQ(poll(), "0: barrier 1");
  EXPECT_EQ(poll(), "0: before");
  partition.flush();
  EXPECT_EQ(poll(), "0: after");
}

TEST_F(LocalExchangeTest, ABarrierSentAheadThatHadLeftComesOnceMore) {
  ResultPartition& partition = add_partition();
  start_gate();
  partition.broadcast_event(timed_barrier(1));
  EXPECT_EQ(writable_, 0);
  EXPECT_EQ(poll(), "0: barrier 1");
  EXPECT_EQ(writable_, 1);  // it is told that the event has left
  EXPECT_FALSE(partition.event_waits());
  partition.write(0, "after");
  EXPECT_THAT(partition.send_ahead(timed_barrier(1))[0], IsEmpty());
  const auto again = gate_->poll_priority();
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->priority);
  EXPECT_EQ(events_, 1);
}

TEST_F(LocalExchangeTest, AReaderPullsABarrierAheadWithWhatItOvertakes) {
  ResultPartition& partition = add_partition();
  start_gate();
  gate_->pull_ahead(0, CheckpointId(1));
  EXPECT_EQ(poll(), "");
  partition.write(0, "before");
  partition.broadcast_event(timed_barrier(1));
  gate_->pull_ahead(0, CheckpointId(1));
  const auto item = gate_->poll_priority();
  ASSERT_TRUE(item);
  ASSERT_EQ(item->overtaken.size(), 1u);
  EXPECT_EQ(item->overtaken[0].bytes(), "before");
  EXPECT_THAT(partition.send_ahead(timed_barrier(1))[0], IsEmpty());
  EXPECT_TRUE(gate_->poll_priority()->overtaken.empty());
  EXPECT_FALSE(gate_->poll_priority());
  EXPECT_EQ(poll(), "0: before");
}

TEST_F(LocalExchangeTest, AStalledReaderStopsTheWriterAndIsHeardWhenItGoesOn) {
  ResultPartition& partition = add_partition();
  start_gate();
  const std::string full(kBufferBytes, 'f');
  int written = 0;
  for (; partition.writable(); ++written) partition.write(0, full);
  EXPECT_EQ(written, 10);  // two for the channel and eight
  EXPECT_EQ(writable_, 0);
  poll();
  EXPECT_EQ(writable_, 1);
  EXPECT_TRUE(partition.writable());
}

TEST_F(LocalExchangeTest, TheTimeThatAWriteWaitsIsMeasured) {
  ResultPartition& partition = add_partition();
  start_gate();
  const std::string full(kBufferBytes, 'f');
  while (partition.writable()) partition.write(0, full);
  EXPECT_EQ(partition.blocked(), 0ms);
  std::thread reader([&, before = clock_.asked()] {
    while (clock_.asked() == before) std::this_thread::yield();  // until the wait has begun
    clock_.advance(5ms);
    poll();
  });
  partition.write(0, full);
  reader.join();
  EXPECT_EQ(partition.blocked(), 5ms);
}

TEST_F(LocalExchangeTest, CancelEndsAWriteThatWaitsForABuffer) {
  ResultPartition& partition = add_partition();
  const std::string full(kBufferBytes, 'f');
  while (partition.writable()) partition.write(0, full);
  std::thread writer([&] { EXPECT_THROW(partition.write(0, full), Error); });
  partition.cancel();
  writer.join();
}

TEST_F(LocalExchangeTest, APartitionThatNobodyProducesFailsTheGateByName) {
  add_partition();
  partitions_.clear();
  start_gate();
  EXPECT_THAT(failure_, StatusIs(absl::StatusCode::kNotFound,
                                 HasSubstr("'Sink (1/1)': edge 2 of vertex 1 subtask 0")));
  EXPECT_EQ(poll(), "");
}

TEST_F(LocalExchangeTest, AProducersEndFailsItsReaderUnlessItReadEverything) {
  ResultPartition& partition = add_partition();
  start_gate();
  partition.finish();
  EXPECT_EQ(poll(), "0: end of partition");
  partitions_.clear();
  EXPECT_THAT(failure_, IsOk());

  inputs_.clear();
  add_partition().write(0, "lost");
  start_gate();
  partitions_.clear();
  EXPECT_THAT(failure_,
              StatusIs(absl::StatusCode::kCancelled, HasSubstr("'Map (1/1)', which sends it")));
}

TEST_F(LocalExchangeTest, AProducersFailureIsToldWithItsCause) {
  ResultPartition& partition = add_partition();
  start_gate();
  partition.fail(absl::InternalError("division by zero"));
  EXPECT_THAT(failure_, StatusIs(absl::StatusCode::kInternal, HasSubstr("division by zero")));
}

TEST_F(LocalExchangeTest, AChannelIsReadByOneGateOnly) {
  add_partition();
  start_gate();
  auto second = *environment_->create_gate(
      {.name = "Other (1/1)",
       .channels = inputs_,
       .on_failure = [this](const absl::Status& status) { failure_ = status; }});
  second->start();
  EXPECT_THAT(failure_, StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("is read already")));
}

TEST_F(LocalExchangeTest, APartitionIsProducedOnce) {
  ResultPartition& partition = add_partition();
  EXPECT_THAT(environment_->create_partition({.id = partition.id(), .name = "again"}),
              StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("is produced already")));
}

TEST_F(LocalExchangeTest, AllBuffersReturnToThePool) {
  ResultPartition& partition = add_partition(4);
  start_gate();
  for (int channel = 0; channel < 4; ++channel) partition.write(channel, "element");
  partition.broadcast_event(barrier(1));
  gate_.reset();
  partitions_.clear();
  EXPECT_EQ(environment_->pool().available(), environment_->pool().buffers());
}

}  // namespace
}  // namespace weir
