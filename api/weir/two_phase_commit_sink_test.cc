#include "weir/two_phase_commit_sink.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "weir/test_context.h"
#include "weir/testing/no_source.h"

namespace weir {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// An external system with transactions, which outlives every process that uses it.
struct External {
  enum class State { kOpen, kPrepared, kCommitted };
  struct Entry {
    State state = State::kOpen;
    std::vector<std::string> records;
  };
  std::map<std::string, Entry> transactions;
  std::vector<std::string> visible;
  std::vector<std::string> aborted;
  int failures_left = 0;
  bool can_list = false;
  bool fails_pre_commit = false;

  std::vector<std::string> unfinished() const {
    std::vector<std::string> ids;
    for (const auto& [id, entry] : transactions) {
      if (entry.state != State::kCommitted) ids.push_back(id);
    }
    return ids;
  }
};

struct Named {
  std::string id;
};
WEIR_FIELDS(Named, id)

class ExternalSink : public TwoPhaseCommitSink<std::string, Named> {
 public:
  explicit ExternalSink(External* external) : external_(external) {}

  Named begin(std::string_view id) override {
    external_->transactions[std::string(id)];
    return {std::string(id)};
  }
  void write(Named& transaction, std::string_view value) override {
    external_->transactions.at(transaction.id).records.emplace_back(value);
  }
  void pre_commit(Named& transaction) override {
    if (external_->fails_pre_commit) throw Error("disk full");
    external_->transactions.at(transaction.id).state = External::State::kPrepared;
  }
  void commit(const Named& transaction) override {
    if (external_->failures_left > 0) {
      --external_->failures_left;
      throw Error("the system is away");
    }
    const auto found = external_->transactions.find(transaction.id);
    if (found == external_->transactions.end()) throw TransactionLost("it has timed out");
    External::Entry& entry = found->second;
    if (entry.state == External::State::kCommitted) return;
    if (entry.state == External::State::kOpen) throw TransactionLost("it was never prepared");
    entry.state = External::State::kCommitted;
    for (const std::string& record : entry.records) external_->visible.push_back(record);
  }
  void abort(Named& transaction) override {
    const auto found = external_->transactions.find(transaction.id);
    if (found == external_->transactions.end()) return;
    if (found->second.state == External::State::kCommitted) return;
    external_->aborted.push_back(transaction.id);
    external_->transactions.erase(found);
  }
  std::vector<Named> find_unfinished(std::string_view id_prefix) override {
    std::vector<Named> found;
    if (!external_->can_list) return found;
    for (const std::string& id : external_->unfinished()) {
      if (id.starts_with(id_prefix)) found.push_back({id});
    }
    return found;
  }

 private:
  External* external_;
};

// What a checkpoint holds of the sink.
struct Checkpoint {
  std::vector<RecoveredCommittable> committables;
  std::vector<std::string> writer_states;
};

class TwoPhaseCommitSinkTest : public ::testing::Test {
 protected:
  // One attempt's writer. Letting it go without close() is a crash.
  struct Process {
    TestContext context;
    std::unique_ptr<SinkWriter<std::string>> writer;
    std::unique_ptr<Committer> committer;
    std::vector<Committable> pending;

    void write(std::initializer_list<const char*> values) {
      for (const char* value : values) writer->collect(value, kNoTimestamp);
    }
    Checkpoint checkpoint(std::int64_t id) {
      for (Committable& prepared : writer->prepare_commit(id)) pending.push_back(prepared);
      Checkpoint result;
      for (const Committable& committable : pending) {
        result.committables.push_back({committable, false});
      }
      result.writer_states.push_back(writer->snapshot(id));
      return result;
    }
    void commit_all() {
      for (const Committable& committable : pending) {
        EXPECT_EQ(committer->commit(committable).status, CommitStatus::kCommitted);
      }
      pending.clear();
    }
  };

  std::unique_ptr<Process> start(std::uint64_t generation) {
    auto process = std::make_unique<Process>();
    process->context.generation_value = generation;
    process->writer = sink_.create_writer();
    process->writer->open(process->context);
    process->committer = sink_.create_committer();
    process->committer->open(process->context);
    return process;
  }

