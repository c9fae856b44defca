#include "taskmanager/task/task.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/control.pb.h"
#include "taskmanager/testing/memory_job.h"
#include "taskmanager/testing/recording_sender.h"

namespace weir {
namespace {

using namespace std::chrono_literals;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using State = pb::TaskStateChanged;

class TaskTest : public testing::Test {
 protected:
  void TearDown() override {
    task_.reset();
    EXPECT_TRUE(ended_);
  }

  // "processed_" + record, by default; `map` may throw.
  void deploy(std::function<std::string(std::string_view)> map = [](std::string_view record) {
    return "processed_" + std::string(record);
  }) {
    StreamExecutionEnvironment environment;
    environment
        .from_source(MemorySource(job_), WatermarkStrategy<std::string>::no_watermarks(), "lines")
        .uid("lines")
        .map(map)
        .uid("processed")
        .sink_to(MemorySink(job_))
        .uid("out");
    deploy([graph = environment.graph()] { return graph; }, {0, 1, 2});
  }

  void deploy(std::function<StreamGraph()> build, std::vector<int> chain) {
    TaskSpec spec;
    spec.attempt.job_id = "00112233445566778899aabbccddeeff";
    spec.attempt.attempt = 3;
    spec.vertex = 1;
    spec.subtask = 0;
    spec.parallelism = 2;
    spec.name = "Source: lines -> Map -> Sink (1/2)";
    spec.chain = std::move(chain);
    task_ = std::make_unique<Task>(Task::Options{.spec = std::move(spec),
                                                 .build_graph = std::move(build),
                                                 .sender = &sender_,
                                                 .on_ended = [this] { set_ended(); },
                                                 .commit_backoff = {1ms, 5ms}});
  }

  void run() {
    deploy();
    ASSERT_TRUE(reaches(State::DEPLOYED));
    task_->start(Generation(7));
    ASSERT_TRUE(reaches(State::RUNNING));
  }

  std::optional<pb::TaskStateChanged> reaches(State::State state) {
    auto message = sender_.wait_for([&](const pb::FromTaskManager& sent) {
      return sent.has_task_state_changed() && sent.task_state_changed().state() == state;
    });
    if (!message) return std::nullopt;
    return message->task_state_changed();
  }

  std::optional<pb::AcknowledgeCheckpoint> acknowledged(int64_t checkpoint) {
    auto message = sender_.wait_for([&](const pb::FromTaskManager& sent) {
      return sent.has_acknowledge_checkpoint() &&
             sent.acknowledge_checkpoint().checkpoint_id() == checkpoint;
    });
    if (!message) return std::nullopt;
    return message->acknowledge_checkpoint();
  }

  std::optional<pb::CommitReported> reported(const std::string& transaction) {
    auto message = sender_.wait_for([&](const pb::FromTaskManager& sent) {
      return sent.has_commit_reported() &&
             sent.commit_reported().committable().transaction() == transaction;
    });
    if (!message) return std::nullopt;
    return message->commit_reported();
  }

  void feed(std::vector<std::string> batch) {
    job_->with([&](MemoryJob& job) { job.batches.push_back(std::move(batch)); });
  }
  bool written(size_t records) {
    return job_->wait([&] { return job_->written.size() >= records; });
  }

  // Feeds a record, takes the checkpoint with it; returns the transactions that it carries.
  std::vector<std::string> checkpoint_with_record(int64_t checkpoint) {
    const size_t before = [&] {
      const std::lock_guard<std::mutex> lock(job_->mutex);
      return job_->written.size();
    }();
    feed({"r" + std::to_string(checkpoint)});
    EXPECT_TRUE(written(before + 1));
    return checkpoint_carries(checkpoint);
  }
  std::vector<std::string> checkpoint_carries(int64_t checkpoint) {
    task_->trigger_checkpoint({CheckpointId(checkpoint)});
    const auto acknowledge = acknowledged(checkpoint);
    std::vector<std::string> transactions;
    if (!acknowledge) return {"no acknowledgement"};
    for (const auto& committable : acknowledge->operators(1).committables()) {
      transactions.push_back(committable.transaction());
    }
    return transactions;
  }

  void set_ended() {
    MutexLock lock(mutex_);
    ended_ = true;
    changed_.notify_all();
  }
  bool ends() {
    const auto deadline = std::chrono::steady_clock::now() + 10s;
    MutexLock lock(mutex_);
    while (!ended_ && changed_.wait_until(mutex_, deadline)) {
    }
    return ended_;
  }

