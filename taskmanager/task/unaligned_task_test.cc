// Unaligned checkpoints of tasks that send to each other: taken while readers take nothing,
// restored at other parallelisms.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <random>

#include "proto/control.pb.h"
#include "taskmanager/testing/counting.h"
#include "taskmanager/testing/memory_job.h"
#include "taskmanager/testing/recording_sender.h"
#include "taskmanager/testing/wired_tasks.h"
#include "weir/keyed_stream.h"

namespace weir {
namespace {

using namespace std::chrono_literals;
using ::testing::Gt;
using State = pb::TaskStateChanged;
using Streams = std::map<std::pair<int, int>, RestoredChannel>;  // by consumer and producer

constexpr int kWords = 0;  // vertices, and nodes but for the sink
constexpr int kMap = 1;
constexpr int kCount = 2;
const char* const kUids[] = {"words", "map", "count", "out"};

std::vector<std::string> random_words(int count) {
  std::mt19937 random(7);
  std::vector<std::string> words;
  for (int i = 0; i < count; ++i) {
    const unsigned key = random() % 300;
    // Now and then one that is larger than a buffer.
    words.push_back("w" + std::to_string(key) + std::string(key == 0 ? 70'000 : 20, 'x'));
  }
  return words;
}

class UnalignedTaskTest : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder_); }
  void TearDown() override {
    tasks_.reset();
    std::filesystem::remove_all(folder_);
  }

  // words ═ in turn ═▶ map ═ by key ═▶ count → sink, from the last checkpoint on.
  void run(int parallelism) {
    deploy(parallelism);
    tasks_->start();
    for (size_t i = 0; i < tasks_->size(); ++i) ASSERT_TRUE(sender_.reached(State::RUNNING));
  }
  void deploy(int parallelism) {
    tasks_.reset();
    source_ = std::make_shared<MemoryJob>();
    sink_ = std::make_shared<MemoryJob>();
    parallelism_ = parallelism;
    StreamExecutionEnvironment environment;
    environment
        .from_source(MemorySource(source_), WatermarkStrategy<std::string>::no_watermarks(),
                     "words")
        .uid("words")
        .rebalance()
        .map([](std::string_view word) { return std::string(word); })
        .uid("map")
        .key_by([](std::string_view word) { return std::string(word); })
        .process(Counting())
        .uid("count")
        .sink_to(MemorySink(sink_))
        .uid("out");
    tasks_ = std::make_unique<WiredTasks>(
        WiredTasks::Options{.graph = environment.graph(),
                            .vertices = {{{0}}, {{1}, parallelism}, {{2, 3}, parallelism}},
                            .sender = &sender_,
                            .adjust = [this](TaskSpec& spec) { adjust(spec); }});
    for (size_t i = 0; i < tasks_->size(); ++i) ASSERT_TRUE(sender_.reached(State::DEPLOYED));
  }

  void adjust(TaskSpec& spec) {
    spec.unaligned_checkpoints = true;
    spec.restored = restored_;
    for (GateSpec& gate : spec.gates) {
      for (const auto& [channel, restored] : in_flight_[kUids[gate.edge.to]]) {
        const bool takes = gate.edge.partitioning == Partitioning::kHash ||
                           channel.first % spec.parallelism == spec.subtask;
        if (takes) gate.restored.push_back(restored);
      }
    }
  }

  void feed(size_t begin, size_t end) {
    constexpr size_t kBatch = 100;
    source_->with([&](MemoryJob& job) {
      for (size_t at = begin; at < end; at += kBatch) {
        job.batches.emplace_back(words_.begin() + at, words_.begin() + std::min(end, at + kBatch));
      }
    });
  }
  // Nothing is read any more: the sink takes nothing, and all buffers are full.
  void wait_until_all_stand_still() {
    int before = -1;
    ASSERT_TRUE(source_->wait([&] { return source_->records_read > 0; }));
    while (true) {
      const uint64_t backpressured = tasks_->task(kWords).metrics().backpressured_ms();
      while (tasks_->task(kWords).metrics().backpressured_ms() < backpressured + 300) {
        std::this_thread::sleep_for(1ms);
      }
      const std::lock_guard<std::mutex> lock(source_->mutex);
      if (std::exchange(before, source_->records_read) == source_->records_read) return;
    }
  }