  std::vector<CommitResult> recover(const Checkpoint& checkpoint, std::uint64_t generation) {
    TestContext context;
    context.generation_value = generation;
    auto coordinator = sink_.create_coordinator();
    coordinator->open(context);
    std::vector<CommitResult> results;
    coordinator->recover(
        {generation, checkpoint.committables, checkpoint.writer_states},
        [&](const Committable&, const CommitResult& result) { results.push_back(result); });
    coordinator->close();
    return results;
  }

  External external_;
  const internal::TwoPhaseCommitAdapter<ExternalSink> sink_{ExternalSink(&external_)};
};

TEST_F(TwoPhaseCommitSinkTest, NothingIsVisibleBeforeTheCommit) {
  auto process = start(1);
  process->write({"a", "b"});
  EXPECT_THAT(external_.visible, IsEmpty());
  process->checkpoint(1);
  EXPECT_THAT(external_.visible, IsEmpty());
  process->commit_all();
  EXPECT_THAT(external_.visible, ElementsAre("a", "b"));
}

TEST_F(TwoPhaseCommitSinkTest, ACommittableSaysWhatItHolds) {
  auto process = start(4);
  process->write({"a", "b"});
  const auto prepared = process->writer->prepare_commit(7);
  ASSERT_THAT(prepared, SizeIs(1));
  EXPECT_EQ(prepared[0].transaction, "00000000000000000000000000000001-uid-4-0-0");
  EXPECT_EQ(prepared[0].checkpoint_id, 7);
  EXPECT_EQ(prepared[0].records, 2u);
  EXPECT_EQ(prepared[0].payload,
            std::string("\x01\x2a\0\0\0", 5) + "00000000000000000000000000000001-uid-4-0-0");
  EXPECT_EQ(process->writer->io_counts().records, 2u);
}

TEST_F(TwoPhaseCommitSinkTest, NothingWrittenMakesNoCommittableAndKeepsTheTransaction) {
  auto process = start(1);
  EXPECT_THAT(process->writer->prepare_commit(1), IsEmpty());
  EXPECT_THAT(process->writer->prepare_commit(2), IsEmpty());
  EXPECT_THAT(external_.transactions, SizeIs(1));
}

TEST_F(TwoPhaseCommitSinkTest, ACommitThatFailsIsToBeRetriedAndARepeatedOneIsHarmless) {
  auto process = start(1);
  process->write({"a"});
  process->checkpoint(1);
  external_.failures_left = 1;
  const CommitResult failed = process->committer->commit(process->pending[0]);
  EXPECT_EQ(failed.status, CommitStatus::kRetry);
  EXPECT_EQ(failed.message, "the system is away");
  EXPECT_EQ(process->committer->commit(process->pending[0]).status, CommitStatus::kCommitted);
  EXPECT_EQ(process->committer->commit(process->pending[0]).status, CommitStatus::kCommitted);
  EXPECT_THAT(external_.visible, ElementsAre("a"));
}

TEST_F(TwoPhaseCommitSinkTest, ATransactionThatIsGoneIsLost) {
  auto process = start(1);
  process->write({"a"});
  process->checkpoint(1);
  external_.transactions.clear();
  const CommitResult result = process->committer->commit(process->pending[0]);
  EXPECT_EQ(result.status, CommitStatus::kLost);
  EXPECT_EQ(result.message, "it has timed out");
}

TEST_F(TwoPhaseCommitSinkTest, ACrashBeforeTheNotificationCommitsAtRecovery) {
  auto process = start(1);
  process->write({"a"});
  const Checkpoint checkpoint = process->checkpoint(1);
  process->write({"after the barrier"});
  process.reset();

  external_.failures_left = 2;  // the recovery waits for the system
  EXPECT_THAT(recover(checkpoint, 2), SizeIs(1));
  EXPECT_THAT(external_.visible, ElementsAre("a"));
  EXPECT_THAT(external_.unfinished(), IsEmpty());
}

TEST_F(TwoPhaseCommitSinkTest, ACrashAfterTheCommitCommitsNothingTwice) {
  auto process = start(1);
  process->write({"a"});
  const Checkpoint checkpoint = process->checkpoint(1);
  process->commit_all();
  process.reset();
  recover(checkpoint, 2);
  recover(checkpoint, 3);  // the first recovery's report got lost
  EXPECT_THAT(external_.visible, ElementsAre("a"));
  EXPECT_THAT(external_.unfinished(), IsEmpty());
}

TEST_F(TwoPhaseCommitSinkTest, WhatWasPreparedForAnUnfinishedCheckpointIsAborted) {
  auto process = start(1);
  process->write({"a"});
  const Checkpoint completed = process->checkpoint(1);
  process->commit_all();
  process->write({"b"});
  process->checkpoint(2);  // prepared, but the checkpoint never completes
  process.reset();

  external_.can_list = true;  // for the transaction begun after barrier 2
  recover(completed, 2);
  EXPECT_THAT(external_.visible, ElementsAre("a"));
  EXPECT_THAT(external_.unfinished(), IsEmpty());
}

TEST_F(TwoPhaseCommitSinkTest, ACrashBeforeTheFirstCheckpointLeavesNothingOpenIfTheSystemCanList) {
  auto process = start(1);
  process->write({"a"});
  process.reset();
  external_.can_list = true;
  recover({}, 2);
  EXPECT_THAT(external_.unfinished(), IsEmpty());
  EXPECT_THAT(external_.visible, IsEmpty());
}

TEST_F(TwoPhaseCommitSinkTest, KnownCommittedOnesAreLeftAlone) {
  auto process = start(1);
  process->write({"a"});
  Checkpoint checkpoint = process->checkpoint(1);
  process->commit_all();
  process.reset();
  for (RecoveredCommittable& recovered : checkpoint.committables) recovered.known_committed = true;
  external_.transactions.clear();  // forgotten by the system: asking would say "lost"
  EXPECT_THAT(recover(checkpoint, 2), IsEmpty());
}

TEST_F(TwoPhaseCommitSinkTest, ALostOneIsReportedAndDoesNotStopTheOthers) {
  auto process = start(1);
  process->write({"a"});
  process->checkpoint(1);
  process->write({"b"});
  const Checkpoint checkpoint = process->checkpoint(2);
  external_.transactions.erase(checkpoint.committables[0].committable.transaction);
  process.reset();
  const auto results = recover(checkpoint, 2);
  ASSERT_THAT(results, SizeIs(2));
  EXPECT_EQ(results[0].status, CommitStatus::kLost);
  EXPECT_EQ(results[1].status, CommitStatus::kCommitted);
  EXPECT_THAT(external_.visible, ElementsAre("b"));
}

TEST_F(TwoPhaseCommitSinkTest, ACancelledRecoveryEndsWithTheLastCause) {
  auto process = start(1);
  process->write({"a"});
  const Checkpoint checkpoint = process->checkpoint(1);
  TestContext context;
  context.cancelled_value = true;
  external_.failures_left = 1000;
  auto coordinator = sink_.create_coordinator();
  coordinator->open(context);
  try {
    coordinator->recover({2, checkpoint.committables, {}}, [](const auto&, const auto&) {});
    FAIL() << "recover() returned";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("the system is away"));
  }
}

