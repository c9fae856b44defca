// Tasks with keyed state: what their checkpoints hold, and what becomes of it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "proto/control.pb.h"
#include "taskmanager/testing/counting.h"
#include "taskmanager/testing/memory_job.h"
#include "taskmanager/testing/recording_sender.h"
#include "taskmanager/testing/wired_tasks.h"
#include "weir/keyed_stream.h"

namespace weir {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;
using State = pb::TaskStateChanged;

constexpr int kSource = 0;  // vertices
constexpr int kCount = 1;

class KeyedTaskTest : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder_); }
  void TearDown() override {
    tasks_.reset();
    std::filesystem::remove_all(folder_);
  }

  // words ═ by key ═▶ count → sink
  void run(int parallelism) {
    deploy(parallelism);
    tasks_->start();
    for (size_t i = 0; i < tasks_->size(); ++i) ASSERT_TRUE(sender_.reached(State::RUNNING));
  }
  void deploy(int parallelism, const std::string& state = "count") {
    tasks_.reset();
    source_ = std::make_shared<MemoryJob>();
    sink_ = std::make_shared<MemoryJob>();
    StreamExecutionEnvironment environment;
    environment
        .from_source(MemorySource(source_), WatermarkStrategy<std::string>::no_watermarks(),
                     "words")
        .uid("words")
        .key_by([](std::string_view word) { return std::string(word); })
        .process(Counting(state))
        .uid("count")
        .sink_to(MemorySink(sink_))
        .uid("out");
    tasks_ = std::make_unique<WiredTasks>(
        WiredTasks::Options{.graph = environment.graph(),
                            .vertices = {{{0}}, {{1, 2}, parallelism}},
                            .sender = &sender_,
                            .adjust = [this](TaskSpec& spec) { spec.restored = restored_; }});
    for (size_t i = 0; i < tasks_->size(); ++i) ASSERT_TRUE(sender_.reached(State::DEPLOYED));
  }

  // Feeds, and returns all that was ever written.
  std::vector<std::string> count(std::vector<std::string> words) {
    const size_t expected = [&] {
      const std::lock_guard<std::mutex> lock(sink_->mutex);
      return sink_->written.size() + words.size();
    }();
    source_->with([&](MemoryJob& job) { job.batches.push_back(std::move(words)); });
    EXPECT_TRUE(sink_->wait([&] { return sink_->written.size() == expected; }));
    const std::lock_guard<std::mutex> lock(sink_->mutex);
    return sink_->written;
  }

  void trigger(int64_t checkpoint) {
    const std::string address = "file://" + folder_ + "/job";
    tasks_->task(kSource).trigger_checkpoint(
        {.checkpoint = CheckpointId(checkpoint),
         .folder = address + "/chk-" + std::to_string(checkpoint),
         .shared_folder = address + "/shared"});
    // What is fed from here on is behind the barrier.
    EXPECT_TRUE(sender_.wait_for([&](const pb::FromTaskManager& sent) {
      return sent.has_acknowledge_checkpoint() &&
             sent.acknowledge_checkpoint().checkpoint_id() == checkpoint &&
             sent.acknowledge_checkpoint().task().vertex() == kSource;
    }));
  }
  std::optional<pb::OperatorState> stored(int64_t checkpoint, int subtask) {
    const auto message = sender_.wait_for([&](const pb::FromTaskManager& sent) {
      const pb::AcknowledgeCheckpoint& acknowledge = sent.acknowledge_checkpoint();
      return sent.has_acknowledge_checkpoint() && acknowledge.checkpoint_id() == checkpoint &&
             acknowledge.task().vertex() == kCount && acknowledge.task().subtask() == subtask;
    });
    if (!message) return std::nullopt;
    return message->acknowledge_checkpoint().operators(0);
  }
  // All subtasks' state, as a restore gives it to each.
  void take_checkpoint(int64_t checkpoint, int parallelism) {
    auto all = std::make_shared<pb::OperatorState>();
    all->set_uid("count");
    trigger(checkpoint);
    for (int subtask = 0; subtask < parallelism; ++subtask) {
      const auto state = stored(checkpoint, subtask);
      ASSERT_TRUE(state);
      EXPECT_EQ(state->uid(), "count");
      ASSERT_EQ(state->keyed_size(), 1);
      *all->add_keyed() = state->keyed(0);
    }
    restored_ = {{"count", all}};
  }

  const std::string folder_ = testing::TempDir() + "keyed_task_test-" + std::to_string(::getpid());
  std::map<std::string, std::shared_ptr<const pb::OperatorState>> restored_;
  std::shared_ptr<MemoryJob> source_;
  std::shared_ptr<MemoryJob> sink_;
  RecordingSender sender_;
  std::unique_ptr<WiredTasks> tasks_;
};