  void trigger(int64_t checkpoint, int64_t aligned_until_ms) {
    const std::string address = "file://" + folder_ + "/job";
    tasks_->task(kWords).trigger_checkpoint(
        {.checkpoint = CheckpointId(checkpoint),
         .aligned_until_ms = aligned_until_ms,
         .folder = address + "/chk-" + std::to_string(checkpoint),
         .shared_folder = address + "/shared"});
  }
  // All tasks' acknowledgements; fewer if some don't come.
  std::vector<pb::AcknowledgeCheckpoint> acknowledged(int64_t checkpoint) {
    return acknowledged(checkpoint, tasks_->size());
  }
  std::vector<pb::AcknowledgeCheckpoint> acknowledged(int64_t checkpoint, size_t tasks) {
    std::vector<pb::AcknowledgeCheckpoint> all;
    while (all.size() < tasks) {
      auto message = sender_.wait_for([&](const pb::FromTaskManager& sent) {
        return sent.has_acknowledge_checkpoint() &&
               sent.acknowledge_checkpoint().checkpoint_id() == checkpoint;
      });
      if (!message) break;
      all.push_back(message->acknowledge_checkpoint());
    }
    return all;
  }
  // What the next run() begins with.
  void restore_from(const std::vector<pb::AcknowledgeCheckpoint>& acknowledgements) {
    auto count = std::make_shared<pb::OperatorState>();
    count->set_uid("count");
    in_flight_.clear();
    for (const bool at_producer : {false, true}) {
      for (const pb::AcknowledgeCheckpoint& acknowledge : acknowledgements) {
        for (const pb::OperatorState& state : acknowledge.operators()) {
          add_in_flight(state.in_flight(), at_producer);
          if (at_producer) continue;
          for (const auto& keyed : state.keyed()) *count->add_keyed() = keyed;
          if (state.splits_size() > 0) position_ = std::stoul(state.splits(0).state()) + position_;
        }
      }
    }
    restored_ = {{"count", count}};
  }
  void add_in_flight(const pb::InFlightHandle& handle, bool at_producer) {
    for (int i = 0; i < handle.streams_size(); ++i) {
      const auto& stream = handle.streams(i);
      if (stream.at_producer() != at_producer) continue;
      auto& part =
          in_flight_[stream.consumer()][{stream.consumer_subtask(), stream.producer_subtask()}]
              .parts.emplace_back();
      part.stream = i;
      for (const auto& file : handle.files()) part.files.push_back(file.path());
    }
  }

  // Every word's last number is how often it was fed: nothing was lost, nothing came twice.
  void expect_all_counted() {
    std::map<std::string, int64_t> expected;
    for (const std::string& word : words_) ++expected[word];
    const auto counted = [&] {
      std::map<std::string, int64_t> counts;
      for (const std::string& line : sink_->written) {
        const size_t space = line.rfind(' ');
        counts[line.substr(0, space)] = std::stoll(line.substr(space + 1));
      }
      return counts;
    };
    EXPECT_TRUE(sink_->wait([&] { return counted() == expected; }));
    // Those that are too many come to the sink too, before what follows them.
    sink_->with([](MemoryJob& job) { job.written.clear(); });
    words_.resize(words_.size() + 300);
    for (int i = 0; i < 300; ++i) words_[words_.size() - 300 + i] = words_[i];
    feed(words_.size() - 300, words_.size());
    std::map<std::string, int64_t> again = expected;
    for (int i = 0; i < 300; ++i) ++again[words_[i]];
    std::erase_if(again, [&](const auto& entry) { return entry.second == expected[entry.first]; });
    EXPECT_TRUE(sink_->wait([&] { return counted() == again; }));
  }

