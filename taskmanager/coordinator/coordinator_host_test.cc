#include "taskmanager/coordinator/coordinator_host.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>

#include "proto/control.pb.h"
#include "taskmanager/testing/recording_sender.h"
#include "weir/environment.h"
#include "weir/error.h"

namespace weir {
namespace {

using namespace std::chrono_literals;
using ::testing::Contains;
using ::testing::ElementsAre;

// The calls that coordinators got, and what they do. Guarded by `mutex`.
struct Calls {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::string> log;
  bool throw_in_validate = false;
  bool hang_in_recover = false;

  void add(std::string call) {
    const std::lock_guard<std::mutex> lock(mutex);
    log.push_back(std::move(call));
    changed.notify_all();
  }
  bool wait_for(const std::string& call) {
    std::unique_lock<std::mutex> lock(mutex);
    return changed.wait_for(lock, 10s,
                            [&] { return std::find(log.begin(), log.end(), call) != log.end(); });
  }
};

class LoggingSourceCoordinator final : public SourceCoordinator {
 public:
  explicit LoggingSourceCoordinator(std::shared_ptr<Calls> calls) : calls_(std::move(calls)) {}
  void open(SourceCoordinatorContext& context) override { context_ = &context; }
  void validate() override {
    if (calls_->throw_in_validate) throw FatalError("no topic 'lines'");
  }
  std::string resolve() override {
    calls_->add("resolve");
    return "resolved";
  }
  void restore(std::string_view state, std::span<const Split> splits) override {
    std::string call = "restore " + std::string(state);
    for (const Split& split : splits) call += " " + split.id + "@" + split.state;
    calls_->add(call);
  }
  void start() override {
    context_->set_gauge("unassignedSplits", 3);
    context_->assign_splits(1, {{"lines-0", "5"}});
    context_->signal_no_more_splits(1);
  }
  bool restarts_readers() const override { return true; }
  void restart_readers(std::span<const int> subtasks, std::span<const Split> splits) override {
    calls_->add("restart " + std::to_string(subtasks[0]) + " at " + splits[0].state);
    context_->assign_splits(subtasks[0], {splits.begin(), splits.end()});
  }
  void on_reader_event(int subtask, std::string_view event) override {
    if (event == "say something") context_->send_to_reader(subtask, "something");
    calls_->add("event " + std::to_string(subtask) + " " + std::string(event));
  }
  std::string snapshot(int64_t checkpoint) override {
    return "snapshot " + std::to_string(checkpoint);
  }
  void notify_checkpoint_complete(int64_t checkpoint) override {
    calls_->add("complete " + std::to_string(checkpoint));
  }
  void tick() override { calls_->add("tick"); }
  void close() override { calls_->add("close"); }

 private:
  const std::shared_ptr<Calls> calls_;
  SourceCoordinatorContext* context_ = nullptr;
};

class LoggingSinkCoordinator final : public SinkCoordinator {
 public:
  explicit LoggingSinkCoordinator(std::shared_ptr<Calls> calls) : calls_(std::move(calls)) {}
  void open(RuntimeContext& context) override { context_ = &context; }
  SinkValidation validate() override {
    return {{"kafka-prefix:c/p"}, 41, std::chrono::minutes(15)};
  }
  void recover(const SinkRecovery& recovery, const CommitReport& report) override {
    std::string call = "recover " + std::to_string(context_->generation());
    for (const int subtask : recovery.subtasks) {
      call += " subtask " + std::to_string(subtask) + " from " +
              std::to_string(recovery.generation_from);
    }
    calls_->add(call);
    if (calls_->hang_in_recover) {
      while (!context_->cancelled()) std::this_thread::yield();
      return;
    }
    for (const RecoveredCommittable& recovered : recovery.committables) {
      if (recovered.known_committed) continue;
      const bool lost = recovered.committable.transaction == "lost";
      report(recovered.committable,
             lost ? CommitResult{CommitStatus::kLost, "timed out"} : CommitResult{});
    }
  }
  void close() override { calls_->add("close"); }

 private:
  const std::shared_ptr<Calls> calls_;
  RuntimeContext* context_ = nullptr;
};

class NodeWithCoordinators final : public NodeFactory {
 public:
  explicit NodeWithCoordinators(std::shared_ptr<Calls> calls) : calls_(std::move(calls)) {}
  std::unique_ptr<SourceCoordinator> create_source_coordinator() const override {
    return std::make_unique<LoggingSourceCoordinator>(calls_);
  }
  std::unique_ptr<SinkCoordinator> create_sink_coordinator() const override {
    return std::make_unique<LoggingSinkCoordinator>(calls_);
  }

 private:
  const std::shared_ptr<Calls> calls_;
};

class CoordinatorHostTest : public testing::Test {
 protected:
  void TearDown() override { host_.reset(); }