TEST_F(KeyedTaskTest, StateComesBackAtAnotherParallelism) {
  run(2);
  EXPECT_THAT(count({"a", "b", "a", "c"}), UnorderedElementsAre("a 1", "b 1", "a 2", "c 1"));
  take_checkpoint(1, 2);
  count({"a", "b"});  // lost
  run(3);
  EXPECT_THAT(count({"a", "b", "c", "d"}), UnorderedElementsAre("a 3", "b 2", "c 2", "d 1"));
  take_checkpoint(2, 3);
  run(1);
  EXPECT_THAT(count({"a", "d"}), UnorderedElementsAre("a 4", "d 2"));
}

TEST_F(KeyedTaskTest, AStateThatTheJobHasNoMoreFailsItForGood) {
  run(1);
  count({"a"});
  take_checkpoint(1, 1);
  deploy(1, "another");
  tasks_->start();
  const auto failed = sender_.wait_for([](const pb::FromTaskManager& sent) {
    return sent.has_task_state_changed() && sent.task_state_changed().state() == State::FAILED;
  });
  ASSERT_TRUE(failed);
  EXPECT_TRUE(failed->task_state_changed().fatal());
  EXPECT_THAT(failed->task_state_changed().cause(),
              AllOf(HasSubstr("'count'"), HasSubstr("--allowNonRestoredState")));
}

TEST_F(KeyedTaskTest, RecordsGoOnWhileASnapshotIsTaken) {
  run(1);
  std::vector<std::string> words;
  for (int i = 0; i < 20'000; ++i) words.push_back(std::to_string(i));
  count(words);
  trigger(1);
  count(words);
  trigger(2);  // finishes the first snapshot, if it is open still
  const auto first = stored(1, 0);
  const auto second = stored(2, 0);
  ASSERT_TRUE(first && second);
  auto all = std::make_shared<pb::OperatorState>(*first);
  restored_ = {{"count", all}};
  run(1);
  const std::vector<std::string> counted = count(words);
  for (int i = 0; i < 20'000; ++i) {
    ASSERT_EQ(counted[i], std::to_string(i) + " 2") << "as of the first barrier";
  }
}

TEST_F(KeyedTaskTest, AStateThatCannotBeStoredDeclinesTheCheckpointAndTheTaskGoesOn) {
  std::ofstream(folder_ + "/job") << "a file, where a folder should be";
  run(1);
  count({"a"});
  trigger(1);
  const auto declined = sender_.declined();
  ASSERT_TRUE(declined);
  EXPECT_THAT(declined->cause(), HasSubstr("/job"));
  std::filesystem::remove(folder_ + "/job");
  count({"a"});
  take_checkpoint(2, 1);
}

TEST_F(KeyedTaskTest, AnAbortedCheckpointIsNotAcknowledged) {
  run(1);
  std::vector<std::string> words;
  for (int i = 0; i < 20'000; ++i) words.push_back(std::to_string(i));
  count(words);
  tasks_->task(kCount).notify_checkpoint_aborted(CheckpointId(1));
  trigger(1);
  take_checkpoint(2, 1);
  EXPECT_EQ(sender_.count([](const pb::FromTaskManager& sent) {
    return sent.has_acknowledge_checkpoint() &&
           sent.acknowledge_checkpoint().checkpoint_id() == 1 &&
           sent.acknowledge_checkpoint().task().vertex() == kCount;
  }),
            0);
}

TEST_F(KeyedTaskTest, CancelEndsATaskWhoseSnapshotIsOpen) {
  run(2);
  std::vector<std::string> words;
  for (int i = 0; i < 20'000; ++i) words.push_back(std::to_string(i));
  count(words);
  trigger(1);
  for (const int vertex : {kSource, kCount}) tasks_->task(vertex).cancel();
  tasks_->task(kCount, 1).cancel();
  EXPECT_TRUE(tasks_->end());
}

}  // namespace
}  // namespace weir
