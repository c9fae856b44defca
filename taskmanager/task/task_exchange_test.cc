// Tasks that send records to each other, over the channels within a TaskManager.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/control.pb.h"
#include "taskmanager/task/task.h"
#include "taskmanager/testing/memory_job.h"
#include "taskmanager/testing/recording_sender.h"
#include "taskmanager/testing/wired_tasks.h"

namespace weir {
namespace {

using namespace std::chrono_literals;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::Not;
using ::testing::UnorderedElementsAre;
using State = pb::TaskStateChanged;
using Mode = BarrierAligner::Mode;

constexpr int kA = 0;  // vertices
constexpr int kB = 1;
constexpr int kSink = 2;

class TaskExchangeTest : public testing::Test {
 protected:
  void TearDown() override {
    sink_->with([](MemoryJob& job) { job.hang_in_collect = false; });
    tasks_.reset();
  }

  // Two sources, and a task that writes the records of both to the sink.
  void run_two_sources(Mode mode = Mode::kExactlyOnce) {
    StreamExecutionEnvironment environment;
    auto a = source(environment, a_, "a");
    auto b = source(environment, b_, "b");
    a.union_with(b)
        .map([](std::string_view line) { return std::string(line); })
        .sink_to(MemorySink(sink_))
        .uid("out");
    run({.graph = environment.graph(), .vertices = {{{0}}, {{1}}, {{2, 3}}}},
        [mode](TaskSpec& spec) { spec.checkpoint_mode = mode; });
  }

  DataStream<std::string> source(StreamExecutionEnvironment& environment,
                                 const std::shared_ptr<MemoryJob>& job, const std::string& uid) {
    return environment
        .from_source(MemorySource(job), WatermarkStrategy<std::string>::no_watermarks(), uid)
        .uid(uid);
  }

  void run(WiredTasks::Options options, std::function<void(TaskSpec&)> adjust = [](TaskSpec&) {}) {
    options.sender = &sender_;
    options.adjust = std::move(adjust);
    tasks_ = std::make_unique<WiredTasks>(std::move(options));
    for (size_t i = 0; i < tasks_->size(); ++i) ASSERT_TRUE(sender_.reached(State::DEPLOYED));
    tasks_->start();
    for (size_t i = 0; i < tasks_->size(); ++i) ASSERT_TRUE(sender_.reached(State::RUNNING));
  }

  std::optional<pb::AcknowledgeCheckpoint> acknowledged(int64_t checkpoint, int vertex) {
    auto message = sender_.wait_for([&](const pb::FromTaskManager& sent) {
      return sent.has_acknowledge_checkpoint() &&
             sent.acknowledge_checkpoint().checkpoint_id() == checkpoint &&
             sent.acknowledge_checkpoint().task().vertex() == vertex;
    });
    if (!message) return std::nullopt;
    return message->acknowledge_checkpoint();
  }
  // Records in the sink's transaction of this checkpoint.
  uint64_t prepared(int64_t checkpoint) {
    const auto acknowledge = acknowledged(checkpoint, kSink);
    uint64_t records = 0;
    if (!acknowledge) return 0;
    for (const auto& state : acknowledge->operators()) {
      for (const auto& committable : state.committables()) {
        if (committable.checkpoint_id() == checkpoint) records += committable.records();
      }
    }
    return records;
  }

  void feed(MemoryJob& job, std::vector<std::string> batch) {
    job.with([&](MemoryJob& fed) { fed.batches.push_back(std::move(batch)); });
  }
  // Feeds, and waits until the reading task has it: what was polled was sent before the next poll.
  void send(MemoryJob& job, const std::string& record) {
    const int before = [&] {
      const std::lock_guard<std::mutex> lock(job.mutex);
      job.batches.push_back({record});
      return job.records_read;
    }();
    job.changed.notify_all();
    ASSERT_TRUE(job.wait([&] { return job.records_read > before; }));
    const int polls = [&] {
      const std::lock_guard<std::mutex> lock(job.mutex);
      return job.polls;
    }();
    ASSERT_TRUE(job.wait([&] { return job.polls > polls; }));
  }
  void trigger(int vertex, int64_t checkpoint, bool stop_sources = false) {
    tasks_->task(vertex).trigger_checkpoint(
        {.checkpoint = CheckpointId(checkpoint), .stop_sources = stop_sources});
  }
  bool written(const std::string& record) {
    return sink_->wait([&] {
      return std::find(sink_->written.begin(), sink_->written.end(), record) !=
             sink_->written.end();
    });
  }
  std::vector<std::string> all_written() {
    const std::lock_guard<std::mutex> lock(sink_->mutex);
    return sink_->written;
  }

