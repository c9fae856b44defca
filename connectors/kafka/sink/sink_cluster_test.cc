// The sink's parts against a real broker, driven as the runtime drives them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "connectors/kafka/protocol/client.h"
#include "connectors/kafka/protocol/client_config.h"
#include "connectors/kafka/sink/kafka_committable.h"
#include "connectors/kafka/sink/transactional_id.h"
#include "connectors/kafka/testing/fake_context.h"
#include "tests/cluster/kafka_fixture.h"
#include "weir/kafka/sink.h"

namespace weir::kafka {
namespace {

using cluster_test::KafkaFixture;
using std::chrono::milliseconds;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;

KafkaFixture& broker() {
  static auto* fixture =
      new KafkaFixture(1, {{"transaction.abort.timed.out.transaction.cleanup.interval.ms", "500"}});
  return *fixture;
}

protocol::Deadline soon() {
  return std::chrono::steady_clock::now() + std::chrono::seconds(10);
}

class SinkClusterTest : public testing::Test {
 protected:
  SinkClusterTest() : topic_(broker().create_topic("out", 2)), prefix_("p-" + topic_) {}

  KafkaSinkOptions options() const {
    KafkaSinkOptions options;
    options.bootstrap_servers = broker().bootstrap();
    options.topic = topic_;
    options.delivery_guarantee = DeliveryGuarantee::kExactlyOnce;
    options.transactional_id_prefix = prefix_;
    options.transaction_timeout = std::chrono::minutes(1);
    return options;
  }

  struct Writer {
    std::unique_ptr<FakeContext<>> context;
    std::unique_ptr<SinkWriterCore> core;

    void write(std::string_view value, int partition = -1) const {
      KafkaProducerRecord record;
      record.topic = topic;
      record.partition = partition;
      record.value = value;
      core->write(record);
    }
    std::string topic;
  };

  Writer open_writer(const KafkaSinkOptions& options, std::uint64_t generation = 1) const {
    Writer writer{std::make_unique<FakeContext<>>(), create_sink_writer(options), topic_};
    writer.context->generation_ = generation;
    writer.core->open(*writer.context);
    return writer;
  }

  Committable prepare(const Writer& writer, std::int64_t checkpoint) const {
    std::vector<Committable> committables = writer.core->prepare_commit(checkpoint);
    EXPECT_THAT(committables, SizeIs(1));
    return committables.at(0);
  }

  CommitResult commit(const Committable& committable) const {
    const std::unique_ptr<Committer> committer = create_committer(options());
    FakeContext<> context;
    committer->open(context);
    return committer->commit(committable);
  }

  // Recovers as attempt `generation`; returns the statuses reported.
  std::vector<CommitStatus> recover(std::uint64_t generation,
                                    std::vector<RecoveredCommittable> committables,
                                    std::vector<std::string> writer_states = {}) {
    const std::unique_ptr<SinkCoordinator> coordinator = create_sink_coordinator(options());
    FakeContext<> context;
    context.generation_ = generation;
    coordinator->open(context);
    coordinator->validate();
    std::vector<CommitStatus> statuses;
    coordinator->recover(
        {generation, std::move(committables), std::move(writer_states)},
        [&](const Committable&, const CommitResult& result) { statuses.push_back(result.status); });
    coordinator->close();
    return statuses;
  }

  std::unique_ptr<protocol::TransactionAdmin> admin() const {
    return std::make_unique<protocol::Client>(
        *protocol::client_config_from_properties({{"bootstrap.servers", broker().bootstrap()}}));
  }

  std::vector<std::string> ids() const {
    std::vector<std::string> result;
    const protocol::TransactionList list = *admin()->list_transactions({}, soon());
    for (const protocol::ListedTransaction& transaction : list.transactions) {
      if (transaction.transactional_id.starts_with(prefix_)) {
        result.push_back(transaction.transactional_id);
      }
    }
    return result;
  }