  Mutex mutex_;
  CondVar changed_;
  bool ended_ = false;
  std::shared_ptr<MemoryJob> job_ = std::make_shared<MemoryJob>();
  RecordingSender sender_;
  std::unique_ptr<Task> task_;
};

TEST_F(TaskTest, RunsRecordsThroughTheChain) {
  run();
  feed({"a", "b"});
  feed({"c"});
  ASSERT_TRUE(written(3));
  EXPECT_THAT(job_->written, ElementsAre("processed_a", "processed_b", "processed_c"));
  EXPECT_EQ(job_->generation, 7u);
  task_->cancel();
  EXPECT_TRUE(reaches(State::CANCELED));
  EXPECT_TRUE(ends());
  EXPECT_THAT(job_->closed, ElementsAre("reader", "writer"));
}

TEST_F(TaskTest, NothingIsReadBeforeTheStart) {
  deploy();
  ASSERT_TRUE(reaches(State::DEPLOYED));
  feed({"a"});
  task_->cancel();
  EXPECT_TRUE(reaches(State::CANCELED));
  EXPECT_EQ(job_->polls, 0);
  EXPECT_THAT(job_->closed, IsEmpty());  // never opened
}

TEST_F(TaskTest, AnEntryPointThatThrowsFailsTheTask) {
  deploy([]() -> StreamGraph { throw FatalError("the graph differs"); }, {0});
  const auto failed = reaches(State::FAILED);
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->cause(), "the graph differs");
  EXPECT_TRUE(failed->fatal());
  EXPECT_TRUE(ends());
}

TEST_F(TaskTest, UserCodeThatThrowsFailsTheTaskWithItsText) {
  deploy([](std::string_view record) -> std::string {
    throw std::runtime_error("bad record " + std::string(record));
  });
  task_->start(Generation(1));
  ASSERT_TRUE(reaches(State::RUNNING));
  feed({"error"});
  const auto failed = reaches(State::FAILED);
  ASSERT_TRUE(failed);
  EXPECT_THAT(failed->cause(), HasSubstr("bad record error"));
  EXPECT_FALSE(failed->fatal());
  EXPECT_TRUE(ends());
}

TEST_F(TaskTest, AnExceptionOfTypeIntFailsTheTask) {
  deploy([](std::string_view) -> std::string { throw 42; });
  task_->start(Generation(1));
  feed({"a"});
  const auto failed = reaches(State::FAILED);
  ASSERT_TRUE(failed);
  EXPECT_THAT(failed->cause(), HasSubstr("int"));
}

TEST_F(TaskTest, ABarrierSplitsTheRecordsAndSnapshotsThePosition) {
  run();
  feed({"a", "b"});
  ASSERT_TRUE(written(2));
  task_->trigger_checkpoint({CheckpointId(1)});
  const auto acknowledge = acknowledged(1);
  ASSERT_TRUE(acknowledge);
  ASSERT_EQ(acknowledge->operators_size(), 2);
  EXPECT_EQ(acknowledge->operators(0).uid(), "lines");
  EXPECT_EQ(acknowledge->operators(0).splits(0).state(), "2");
  EXPECT_EQ(acknowledge->operators(1).uid(), "out");
  EXPECT_EQ(acknowledge->operators(1).committables(0).transaction(), "t1");
  EXPECT_EQ(acknowledge->operators(1).committables(0).checkpoint_id(), 1);
  EXPECT_EQ(acknowledge->operators(1).committables(0).records(), 2u);
  EXPECT_EQ(acknowledge->task().attempt(), 3);
}

TEST_F(TaskTest, NothingIsCommittedBeforeTheNotification) {
  run();
  EXPECT_THAT(checkpoint_with_record(1), ElementsAre("t1"));
  EXPECT_THAT(checkpoint_with_record(2), ElementsAre("t1", "t2"));
  EXPECT_THAT(job_->committed, IsEmpty());
  task_->notify_checkpoint_complete(CheckpointId(2));
  EXPECT_TRUE(reported("t1"));
  EXPECT_TRUE(reported("t2"));
  ASSERT_TRUE(job_->wait([&] { return !job_->reader_notified.empty(); }));
  EXPECT_THAT(job_->reader_notified, ElementsAre(2));
}

TEST_F(TaskTest, ACommittedTransactionIsReleasedByTheNextCompleteCheckpoint) {
  run();
  checkpoint_with_record(1);
  task_->notify_checkpoint_complete(CheckpointId(1));
  const auto report = reported("t1");
  ASSERT_TRUE(report);
  EXPECT_EQ(report->state(), pb::LedgerEntry::COMMITTED);
  EXPECT_EQ(report->sink_uid(), "out");
  int64_t checkpoint = 2;  // the result may reach the tracker only after some barriers
  while (checkpoint < 1000 && !checkpoint_carries(checkpoint).empty()) ++checkpoint;
  task_->notify_checkpoint_complete(CheckpointId(checkpoint));
  ASSERT_TRUE(job_->wait([&] { return !job_->released.empty(); }));
  EXPECT_THAT(job_->released, ElementsAre("t1"));
}

TEST_F(TaskTest, CommitsAreRetriedWhileRecordsAndBarriersGoOn) {
  run();
  job_->with([](MemoryJob& job) {
    job.commit_script["t1"] = std::vector<CommitStatus>(8, CommitStatus::kRetry);
    job.cork_commits = true;
  });
  checkpoint_with_record(1);
  task_->notify_checkpoint_complete(CheckpointId(1));
  EXPECT_THAT(checkpoint_with_record(2), ElementsAre("t1", "t2"));
  job_->with([](MemoryJob& job) { job.cork_commits = false; });
  EXPECT_TRUE(reported("t1"));
}

TEST_F(TaskTest, ALostTransactionIsReportedAndTheTaskGoesOn) {
  run();
  job_->with([](MemoryJob& job) { job.commit_script["t1"] = {CommitStatus::kLost}; });
  checkpoint_with_record(1);
  task_->notify_checkpoint_complete(CheckpointId(1));
  const auto report = reported("t1");
  ASSERT_TRUE(report);
  EXPECT_EQ(report->state(), pb::LedgerEntry::LOST);
  EXPECT_EQ(report->message(), "as told");
  EXPECT_EQ(report->committable().records(), 1u);
  checkpoint_with_record(2);
}

TEST_F(TaskTest, BarriersPassWhileTheSinkTakesNoRecords) {
  job_->with([](MemoryJob& job) {
    job.writable = false;  // from the start: a poll that has begun goes on
    job.batches.push_back({"waits"});
  });
  run();
  EXPECT_THAT(checkpoint_carries(1), IsEmpty());
  EXPECT_THAT(job_->written, IsEmpty());
  job_->with([](MemoryJob& job) { job.writable = true; });
  EXPECT_TRUE(written(1));
}

TEST_F(TaskTest, AFailedPrepareDeclinesTheCheckpointAndFailsTheTask) {
  run();
  job_->with(
      [](MemoryJob& job) { job.on_prepare = [] { throw Error("a record wasn't delivered"); }; });
  task_->trigger_checkpoint({CheckpointId(1)});
  const auto decline = sender_.declined();
  ASSERT_TRUE(decline);
  EXPECT_EQ(decline->cause(), "a record wasn't delivered");
  const auto failed = reaches(State::FAILED);
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->cause(), "checkpoint 1: a record wasn't delivered");
}

