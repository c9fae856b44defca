// Kafka leaves out a transaction's markers in partitions that have no leader when they are due
// (KAFKA-20734): its coordinator calls the transaction complete, and readers wait there for ever.
// Here the leader of a partition with one replica dies between a flush and the end of a
// transaction.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "connectors/kafka/protocol/client.h"
#include "connectors/kafka/protocol/client_config.h"
#include "connectors/kafka/testing/fake_context.h"
#include "tests/cluster/kafka_fixture.h"
#include "weir/kafka/sink.h"

namespace weir::kafka {
namespace {

using cluster_test::KafkaFixture;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

KafkaFixture& three_brokers() {
  static KafkaFixture fixture(3, {{"default.replication.factor", "1"},
                                  {"broker.heartbeat.interval.ms", "300"},
                                  {"broker.session.timeout.ms", "2000"}});
  return fixture;
}

class MarkerWriterClusterTest : public testing::Test {
 protected:
  MarkerWriterClusterTest() : kafka_(three_brokers()), topic_(kafka_.create_topic("out", 3)) {
    options_.bootstrap_servers = kafka_.bootstrap();
    options_.topic = topic_;
    options_.delivery_guarantee = DeliveryGuarantee::kExactlyOnce;
    options_.transactional_id_prefix = topic_;
    options_.transaction_timeout = std::chrono::minutes(1);
    writer_ = create_sink_writer(options_);
    writer_->open(context_);
    // Ids of one prefix may have different coordinators; the first slot's is asked.
    coordinator_ = kafka_.transaction_coordinator(topic_ + ":out:1:0:0");
    const auto leaders = partitions();
    partition_ = static_cast<int>(
        std::ranges::find_if(leaders, [&](int leader) { return leader != coordinator_; }) -
        leaders.begin());
    victim_ = leaders.at(static_cast<std::size_t>(partition_));
  }

  // The leader of each partition; -1 where there is none.
  std::vector<int> partitions() {
    protocol::Client client(
        *protocol::client_config_from_properties({{"bootstrap.servers", kafka_.bootstrap()}}));
    const auto cluster =
        *client.metadata({topic_}, std::chrono::steady_clock::now() + std::chrono::seconds(10));
    std::vector<int> leaders;
    for (const protocol::PartitionMetadata& partition : cluster.topics.front().partitions) {
      leaders.push_back(partition.leader);
    }
    return leaders;
  }

  void write(const std::string& value) {
    KafkaProducerRecord record;
    record.topic = topic_;
    record.partition = partition_;
    record.value = value;
    writer_->write(record);
    writer_->end_batch();
  }

  void kill_leader() {
    kafka_.kill(victim_);
    while (partitions().at(static_cast<std::size_t>(partition_)) >= 0) std::this_thread::yield();
  }

  KafkaFixture& kafka_;
  std::string topic_;
  KafkaSinkOptions options_;
  FakeContext<> context_;
  std::unique_ptr<SinkWriterCore> writer_;
  int coordinator_ = 0;
  int partition_ = 0;
  int victim_ = 0;
};

TEST_F(MarkerWriterClusterTest, ACommitIsKnownOnlyWhenReadersSeeIt) {
  write("a");
  const std::vector<Committable> prepared = writer_->prepare_commit(1);
  ASSERT_THAT(prepared, SizeIs(1));
  const std::unique_ptr<Committer> committer = create_committer(options_);
  committer->open(context_);

  kill_leader();
  EXPECT_EQ(committer->commit(prepared[0]).status, CommitStatus::kRetry);
  kafka_.restart(victim_);

  CommitResult result;
  do {
    result = committer->commit(prepared[0]);
  } while (result.status == CommitStatus::kRetry);
  EXPECT_EQ(result.status, CommitStatus::kCommitted) << result.message;
  EXPECT_THAT(kafka_.read_committed(topic_), ElementsAre("a"));
}

TEST_F(MarkerWriterClusterTest, ARecoveryLetsReadersPastWhatItHasFenced) {
  write("aborted");
  while (kafka_.read_uncommitted(topic_).empty()) writer_->end_batch();
  writer_->close();

  kill_leader();
  std::thread recovery([&] {
    const std::unique_ptr<SinkCoordinator> coordinator = create_sink_coordinator(options_);
    FakeContext<> context;
    context.generation_ = 2;
    coordinator->open(context);
    coordinator->recover({2, {}, {}}, [](const Committable&, const CommitResult&) {});
  });
  while (!kafka_.open_transactions(topic_).empty()) std::this_thread::yield();
  kafka_.restart(victim_);
  recovery.join();

  context_.generation_ = 2;
  writer_ = create_sink_writer(options_);
  writer_->open(context_);
  write("after");
  const std::vector<Committable> prepared = writer_->prepare_commit(1);
  ASSERT_THAT(prepared, SizeIs(1));
  const std::unique_ptr<Committer> committer = create_committer(options_);
  committer->open(context_);
  EXPECT_EQ(committer->commit(prepared[0]).status, CommitStatus::kCommitted);
  EXPECT_THAT(kafka_.read_committed(topic_), ElementsAre("after"));
}

}  // namespace
}  // namespace weir::kafka