  std::string topic_;
  std::string prefix_;
};

TEST_F(SinkClusterTest, RecordsAreSeenWhenCommittedAndNotBefore) {
  Writer writer = open_writer(options());
  EXPECT_TRUE(writer.core->writable());
  writer.write("a", 0);
  writer.write("b", 1);
  writer.write("c", 1);
  writer.core->end_batch();
  const Committable committable = prepare(writer, 7);
  EXPECT_EQ(committable.checkpoint_id, 7);
  EXPECT_EQ(committable.records, 3U);
  ASSERT_THAT(committable.ranges, SizeIs(2));
  EXPECT_EQ(committable.ranges[0].resource, topic_ + "-0");
  EXPECT_EQ(committable.ranges[1].first, 0);
  EXPECT_EQ(committable.ranges[1].last, 1);
  EXPECT_THAT(broker().read_committed(topic_), IsEmpty());
  EXPECT_THAT(broker().read_uncommitted(topic_), SizeIs(3));

  writer.core->close();  // the commit needs no process that wrote the data
  EXPECT_EQ(commit(committable).status, CommitStatus::kCommitted);
  EXPECT_EQ(commit(committable).status, CommitStatus::kCommitted);
  EXPECT_THAT(broker().read_committed(topic_), UnorderedElementsAre("a", "b", "c"));
}

TEST_F(SinkClusterTest, NothingWrittenMakesNoCommittable) {
  Writer writer = open_writer(options());
  EXPECT_THAT(writer.core->prepare_commit(1), IsEmpty());
  writer.write("a");
  prepare(writer, 2);
  EXPECT_THAT(writer.core->prepare_commit(3), IsEmpty());
}

TEST_F(SinkClusterTest, IdsDoNotGrowOverTwoHundredCheckpoints) {
  Writer writer = open_writer(options());
  const std::unique_ptr<Committer> committer = create_committer(options());
  committer->open(*writer.context);
  std::deque<Committable> committed;
  for (int checkpoint = 1; checkpoint <= 200; ++checkpoint) {
    writer.write(std::to_string(checkpoint));
    committed.push_back(prepare(writer, checkpoint));
    ASSERT_EQ(committer->commit(committed.back()).status, CommitStatus::kCommitted);
    if (committed.size() < 2) continue;
    writer.core->release(committed.front());
    committed.pop_front();
  }
  EXPECT_THAT(ids(), SizeIs(testing::Le(4U)));
  const std::vector<std::string> seen = broker().read_committed(topic_);
  EXPECT_THAT(seen, SizeIs(200));
  EXPECT_THAT(std::set<std::string>(seen.begin(), seen.end()), SizeIs(200));
}

TEST_F(SinkClusterTest, TheWriterGoesOnUnderNewIdsWhileOthersAwaitTheirCommits) {
  Writer writer = open_writer(options());
  std::vector<Committable> prepared;
  for (int checkpoint = 1; checkpoint <= 8; ++checkpoint) {
    writer.write(std::to_string(checkpoint));
    prepared.push_back(prepare(writer, checkpoint));
  }
  EXPECT_EQ(writer.context->gauge("preparedTransactions"), 8);
  for (const Committable& committable : prepared) {
    ASSERT_EQ(commit(committable).status, CommitStatus::kCommitted);
    writer.core->release(committable);
  }
  EXPECT_EQ(writer.context->gauge("preparedTransactions"), 0);
  EXPECT_THAT(broker().read_committed(topic_), SizeIs(8));
}

TEST_F(SinkClusterTest, ARecoveryCommitsTheCheckpointAndFencesTheRest) {
  Writer writer = open_writer(options(), 1);
  writer.write("in the checkpoint");
  const Committable known = prepare(writer, 1);
  ASSERT_EQ(commit(known).status, CommitStatus::kCommitted);
  writer.write("in the checkpoint too");
  const Committable pending = prepare(writer, 1);
  writer.write("prepared later");
  prepare(writer, 2);
  writer.write("open");
  writer.core->end_batch();
  const std::string state = writer.core->snapshot(1);
  writer.core->close();

  for (const std::uint64_t generation : {2, 3}) {  // the second one repeats a recovery
    EXPECT_THAT(recover(generation, {{known, true}, {pending, false}}, {state}),
                ElementsAre(CommitStatus::kCommitted));
    EXPECT_THAT(broker().open_transactions(prefix_), IsEmpty());
    EXPECT_THAT(broker().read_committed(topic_),
                UnorderedElementsAre("in the checkpoint", "in the checkpoint too"));
  }
}

TEST_F(SinkClusterTest, AZombieCannotWriteAfterTheRecovery) {
  Writer zombie = open_writer(options(), 1);
  zombie.write("a");
  zombie.core->end_batch();
  recover(2, {});
  // The fence shows as soon as a record is sent: at the barrier at the latest.
  EXPECT_THROW(
      {
        zombie.write("b");
        prepare(zombie, 1);
      },
      Error);
  EXPECT_THAT(broker().open_transactions(prefix_), IsEmpty());
  EXPECT_THAT(broker().read_committed(topic_), IsEmpty());
}

TEST_F(SinkClusterTest, ASweepFencesWhatAZombieOpensLater) {
  const std::unique_ptr<SinkCoordinator> coordinator = create_sink_coordinator(options());
  FakeContext<> context;
  context.generation_ = 2;
  coordinator->open(context);
  coordinator->recover({2, {}, {}}, [](const Committable&, const CommitResult&) {});
  Writer zombie = open_writer(options(), 1);
  Writer current = open_writer(options(), 2);
  zombie.write("zombie");
  current.write("current");
  prepare(zombie, 1);
  const Committable committable = prepare(current, 1);
  coordinator->sweep();
  EXPECT_EQ(commit(committable).status, CommitStatus::kCommitted);
  EXPECT_THAT(broker().open_transactions(prefix_), IsEmpty());
  EXPECT_THAT(broker().read_committed(topic_), ElementsAre("current"));
}

TEST_F(SinkClusterTest, AnOldCommittableCannotCommitALaterTransactionOfItsId) {
  Writer writer = open_writer(options());
  writer.write("first");
  const Committable first = prepare(writer, 1);
  ASSERT_EQ(commit(first).status, CommitStatus::kCommitted);
  writer.core->release(first);
  Committable last = first;
  const std::string id = first.transaction.substr(0, first.transaction.find('/'));
  do {  // until the id comes round
    writer.write("later");
    last = prepare(writer, 2);
    writer.core->release(last);
  } while (!last.transaction.starts_with(id));
  EXPECT_NE(last.transaction, first.transaction);
  EXPECT_EQ(commit(first).status, CommitStatus::kLost);
  EXPECT_THAT(broker().open_transactions(id), SizeIs(1));
}

// As a savepoint is older than what the job has done since.
TEST_F(SinkClusterTest, ARecoveryFromAnOlderCheckpointFencesItsIdsThatAreInUseAgain) {
  Writer writer = open_writer(options(), 1);
  writer.write("first");
  const Committable first = prepare(writer, 1);
  ASSERT_EQ(commit(first).status, CommitStatus::kCommitted);
  writer.core->release(first);
  const std::string id = first.transaction.substr(0, first.transaction.find('/'));
  for (Committable last = first; last.transaction == first.transaction ||
                                 !last.transaction.starts_with(id);) {  // until it comes round
    writer.write("later");
    last = prepare(writer, 2);
    writer.core->release(last);
  }
  ASSERT_THAT(broker().open_transactions(id), SizeIs(1));
  for (const std::uint64_t generation : {2, 3}) {
    recover(generation, {{first, true}});
    EXPECT_THAT(broker().open_transactions(prefix_), IsEmpty());
    EXPECT_THAT(broker().read_committed(topic_), ElementsAre("first"));
  }
}

TEST_F(SinkClusterTest, AnAbortBySomebodyElseIsFoundBeforeTheCheckpointIsAcknowledged) {
  Writer writer = open_writer(options());
  writer.write("lost", 0);
  while (broker().read_uncommitted(topic_).empty()) writer.core->end_batch();
  const std::string id = format_transactional_id({prefix_, "out", 1, 0, 0});
  const protocol::TransactionDescription open = *admin()->describe_transaction(id, soon());
  ASSERT_EQ(
      admin()->end_transaction(id, open.producer_id, open.producer_epoch, false, soon())->error,
      protocol::ErrorCode::kNone);
  EXPECT_THROW(
      {
        writer.write("on another partition", 1);
        prepare(writer, 1);
      },
      Error);
}

TEST_F(SinkClusterTest, APrefixThatBeginsAnotherLeavesItAlone) {
  KafkaSinkOptions longer = options();
  longer.transactional_id_prefix += "2";
  Writer other = open_writer(longer, 1);
  other.write("of another job");
  const Committable committable = prepare(other, 1);
  recover(5, {});
  EXPECT_EQ(commit(committable).status, CommitStatus::kCommitted);
}

TEST_F(SinkClusterTest, ATransactionThatTimedOutIsLostAndSaysWhat) {
  KafkaSinkOptions impatient = options();
  impatient.transaction_timeout = std::chrono::seconds(1);
  Writer writer = open_writer(impatient);
  writer.write("a", 1);
  const Committable committable = prepare(writer, 1);
  while (!broker().open_transactions(prefix_).empty()) {
  }
  const CommitResult result = commit(committable);
  EXPECT_EQ(result.status, CommitStatus::kLost);
  EXPECT_THAT(result.message, AllOf(HasSubstr(committable.transaction), HasSubstr("timeout")));
}

TEST_F(SinkClusterTest, ATransactionThatNobodyKnowsIsLostWhetherItsTopicsAreThereOrNot) {
  const PreparedTransaction forgotten{.transactional_id = prefix_ + ":out:1:0:0",
                                      .producer_id = 1'000'000,
                                      .producer_epoch = 0,
                                      .topic_partitions = {{"deleted", 0}, {topic_, 0}}};
  const CommitResult result = commit(to_committable(forgotten, 1, {}, 0));
  EXPECT_EQ(result.status, CommitStatus::kLost);
  EXPECT_THAT(result.message, HasSubstr("has expired"));
}

TEST_F(SinkClusterTest, ARecordThatIsTooLargeIsNamedWithTopicSizeAndLimit) {
  topic_ = broker().create_topic("small", 1, {{"max.message.bytes", "2000"}});
  Writer writer = open_writer(options());
  for (int i = 0; i < 1000; ++i) writer.write("many small records are no large one");
  ASSERT_EQ(commit(prepare(writer, 1)).status, CommitStatus::kCommitted);
  try {
    writer.write(std::string(3000, 'x'));
    prepare(writer, 2);
    FAIL() << "written";
  } catch (const FatalError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("3000 bytes"), HasSubstr("'" + topic_ + "'"),
                                    HasSubstr("2000 bytes"), HasSubstr("max.message.bytes")));
  }
}