TEST_F(TwoPhaseCommitSinkTest, AFailedPreCommitFailsTheTaskAndCommitsNothing) {
  auto process = start(1);
  process->write({"a"});
  external_.fails_pre_commit = true;
  EXPECT_THROW(process->writer->prepare_commit(1), Error);
  process->writer->close();
  EXPECT_THAT(external_.unfinished(), IsEmpty());
  EXPECT_THAT(external_.visible, IsEmpty());
}

TEST_F(TwoPhaseCommitSinkTest, ClosingAbortsTheOpenTransactionAndNoPreparedOne) {
  auto process = start(1);
  process->write({"a"});
  process->checkpoint(1);
  process->write({"b"});
  process->writer->close();
  EXPECT_THAT(external_.aborted, ElementsAre("00000000000000000000000000000001-uid-1-0-1"));
  process->commit_all();
  EXPECT_THAT(external_.visible, ElementsAre("a"));
}

TEST_F(TwoPhaseCommitSinkTest, AStateOfAnotherVersionIsRefused) {
  EXPECT_THROW(internal::decode_transaction<Named>("\x02"), FatalError);
  EXPECT_THROW(internal::decode_transaction<Named>(""), FatalError);
}

TEST_F(TwoPhaseCommitSinkTest, AStreamTakesItAsASink) {
  StreamExecutionEnvironment env;
  testing::stream_of<std::string>(env).sink_to(ExternalSink(&external_));
  const StreamNode& node = env.graph().nodes[1];
  EXPECT_TRUE(node.has_coordinator);
  EXPECT_TRUE(node.has_committer);
}

}  // namespace
}  // namespace weir