  const std::string folder_ =
      testing::TempDir() + "unaligned_task_test-" + std::to_string(::getpid());
  std::vector<std::string> words_ = random_words(40'000);
  size_t position_ = 0;  // in words_, of the checkpoint
  size_t counted_ = 0;   // words in the checkpoint's state
  std::map<std::string, std::shared_ptr<const pb::OperatorState>> restored_;
  std::map<std::string, Streams> in_flight_;  // by consumer's uid
  int parallelism_ = 0;
  std::shared_ptr<MemoryJob> source_;
  std::shared_ptr<MemoryJob> sink_;
  RecordingSender sender_;
  std::unique_ptr<WiredTasks> tasks_;
};

uint64_t persisted_bytes(const std::vector<pb::AcknowledgeCheckpoint>& acknowledgements) {
  uint64_t bytes = 0;
  for (const auto& acknowledge : acknowledgements) bytes += acknowledge.persisted_bytes();
  return bytes;
}

TEST_F(UnalignedTaskTest, RecordsInFlightComeBackOnceAtAnyParallelism) {
  int64_t checkpoint = 0;
  for (const int parallelism : {2, 3, 1}) {
    SCOPED_TRACE(parallelism);
    run(parallelism);
    const size_t fed = position_ + 2000;
    feed(position_, fed);
    // All that was in flight too: each record that isn't in the state.
    ASSERT_TRUE(sink_->wait([&] { return sink_->written.size() == fed - counted_; }));
    sink_->with([](MemoryJob& job) { job.writable = false; });
    feed(fed, words_.size());
    wait_until_all_stand_still();
    trigger(++checkpoint, 0);
    const auto acknowledgements = acknowledged(checkpoint);
    ASSERT_EQ(acknowledgements.size(), tasks_->size());
    EXPECT_THAT(persisted_bytes(acknowledgements), Gt(100'000));
    for (const auto& acknowledge : acknowledgements) EXPECT_TRUE(acknowledge.unaligned());
    counted_ += sink_->written.size();
    restore_from(acknowledgements);
  }
  run(2);
  feed(position_, words_.size());
  expect_all_counted();
}

// Else a checkpoint would be under way for as long as those take, and expire again and again.
TEST_F(UnalignedTaskTest, ATaskRunsWhenTheRecordsInFlightAreFed) {
  run(2);
  sink_->with([](MemoryJob& job) { job.writable = false; });
  feed(0, words_.size());
  wait_until_all_stand_still();
  trigger(1, 0);
  restore_from(acknowledged(1));
  deploy(2);
  sink_->with([](MemoryJob& job) { job.writable = false; });
  tasks_->start();
  ASSERT_TRUE(sender_.reached(State::RUNNING));  // the source, which has nothing to feed
  while (tasks_->task(kCount).metrics().backpressured_ms() < 50) std::this_thread::sleep_for(1ms);
  EXPECT_EQ(sender_.count([](const pb::FromTaskManager& sent) {
    return sent.has_task_state_changed() && sent.task_state_changed().task().vertex() == kCount &&
           sent.task_state_changed().state() == State::RUNNING;
  }),
            0);
  sink_->with([](MemoryJob& job) { job.writable = true; });
  for (size_t i = 1; i < tasks_->size(); ++i) ASSERT_TRUE(sender_.reached(State::RUNNING));
  feed(position_, words_.size());
  expect_all_counted();
}

TEST_F(UnalignedTaskTest, ABarrierThatComesInTimeKeepsItsPlace) {
  run(2);
  feed(0, 2000);
  ASSERT_TRUE(sink_->wait([&] { return sink_->written.size() == 2000; }));
  trigger(1, unix_now_ms() + 3'600'000);
  const auto acknowledgements = acknowledged(1);
  ASSERT_EQ(acknowledgements.size(), tasks_->size());
  EXPECT_EQ(persisted_bytes(acknowledgements), 0u);
  for (const auto& acknowledge : acknowledgements) EXPECT_FALSE(acknowledge.unaligned());
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/job/chk-1/in-flight-1-0-0"));
  restore_from(acknowledgements);
  run(3);
  feed(position_, words_.size());
  expect_all_counted();
}

TEST_F(UnalignedTaskTest, ABarrierThatWaitsTooLongIsSentAhead) {
  run(2);
  sink_->with([](MemoryJob& job) { job.writable = false; });
  feed(0, words_.size());
  wait_until_all_stand_still();
  trigger(1, unix_now_ms() + 500);
  const auto acknowledgements = acknowledged(1);
  ASSERT_EQ(acknowledgements.size(), tasks_->size());
  EXPECT_THAT(persisted_bytes(acknowledgements), Gt(100'000));
  restore_from(acknowledgements);
  run(1);
  feed(position_, words_.size());
  expect_all_counted();
}

TEST_F(UnalignedTaskTest, ASinkThatTakesNothingAfterTheBarrierGetsNothing) {
  words_.assign(40'000,
                std::string(100, 'w'));  // buffers of more records than are processed at a time
  run(1);
  sink_->with([](MemoryJob& job) { job.writable = false; });
  feed(0, words_.size());
  wait_until_all_stand_still();
  sink_->with([](MemoryJob& job) {
    job.hang_in_collect = true;
    job.writable = true;
  });
  // At the first of a full buffer's records.
  ASSERT_TRUE(sink_->wait([&] { return sink_->hanging; }));
  trigger(1, 0);
  ASSERT_EQ(acknowledged(1, tasks_->size() - 1).size(), tasks_->size() - 1);
  size_t written = 0;
  sink_->with([&](MemoryJob& job) {
    job.on_prepare = [&] {
      sink_->with([&](MemoryJob& at_barrier) {
        at_barrier.writable = false;
        written = at_barrier.written.size();
      });
    };
    job.hang_in_collect = false;
  });
  ASSERT_EQ(acknowledged(1, 1).size(), 1u);
  const uint64_t backpressured = tasks_->task(kCount).metrics().backpressured_ms();
  while (tasks_->task(kCount).metrics().backpressured_ms() < backpressured + 50) {
    std::this_thread::sleep_for(1ms);
  }
  sink_->with([&](MemoryJob& job) { EXPECT_EQ(job.written.size(), written); });
}

TEST_F(UnalignedTaskTest, AnAbortedCheckpointLeavesNothingOpenAndTheNextIsTaken) {
  run(2);
  sink_->with([](MemoryJob& job) { job.writable = false; });
  feed(0, words_.size());
  wait_until_all_stand_still();
  trigger(1, unix_now_ms() + 3'600'000);  // never in time
  for (const int vertex : {kWords, kMap, kCount}) {
    for (int subtask = 0; subtask < (vertex == kWords ? 1 : 2); ++subtask) {
      tasks_->task(vertex, subtask).notify_checkpoint_aborted(CheckpointId(1));
    }
  }
  trigger(2, 0);
  const auto acknowledgements = acknowledged(2);
  ASSERT_EQ(acknowledgements.size(), tasks_->size());
  sink_->with([](MemoryJob& job) { job.writable = true; });
  expect_all_counted();  // what was recorded is processed all the same
  EXPECT_EQ(sender_.count([](const auto& sent) {
    return sent.has_acknowledge_checkpoint() && sent.acknowledge_checkpoint().checkpoint_id() == 1;
  }),
            0);
}

}  // namespace
}  // namespace weir