TEST_F(SinkClusterTest, ACommitWaitsForABrokerThatIsAway) {
  KafkaFixture own;
  topic_ = own.create_topic("out", 1);
  KafkaSinkOptions options = this->options();
  options.bootstrap_servers = own.bootstrap();
  Writer writer = open_writer(options);
  writer.write("a");
  const Committable committable = prepare(writer, 1);
  writer.core->close();
  own.kill(1);
  const std::unique_ptr<Committer> committer = create_committer(options);
  committer->open(*writer.context);
  EXPECT_EQ(committer->commit(committable).status, CommitStatus::kRetry);
  own.restart(1);
  CommitResult result;
  do {
    result = committer->commit(committable);
  } while (result.status == CommitStatus::kRetry);
  EXPECT_EQ(result.status, CommitStatus::kCommitted) << result.message;
  EXPECT_THAT(own.read_committed(topic_), ElementsAre("a"));
}

TEST_F(SinkClusterTest, AtLeastOnceHasWrittenEverythingAtTheBarrier) {
  KafkaSinkOptions options = this->options();
  options.delivery_guarantee = DeliveryGuarantee::kAtLeastOnce;
  Writer writer = open_writer(options);
  for (int i = 0; i < 1000; ++i) writer.write(std::to_string(i));
  EXPECT_THAT(writer.core->prepare_commit(1), IsEmpty());
  EXPECT_THAT(broker().read_committed(topic_), SizeIs(1000));
  EXPECT_EQ(create_committer(options), nullptr);
}