  std::shared_ptr<MemoryJob> a_ = std::make_shared<MemoryJob>();
  std::shared_ptr<MemoryJob> b_ = std::make_shared<MemoryJob>();
  std::shared_ptr<MemoryJob> sink_ = std::make_shared<MemoryJob>();
  RecordingSender sender_;
  std::unique_ptr<WiredTasks> tasks_;
};

TEST_F(TaskExchangeTest, RecordsOfAllProducersArrive) {
  run_two_sources();
  feed(*a_, {"a1", "a2"});
  feed(*b_, {"b1"});
  EXPECT_TRUE(written("a1") && written("a2") && written("b1"));
  trigger(kA, 1);
  trigger(kB, 1);
  ASSERT_TRUE(acknowledged(1, kSink));  // the batches are finished
  EXPECT_EQ(tasks_->task(kA).metrics().records_out(), 2u);
  EXPECT_EQ(tasks_->task(kSink).metrics().records_in(), 3u);
}

TEST_F(TaskExchangeTest, WhatIsLeftInABufferIsSentAtItsDeadline) {
  StreamExecutionEnvironment environment;
  source(environment, a_, "a").rebalance().sink_to(MemorySink(sink_)).uid("out");
  run({.graph = environment.graph(), .vertices = {{{0}}, {{1}}}},
      [](TaskSpec& spec) { spec.buffer_timeout = 20ms; });
  feed(*a_, {"a1"});
  EXPECT_TRUE(written("a1"));
}

TEST_F(TaskExchangeTest, AStreamGoesToReadersInsideAndOutsideTheChain) {
  auto inside = std::make_shared<MemoryJob>();
  StreamExecutionEnvironment environment;
  auto a = source(environment, a_, "a");
  a.sink_to(MemorySink(inside)).uid("inside");
  a.rebalance().sink_to(MemorySink(sink_)).uid("out");
  a.broadcast().sink_to(MemorySink(b_)).uid("copies");
  run({.graph = environment.graph(), .vertices = {{{0, 1}}, {{2}, 2}, {{3}, 2}}});
  feed(*a_, {"a1", "a2"});
  ASSERT_TRUE(inside->wait([&] { return inside->written.size() == 2; }));
  ASSERT_TRUE(sink_->wait([&] { return sink_->written.size() == 2; }));
  ASSERT_TRUE(b_->wait([&] { return b_->written.size() == 4; }));
  EXPECT_THAT(inside->written, ElementsAre("a1", "a2"));
  EXPECT_THAT(sink_->written, UnorderedElementsAre("a1", "a2"));
  EXPECT_THAT(b_->written, UnorderedElementsAre("a1", "a1", "a2", "a2"));
}

TEST_F(TaskExchangeTest, ABarrierGoesThroughAllTasks) {
  run_two_sources();
  send(*a_, "a1");
  ASSERT_TRUE(written("a1"));
  trigger(kA, 1);
  trigger(kB, 1);
  EXPECT_TRUE(acknowledged(1, kA));
  EXPECT_TRUE(acknowledged(1, kB));
  EXPECT_EQ(prepared(1), 1u);
}

TEST_F(TaskExchangeTest, AChannelWhoseBarrierHasComeWaitsForTheOthers) {
  run_two_sources();
  send(*a_, "a1");
  trigger(kA, 1);
  ASSERT_TRUE(acknowledged(1, kA));
  send(*a_, "a2");
  send(*b_, "b1");
  ASSERT_TRUE(written("a1") && written("b1"));
  trigger(kB, 1);
  EXPECT_EQ(prepared(1), 2u);  // a1 and b1
  EXPECT_TRUE(written("a2"));
  EXPECT_THAT(all_written(), ElementsAre("a1", "b1", "a2"));
}

TEST_F(TaskExchangeTest, AtLeastOnceNoChannelWaits) {
  run_two_sources(Mode::kAtLeastOnce);
  trigger(kA, 1);
  ASSERT_TRUE(acknowledged(1, kA));
  send(*a_, "a1");
  EXPECT_TRUE(written("a1"));
  trigger(kB, 1);
  EXPECT_EQ(prepared(1), 1u);
}

TEST_F(TaskExchangeTest, TheAlignmentAndTheStartsDelayAreMeasured) {
  run_two_sources();
  const int64_t long_ago_ms = unix_now_ms() - 5000;
  tasks_->task(kA).trigger_checkpoint(
      {.checkpoint = CheckpointId(1), .trigger_time_ms = long_ago_ms});
  ASSERT_TRUE(acknowledged(1, kA));
  send(*b_, "b1");
  ASSERT_TRUE(written("b1"));
  tasks_->task(kB).trigger_checkpoint(
      {.checkpoint = CheckpointId(1), .trigger_time_ms = long_ago_ms});
  const auto acknowledge = acknowledged(1, kSink);
  ASSERT_TRUE(acknowledge);
  EXPECT_GT(acknowledge->alignment_duration_us(), 0);
  EXPECT_GE(acknowledge->start_delay_us(), 5'000'000);
  EXPECT_LT(acknowledge->start_delay_us(), 60'000'000);
}

TEST_F(TaskExchangeTest, AnAbortLetsWaitingChannelsGoOn) {
  run_two_sources();
  trigger(kA, 1);
  ASSERT_TRUE(acknowledged(1, kA));
  send(*a_, "a1");
  EXPECT_THAT(all_written(), Not(Contains("a1")));
  tasks_->task(kSink).notify_checkpoint_aborted(CheckpointId(1));
  EXPECT_TRUE(written("a1"));
  trigger(kB, 1);  // late: nobody waits for it
  trigger(kA, 2);
  trigger(kB, 2);
  EXPECT_EQ(prepared(2), 1u);
  EXPECT_EQ(sender_.count([](const auto& sent) { return sent.has_decline_checkpoint(); }), 0);
}

TEST_F(TaskExchangeTest, ABarrierThatANewerOneOvertakesIsDeclined) {
  run_two_sources();
  trigger(kA, 1);
  trigger(kB, 2);
  const auto decline = sender_.declined();
  ASSERT_TRUE(decline);
  EXPECT_EQ(decline->checkpoint_id(), 1);
  EXPECT_EQ(decline->task().vertex(), kSink);
  trigger(kA, 2);
  EXPECT_TRUE(acknowledged(2, kSink));
}

TEST_F(TaskExchangeTest, NothingIsReadWhileTheReaderTakesNothing) {
  sink_->with([](MemoryJob& job) { job.writable = false; });
  run_two_sources();
  constexpr int kBatches = 2000;
  for (int i = 0; i < kBatches; ++i) feed(*a_, {std::string(1000, 'x')});
  // It has stopped for longer than the task ever waits for anything else.
  const auto backpressured = [&] { return tasks_->task(kA).metrics().backpressured_ms(); };
  const auto deadline = std::chrono::steady_clock::now() + 10s;
  while (backpressured() < 200 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(1ms);
  }
  EXPECT_GE(backpressured(), 200u);
  a_->with([&](MemoryJob& job) { EXPECT_LT(job.records_read, kBatches); });
  trigger(kA, 1);  // barriers are taken all the same
  EXPECT_TRUE(acknowledged(1, kA));
  trigger(kB, 1);
  sink_->with([](MemoryJob& job) { job.writable = true; });
  EXPECT_TRUE(a_->wait([&] { return a_->records_read == kBatches; }));
}

TEST_F(TaskExchangeTest, CancelEndsAWriteThatWaitsForABuffer) {
  sink_->with([](MemoryJob& job) { job.writable = false; });
  run_two_sources();
  feed(*a_, std::vector<std::string>(100, std::string(30'000, 'x')));
  ASSERT_TRUE(a_->wait([&] { return a_->records_read == 100; }));
  tasks_->task(kA).cancel();
  EXPECT_TRUE(sender_.reached(State::CANCELED, kA));
}

TEST_F(TaskExchangeTest, CancelEndsTasksThatWaitForRecords) {
  run_two_sources();
  tasks_->task(kSink).cancel();
  EXPECT_TRUE(sender_.reached(State::CANCELED, kSink));
  tasks_->task(kA).cancel();
  tasks_->task(kB).cancel();
  EXPECT_TRUE(tasks_->end());
}

TEST_F(TaskExchangeTest, AProducersFailureFailsItsReadersAtOnceWithItsCause) {
  run_two_sources();
  a_->with([](MemoryJob& job) { job.on_poll = [] { throw Error("no broker"); }; });
  const auto producer = sender_.reached(State::FAILED, kA);
  ASSERT_TRUE(producer);
  EXPECT_EQ(producer->cause(), "no broker");
  const auto reader = sender_.reached(State::FAILED, kSink);
  ASSERT_TRUE(reader);
  EXPECT_THAT(reader->cause(), HasSubstr("vertex 0 (1/1)"));
  EXPECT_THAT(reader->cause(), HasSubstr("no broker"));
  EXPECT_EQ(sender_.count([](const pb::FromTaskManager& sent) {
    return sent.has_task_state_changed() && sent.task_state_changed().task().vertex() == kB;
  }),
            0);
}

TEST_F(TaskExchangeTest, ATaskWithoutItsProducersFailsByName) {
  StreamExecutionEnvironment environment;
  source(environment, a_, "a").rebalance().sink_to(MemorySink(sink_)).uid("out");
  WiredTasks::Options options{.graph = environment.graph(), .vertices = {{{0}}, {{1}}}};
  options.sender = &sender_;
  options.adjust = [](TaskSpec& spec) {
    for (GateSpec& gate : spec.gates) gate.channels[0].partition.subtask = 5;
  };
  tasks_ = std::make_unique<WiredTasks>(std::move(options));
  ASSERT_TRUE(sender_.reached(State::DEPLOYED) && sender_.reached(State::DEPLOYED));
  tasks_->start();
  const auto failed = sender_.reached(State::FAILED, 1);
  ASSERT_TRUE(failed);
  EXPECT_THAT(failed->cause(), HasSubstr("edge 0 of vertex 0 subtask 5"));
}

TEST_F(TaskExchangeTest, TheEndOfAllInputsIsTheEndOfTheReaderAndTheLastCheckpointFollows) {
  run_two_sources();
  feed(*a_, {"a1"});
  a_->with([](MemoryJob& job) { job.end_of_input = true; });
  ASSERT_TRUE(sender_.reached(State::DRAINED, kA));
  send(*b_, "b1");
  ASSERT_TRUE(written("a1") && written("b1"));
  const auto is_drained = [](const pb::FromTaskManager& sent) {
    return sent.has_task_state_changed() && sent.task_state_changed().state() == State::DRAINED;
  };
  EXPECT_EQ(sender_.count(is_drained), 0);
  b_->with([](MemoryJob& job) { job.end_of_input = true; });
  ASSERT_TRUE(sender_.reached(State::DRAINED, kB));
  ASSERT_TRUE(sender_.reached(State::DRAINED, kSink));
  trigger(kA, 1, true);
  trigger(kB, 1, true);
  EXPECT_EQ(prepared(1), 2u);
  tasks_->task(kSink).notify_checkpoint_complete(CheckpointId(1));
  EXPECT_TRUE(sink_->wait([&] { return !sink_->committed.empty(); }));
}

TEST_F(TaskExchangeTest, TooLittleNetworkMemoryFailsTheTaskThatLacksIt) {
  StreamExecutionEnvironment environment;
  source(environment, a_, "a").rebalance().sink_to(MemorySink(sink_)).uid("out");
  WiredTasks::Options options{.graph = environment.graph(), .vertices = {{{0}}, {{1}}}};
  options.sender = &sender_;
  options.adjust = [](TaskSpec& spec) {
    for (PartitionSpec& output : spec.outputs) output.channels = 1000;
  };
  tasks_ = std::make_unique<WiredTasks>(std::move(options));
  const auto failed = sender_.reached(State::FAILED, 0);
  ASSERT_TRUE(failed);
  EXPECT_THAT(failed->cause(), HasSubstr("taskmanager.memory.network"));
}

}  // namespace
}  // namespace weir