TEST_F(TaskTest, ABarrierBeforeTheStartIsDeclined) {
  deploy();
  ASSERT_TRUE(reaches(State::DEPLOYED));
  task_->trigger_checkpoint({CheckpointId(1)});
  const auto decline = sender_.declined();
  ASSERT_TRUE(decline);
  EXPECT_THAT(decline->cause(), HasSubstr("DEPLOYED"));
}

TEST_F(TaskTest, ARepeatedTriggerTakesOneSnapshot) {
  run();
  checkpoint_with_record(1);
  task_->trigger_checkpoint({CheckpointId(1)});
  checkpoint_carries(2);
  EXPECT_EQ(sender_.count(
                [](const pb::FromTaskManager& sent) { return sent.has_acknowledge_checkpoint(); }),
            0);
}

TEST_F(TaskTest, NothingIsReadAfterAStoppingBarrier) {
  run();
  feed({"a"});
  ASSERT_TRUE(written(1));
  task_->trigger_checkpoint({.checkpoint = CheckpointId(1), .stop_sources = true});
  ASSERT_TRUE(acknowledged(1));
  feed({"b"});
  task_->notify_checkpoint_complete(CheckpointId(1));
  EXPECT_TRUE(reported("t1"));
  task_->cancel();
  EXPECT_TRUE(ends());
  EXPECT_THAT(job_->written, ElementsAre("processed_a"));
}

TEST_F(TaskTest, ADrainedTaskTakesTheFinalCheckpointAndCommits) {
  run();
  feed({"a"});
  job_->with([](MemoryJob& job) { job.end_of_input = true; });
  const auto drained = reaches(State::DRAINED);
  ASSERT_TRUE(drained);
  EXPECT_EQ(drained->metrics().records_in(), 1u);
  EXPECT_THAT(checkpoint_carries(1), ElementsAre("t1"));
  task_->notify_checkpoint_complete(CheckpointId(1));
  EXPECT_TRUE(reported("t1"));
  task_->cancel();
  EXPECT_TRUE(reaches(State::CANCELED));
}