TEST_F(SinkClusterTest, AJobThatLeftExactlyOnceStillCommitsAndFences) {
  Writer writer = open_writer(options(), 1);
  writer.write("committed");
  const Committable committable = prepare(writer, 1);
  writer.write("open");
  writer.core->end_batch();
  const std::string state = writer.core->snapshot(1);
  writer.core->close();
  KafkaSinkOptions plain = options();
  plain.delivery_guarantee = DeliveryGuarantee::kAtLeastOnce;
  plain.transactional_id_prefix.clear();
  const std::unique_ptr<SinkCoordinator> coordinator = create_sink_coordinator(plain);
  FakeContext<> context;
  coordinator->open(context);
  coordinator->validate();
  coordinator->recover({2, {{committable, false}}, {state}},
                       [](const Committable&, const CommitResult&) {});
  EXPECT_THAT(broker().read_committed(topic_), ElementsAre("committed"));
  EXPECT_THAT(broker().open_transactions(prefix_), IsEmpty());
}

std::string validation_error(const KafkaSinkOptions& options, const CheckpointSettings& settings) {
  const std::unique_ptr<SinkCoordinator> coordinator = create_sink_coordinator(options);
  FakeContext<> context;
  context.settings_ = settings;
  coordinator->open(context);
  try {
    coordinator->validate();
  } catch (const FatalError& error) {
    return error.what();
  }
  return "";
}