  void deploy(const std::string& uid) {
    StreamGraph graph;
    const auto factory = std::make_shared<NodeWithCoordinators>(calls_);
    graph.nodes.push_back({.id = 0,
                           .kind = NodeKind::kSource,
                           .name = "Source",
                           .uid = "lines",
                           .inputs = {},
                           .output_type = "",
                           .factory = factory});
    graph.nodes.push_back({.id = 1,
                           .kind = NodeKind::kSink,
                           .name = "Sink",
                           .uid = "out",
                           .inputs = {{.from = 0}},
                           .output_type = "",
                           .factory = factory});
    CoordinatorSpec spec;
    spec.attempt.job_id = "00112233445566778899aabbccddeeff";
    spec.attempt.attempt = 2;
    spec.uid = uid;
    host_ = std::make_unique<CoordinatorHost>(
        CoordinatorHost::Options{.spec = std::move(spec),
                                 .build_graph = [graph] { return graph; },
                                 .sender = &sender_,
                                 .on_ended = [calls = calls_] { calls->add("ended"); }});
  }

  template <typename Has>
  std::optional<pb::FromTaskManager> sent(Has has) {
    return sender_.wait_for([&](const pb::FromTaskManager& message) { return (message.*has)(); });
  }

  std::shared_ptr<Calls> calls_ = std::make_shared<Calls>();
  RecordingSender sender_;
  std::unique_ptr<CoordinatorHost> host_;
};

TEST_F(CoordinatorHostTest, AFirstAttemptsSourceWaitsUntilItsResolvedStateIsDurable) {
  deploy("lines");
  const auto validated = sent(&pb::FromTaskManager::has_coordinator_validated);
  ASSERT_TRUE(validated);
  EXPECT_EQ(validated->coordinator_validated().coordinator().uid(), "lines");
  EXPECT_EQ(validated->coordinator_validated().coordinator().attempt(), 2);
  host_->recover(pb::RecoverCoordinator());
  const auto resolved = sent(&pb::FromTaskManager::has_coordinator_resolved);
  ASSERT_TRUE(resolved);
  EXPECT_EQ(resolved->coordinator_resolved().state(), "resolved");
  EXPECT_EQ(sender_.count([](const auto& message) { return message.has_coordinator_recovered(); }),
            0);
  host_->on_resolved_state_durable();
  EXPECT_TRUE(sent(&pb::FromTaskManager::has_coordinator_recovered));
  EXPECT_THAT(calls_->log, ElementsAre("resolve", "restore resolved"));
}

TEST_F(CoordinatorHostTest, ARestoredSourceGetsItsStateAndAllSplits) {
  deploy("lines");
  pb::RecoverCoordinator request;
  request.set_has_state(true);
  request.set_state("state");
  pb::Split& split = *request.add_splits();
  split.set_id("lines-0");
  split.set_state("17");
  host_->recover(request);
  EXPECT_TRUE(sent(&pb::FromTaskManager::has_coordinator_recovered));
  EXPECT_THAT(calls_->log, ElementsAre("restore state lines-0@17"));
}

TEST_F(CoordinatorHostTest, AStartedSourceAssignsTicksAndTakesPartInCheckpoints) {
  deploy("lines");
  pb::RecoverCoordinator request;
  request.set_has_state(true);
  host_->recover(request);
  host_->start();
  const auto splits = sent(&pb::FromTaskManager::has_source_event);
  ASSERT_TRUE(splits);
  EXPECT_EQ(splits->source_event().subtask(), 1);
  EXPECT_EQ(splits->source_event().splits().splits(0).state(), "5");
  const auto no_more = sent(&pb::FromTaskManager::has_source_event);
  ASSERT_TRUE(no_more);
  EXPECT_TRUE(no_more->source_event().no_more_splits());
  host_->trigger_checkpoint(CheckpointId(4));
  const auto acknowledged = sent(&pb::FromTaskManager::has_acknowledge_coordinator_checkpoint);
  ASSERT_TRUE(acknowledged);
  EXPECT_EQ(acknowledged->acknowledge_coordinator_checkpoint().state(), "snapshot 4");
  host_->notify_checkpoint_complete(CheckpointId(4));
  EXPECT_TRUE(calls_->wait_for("complete 4"));
  pb::SourceEvent event;
  event.set_subtask(1);
  event.set_to_coordinator("hello");
  host_->on_source_event(event);
  EXPECT_TRUE(calls_->wait_for("event 1 hello"));
  EXPECT_TRUE(calls_->wait_for("tick"));
}

TEST_F(CoordinatorHostTest, AReaderThatBeginsAnewHearsNothingUntilItIsToldAll) {
  deploy("lines");
  pb::RecoverCoordinator request;
  request.set_has_state(true);
  host_->recover(request);
  host_->start();
  ASSERT_TRUE(sent(&pb::FromTaskManager::has_source_event));
  ASSERT_TRUE(sent(&pb::FromTaskManager::has_source_event));

  pb::RecoverCoordinator again;
  again.set_for_attempt(7);
  again.add_subtasks(1);
  pb::Split& split = *again.add_splits();
  split.set_id("lines-0");
  split.set_state("17");
  host_->recover(again);
  pb::SourceEvent event;
  event.set_subtask(1);
  event.set_to_coordinator("say something");
  host_->on_source_event(event);
  host_->start();
  const auto recovered = sender_.wait_for([](const pb::FromTaskManager& message) {
    return message.has_coordinator_recovered() &&
           message.coordinator_recovered().for_attempt() == 7;
  });
  ASSERT_TRUE(recovered);
  EXPECT_TRUE(calls_->wait_for("restart 1 at 17"));
  const auto told = sent(&pb::FromTaskManager::has_source_event);
  ASSERT_TRUE(told);
  EXPECT_EQ(told->source_event().splits().splits(0).state(), "17");
}

TEST_F(CoordinatorHostTest, ASinkRecoversSomeSubtasksWhileItRuns) {
  deploy("out");
  pb::RecoverCoordinator request;
  request.set_generation(5);
  host_->recover(request);
  host_->start();
  request.set_generation(8);
  request.set_generation_from(5);
  request.set_for_attempt(3);
  request.add_subtasks(2);
  host_->recover(request);
  EXPECT_TRUE(calls_->wait_for("recover 8 subtask 2 from 5"));
}

TEST_F(CoordinatorHostTest, WhatACoordinatorMeasuresIsInItsMetrics) {
  deploy("lines");
  EXPECT_TRUE(host_->metrics().gauges().empty());
  pb::RecoverCoordinator request;
  request.set_has_state(true);
  host_->recover(request);
  host_->start();
  ASSERT_TRUE(sent(&pb::FromTaskManager::has_source_event));
  const pb::CoordinatorMetrics metrics = host_->metrics();
  EXPECT_EQ(metrics.coordinator().uid(), "lines");
  EXPECT_EQ(metrics.coordinator().attempt(), 2);
  EXPECT_EQ(metrics.gauges().at("lines.unassignedSplits"), 3);
}

TEST_F(CoordinatorHostTest, ASinkNamesItsResourcesAndReportsEachRecoveredCommittable) {
  deploy("out");
  const auto validated = sent(&pb::FromTaskManager::has_coordinator_validated);
  ASSERT_TRUE(validated);
  EXPECT_EQ(validated->coordinator_validated().exclusive_resources(0), "kafka-prefix:c/p");
  EXPECT_EQ(validated->coordinator_validated().generation_max(), 41u);
  EXPECT_EQ(validated->coordinator_validated().transaction_timeout_ms(), 900'000);
  pb::RecoverCoordinator request;
  request.set_generation(42);
  request.add_committables()->mutable_committable()->set_transaction("good");
  request.add_committables()->mutable_committable()->set_transaction("lost");
  auto& known = *request.add_committables();
  known.mutable_committable()->set_transaction("known");
  known.set_known_committed(true);
  host_->recover(request);
  const auto good = sent(&pb::FromTaskManager::has_commit_reported);
  ASSERT_TRUE(good);
  EXPECT_EQ(good->commit_reported().committable().transaction(), "good");
  EXPECT_EQ(good->commit_reported().state(), pb::LedgerEntry::COMMITTED);
  EXPECT_EQ(good->commit_reported().subtask(), -1);
  const auto lost = sent(&pb::FromTaskManager::has_commit_reported);
  ASSERT_TRUE(lost);
  EXPECT_EQ(lost->commit_reported().state(), pb::LedgerEntry::LOST);
  EXPECT_EQ(lost->commit_reported().message(), "timed out");
  EXPECT_TRUE(sent(&pb::FromTaskManager::has_coordinator_recovered));
  EXPECT_THAT(calls_->log, ElementsAre("recover 42"));
}

TEST_F(CoordinatorHostTest, AFatalErrorInValidateFailsTheCoordinator) {
  calls_->throw_in_validate = true;
  deploy("lines");
  const auto failed = sent(&pb::FromTaskManager::has_coordinator_failed);
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->coordinator_failed().cause(), "no topic 'lines'");
  EXPECT_TRUE(failed->coordinator_failed().fatal());
  host_->recover(pb::RecoverCoordinator());
  host_->cancel();
  EXPECT_TRUE(calls_->wait_for("ended"));
  EXPECT_THAT(calls_->log, ElementsAre("close", "ended"));
}

TEST_F(CoordinatorHostTest, AnUnknownUidFailsTheCoordinator) {
  deploy("nobody");
  const auto failed = sent(&pb::FromTaskManager::has_coordinator_failed);
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->coordinator_failed().cause(),
            "the job has no coordinator for the uid 'nobody'");
}

TEST_F(CoordinatorHostTest, ARecoveryThatIsCancelledIsNotReportedAsDone) {
  calls_->hang_in_recover = true;
  deploy("out");
  host_->recover(pb::RecoverCoordinator());
  ASSERT_TRUE(calls_->wait_for("recover 0"));
  host_->cancel();
  EXPECT_TRUE(calls_->wait_for("ended"));
  EXPECT_THAT(calls_->log, ElementsAre("recover 0", "close", "ended"));
  EXPECT_EQ(sender_.count([](const auto& message) { return message.has_coordinator_recovered(); }),
            0);
}

}  // namespace
}  // namespace weir