TEST_F(TaskTest, CancelEndsATaskThatWaitsForRecords) {
  run();
  ASSERT_TRUE(job_->wait([&] { return job_->polls > 1; }));
  task_->cancel();
  EXPECT_TRUE(reaches(State::CANCELED));
  EXPECT_TRUE(ends());
}

TEST_F(TaskTest, CancelEndsAReaderThatHangsUntilCancelled) {
  run();
  job_->with([](MemoryJob& job) { job.ignore_wake_ups = true; });
  ASSERT_TRUE(job_->wait([&] { return job_->hanging; }));
  task_->cancel();
  EXPECT_TRUE(reaches(State::CANCELED));
  EXPECT_TRUE(ends());
}

TEST_F(TaskTest, CancelEndsAWriterThatHangsUntilCancelled) {
  run();
  job_->with([](MemoryJob& job) { job.hang_in_collect = true; });
  feed({"a"});
  ASSERT_TRUE(job_->wait([&] { return job_->hanging; }));
  task_->cancel();
  EXPECT_TRUE(reaches(State::CANCELED));  // and what it throws then isn't a failure
  EXPECT_TRUE(ends());
}

TEST_F(TaskTest, CancelEndsWhileACommitHangs) {
  run();
  job_->with([](MemoryJob& job) { job.cork_commits = true; });
  checkpoint_with_record(1);
  task_->notify_checkpoint_complete(CheckpointId(1));
  task_->cancel();
  EXPECT_TRUE(ends());
}

TEST_F(TaskTest, EventsPassBetweenReaderAndCoordinator) {
  run();
  pb::SourceEvent splits;
  pb::Split& split = *splits.mutable_splits()->add_splits();
  split.set_id("lines-0");
  task_->on_source_event(splits);
  const auto answer =
      sender_.wait_for([](const pb::FromTaskManager& sent) { return sent.has_source_event(); });
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->source_event().to_coordinator(), "got splits");
  EXPECT_EQ(answer->source_event().coordinator().uid(), "lines");
  pb::SourceEvent event;
  event.set_to_reader("hello");
  task_->on_source_event(event);
  pb::SourceEvent no_more;
  no_more.set_no_more_splits(true);
  task_->on_source_event(no_more);
  ASSERT_TRUE(job_->wait([&] { return job_->no_more_splits; }));
  EXPECT_THAT(job_->splits, ElementsAre("lines-0"));
  EXPECT_THAT(job_->reader_events, ElementsAre("hello"));
}

TEST_F(TaskTest, MetricsCountRecords) {
  run();
  feed({"a", "b", "c"});
  ASSERT_TRUE(written(3));
  checkpoint_carries(1);  // the batch is finished
  const pb::TaskMetrics metrics = task_->metrics();
  EXPECT_EQ(metrics.records_in(), 3u);
  EXPECT_EQ(metrics.gauges().at("out.uncommittedTransactions"), 1);
}

TEST_F(TaskTest, AStreamReadTwiceReachesBothSinks) {
  auto other = std::make_shared<MemoryJob>();
  StreamExecutionEnvironment environment;
  auto lines = environment.from_source(MemorySource(job_),
                                       WatermarkStrategy<std::string>::no_watermarks(), "lines");
  lines.sink_to(MemorySink(job_)).uid("all");
  lines.filter([](std::string_view line) { return line.size() > 1; })
      .sink_to(MemorySink(other))
      .uid("long");
  deploy([graph = environment.graph()] { return graph; }, {0, 1, 2, 3});
  task_->start(Generation(1));
  feed({"a", "bb"});
  ASSERT_TRUE(written(2));
  ASSERT_TRUE(other->wait([&] { return !other->written.empty(); }));
  EXPECT_THAT(other->written, ElementsAre("bb"));
}

TEST_F(TaskTest, AChainWithoutAllReadersOfAStreamIsRefused) {
  StreamExecutionEnvironment environment;
  environment
      .from_source(MemorySource(job_), WatermarkStrategy<std::string>::no_watermarks(), "lines")
      .sink_to(MemorySink(job_))
      .uid("out");
  deploy([graph = environment.graph()] { return graph; }, {0});
  const auto failed = reaches(State::FAILED);
  ASSERT_TRUE(failed);
  EXPECT_THAT(failed->cause(), HasSubstr("another task"));
  EXPECT_TRUE(failed->fatal());
}

}  // namespace
}  // namespace weir