TEST_F(SinkClusterTest, ValidationNamesWhatIsWrongWithTheFigures) {
  const CheckpointSettings settings = FakeContext<>().settings_;
  EXPECT_EQ(validation_error(options(), settings), "");
  KafkaSinkOptions wrong = options();
  wrong.topic = "no-such-topic";
  EXPECT_THAT(
      validation_error(wrong, settings),
      AllOf(HasSubstr("'no-such-topic'"), HasSubstr(broker().bootstrap()), HasSubstr("create it")));
  wrong = options();
  wrong.transaction_timeout = std::chrono::hours(1);
  EXPECT_THAT(validation_error(wrong, settings),
              AllOf(HasSubstr("3600000 ms"), HasSubstr("900000 ms")));
  CheckpointSettings slow = settings;
  slow.timeout = std::chrono::minutes(1);
  EXPECT_THAT(validation_error(options(), slow), HasSubstr("= 71000 ms"));
}

TEST_F(SinkClusterTest, ValidationShowsThePrefixAndTheLargestGenerationUsed) {
  open_writer(options(), 17).core->close();
  KafkaSinkOptions other = options();
  other.transactional_id_prefix += "2";
  open_writer(other, 99).core->close();
  const std::unique_ptr<SinkCoordinator> coordinator = create_sink_coordinator(options());
  FakeContext<> context;
  coordinator->open(context);
  const SinkValidation validation = coordinator->validate();
  EXPECT_EQ(validation.generation_max, 17U);
  EXPECT_EQ(validation.transaction_timeout, options().transaction_timeout);
  EXPECT_THAT(
      validation.exclusive_resources,
      ElementsAre(AllOf(testing::StartsWith("kafka-prefix:"), testing::EndsWith("/" + prefix_))));
}

}  // namespace
}  // namespace weir::kafka
