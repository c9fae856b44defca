// What the exactly-once sink builds on, on a real Apache Kafka: a transaction is ended by whoever
// knows its id, producer id and epoch, and each error says which other thing happened to it.
#include "connectors/kafka/protocol/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

#include "common/status_matchers.h"
#include "tests/cluster/kafka_fixture.h"

namespace weir::kafka::protocol {
namespace {

using cluster_test::KafkaFixture;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr int kTimeoutMs = 30'000;
constexpr milliseconds kTransactionTimeout{60'000};

Deadline later() {
  return steady_clock::now() + seconds(60);
}

Client client_of(const KafkaFixture& kafka) {
  return Client(*client_config_from_properties({{"bootstrap.servers", kafka.bootstrap()}}));
}

std::string unique_id(const std::string& name) {
  static int number = 0;
  return "protocol-test:" + name + ":" + std::to_string(++number);
}

void require(rd_kafka_error_t* error) {
  if (error == nullptr) return;
  const std::string text = rd_kafka_error_string(error);
  rd_kafka_error_destroy(error);
  throw std::runtime_error(text);
}

// librdkafka's producer with a transaction begun. Destroying it tells the broker nothing, as
// killing its process would.
class OpenTransaction {
 public:
  OpenTransaction(const KafkaFixture& kafka, const std::string& id,
                  milliseconds timeout = kTransactionTimeout) {
    rd_kafka_conf_t* settings = rd_kafka_conf_new();
    set(settings, "bootstrap.servers", kafka.bootstrap());
    set(settings, "transactional.id", id);
    set(settings, "transaction.timeout.ms", std::to_string(timeout.count()));
    char error[512];
    producer_ = rd_kafka_new(RD_KAFKA_PRODUCER, settings, error, sizeof(error));
    if (producer_ == nullptr) throw std::runtime_error(error);
    require(rd_kafka_init_transactions(producer_, kTimeoutMs));
    require(rd_kafka_begin_transaction(producer_));
  }
  ~OpenTransaction() { rd_kafka_destroy(producer_); }
  OpenTransaction(const OpenTransaction&) = delete;
  OpenTransaction& operator=(const OpenTransaction&) = delete;

  void write(const std::string& topic, int32_t partition, std::string value) {
    rd_kafka_producev(producer_, RD_KAFKA_V_TOPIC(topic.c_str()), RD_KAFKA_V_PARTITION(partition),
                      RD_KAFKA_V_VALUE(value.data(), value.size()),
                      RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
    rd_kafka_flush(producer_, kTimeoutMs);
  }

  // What librdkafka says when it tries to commit; empty if it could.
  std::string commit() {
    rd_kafka_error_t* error = rd_kafka_commit_transaction(producer_, kTimeoutMs);
    if (error == nullptr) return "";
    const std::string name = rd_kafka_error_name(error);
    rd_kafka_error_destroy(error);
    return name;
  }

 private:
  static void set(rd_kafka_conf_t* settings, const char* name, const std::string& value) {
    char error[512];
    if (rd_kafka_conf_set(settings, name, value.c_str(), error, sizeof(error)) !=
        RD_KAFKA_CONF_OK) {
      throw std::runtime_error(error);
    }
  }

  rd_kafka_t* producer_ = nullptr;
};

// A transaction with records in `topic`, whose producer is gone.
TransactionDescription leave_open(const KafkaFixture& kafka, Client& client, const std::string& id,
                                  const std::string& topic,
                                  milliseconds timeout = kTransactionTimeout) {
  {
    OpenTransaction transaction(kafka, id, timeout);
    transaction.write(topic, 0, "a");
    transaction.write(topic, 1, "b");
  }
  auto description = client.describe_transaction(id, later());
  if (!description.ok()) throw std::runtime_error(description.status().ToString());
  return *description;
}

ErrorCode end(Client& client, const TransactionDescription& transaction, bool commit) {
  const auto ended = client.end_transaction(transaction.transactional_id, transaction.producer_id,
                                            transaction.producer_epoch, commit, later());
  if (!ended.ok()) throw std::runtime_error(ended.status().ToString());
  return ended->error;
}

// Until the abort that it brings about is done.
InitProducerIdResult fence(Client& client, const std::string& id) {
  const Deadline deadline = later();
  for (;;) {
    const auto init =
        client.init_producer_id(id, kTransactionTimeout, Resend::kUntilDeadline, deadline);
    if (!init.ok()) throw std::runtime_error(init.status().ToString());
    if (init->error != ErrorCode::kConcurrentTransactions || steady_clock::now() > deadline) {
      return *init;
    }
  }
}

TransactionDescription await_state(Client& client, const std::string& id, TransactionState state) {
  const Deadline deadline = later();
  for (;;) {
    auto description = client.describe_transaction(id, deadline);
    if (!description.ok()) throw std::runtime_error(description.status().ToString());
    if (description->state == state || steady_clock::now() > deadline) return *description;
  }
}

class ClientClusterTest : public ::testing::Test {
 protected:
  KafkaFixture& kafka_ = KafkaFixture::shared();
  Client client_ = client_of(kafka_);
  const std::string topic_ = kafka_.create_topic("out", 2);
};

TEST_F(ClientClusterTest, DescribesATransactionWhoseProducerIsGone) {
  const std::string id = unique_id("describe");
  const TransactionDescription transaction = leave_open(kafka_, client_, id, topic_);
  EXPECT_EQ(transaction.error, ErrorCode::kNone);
  EXPECT_EQ(transaction.state, TransactionState::kOngoing);
  EXPECT_GE(transaction.producer_id, 0);
  EXPECT_EQ(transaction.producer_epoch, 0);
  EXPECT_EQ(transaction.timeout_ms, kTransactionTimeout.count());
  EXPECT_GT(transaction.start_time_ms, 0);
  EXPECT_THAT(transaction.topic_partitions,
              ElementsAre(TopicPartition{topic_, 0}, TopicPartition{topic_, 1}));
  end(client_, transaction, /*commit=*/false);
}

TEST_F(ClientClusterTest, CommitsATransactionWhoseProducerIsGone) {
  const TransactionDescription transaction =
      leave_open(kafka_, client_, unique_id("commit"), topic_);
  EXPECT_THAT(kafka_.read_committed(topic_), IsEmpty());
  EXPECT_EQ(end(client_, transaction, /*commit=*/true), ErrorCode::kNone);
  const auto done =
      await_state(client_, transaction.transactional_id, TransactionState::kCompleteCommit);
  EXPECT_EQ(done.producer_epoch, transaction.producer_epoch);
  EXPECT_THAT(kafka_.read_committed(topic_), SizeIs(2));
}

TEST_F(ClientClusterTest, ARepeatedCommitIsHarmlessAndALateAbortIsRefused) {
  const TransactionDescription transaction =
      leave_open(kafka_, client_, unique_id("repeat"), topic_);
  EXPECT_EQ(end(client_, transaction, /*commit=*/true), ErrorCode::kNone);
  await_state(client_, transaction.transactional_id, TransactionState::kCompleteCommit);
  EXPECT_EQ(end(client_, transaction, /*commit=*/true), ErrorCode::kNone);
  EXPECT_EQ(end(client_, transaction, /*commit=*/false), ErrorCode::kInvalidTxnState);
  EXPECT_THAT(kafka_.read_committed(topic_), SizeIs(2));
}

TEST_F(ClientClusterTest, ATransactionWhoseIdWasInitialisedAgainCannotBeCommitted) {
  const TransactionDescription transaction =
      leave_open(kafka_, client_, unique_id("reinit"), topic_);
  const InitProducerIdResult fenced = fence(client_, transaction.transactional_id);
  EXPECT_EQ(fenced.error, ErrorCode::kNone);
  EXPECT_EQ(fenced.producer_id, transaction.producer_id);
  EXPECT_GT(fenced.producer_epoch, transaction.producer_epoch);
  EXPECT_EQ(end(client_, transaction, /*commit=*/true), ErrorCode::kInvalidProducerEpoch);
  EXPECT_THAT(kafka_.read_committed(topic_), IsEmpty());
}

TEST_F(ClientClusterTest, ATransactionThatTimedOutCannotBeCommitted) {
  const TransactionDescription transaction =
      leave_open(kafka_, client_, unique_id("timeout"), topic_, milliseconds(1000));
  const auto aborted =
      await_state(client_, transaction.transactional_id, TransactionState::kCompleteAbort);
  EXPECT_EQ(aborted.state, TransactionState::kCompleteAbort);
  EXPECT_EQ(end(client_, transaction, /*commit=*/true), ErrorCode::kInvalidProducerEpoch);
  EXPECT_THAT(kafka_.read_committed(topic_), IsEmpty());
}

TEST_F(ClientClusterTest, AnInitFencesAProducerThatStillLives) {
  const std::string id = unique_id("fence");
  OpenTransaction zombie(kafka_, id);
  zombie.write(topic_, 0, "of the zombie");
  EXPECT_EQ(fence(client_, id).error, ErrorCode::kNone);
  zombie.write(topic_, 1, "too late");
  EXPECT_THAT(zombie.commit(), AnyOf("_FENCED", "_FATAL", "_STATE"));
  EXPECT_THAT(kafka_.read_committed(topic_), IsEmpty());
}

TEST_F(ClientClusterTest, ATransactionWithoutRecordsCannotBeEnded) {
  const std::string id = unique_id("empty");
  const InitProducerIdResult init = fence(client_, id);
  EXPECT_EQ(init.attempts, 1);
  const auto ended =
      client_.end_transaction(id, init.producer_id, init.producer_epoch, true, later());
  ASSERT_THAT(ended, IsOk());
  EXPECT_EQ(ended->error, ErrorCode::kInvalidTxnState);
  const auto description = client_.describe_transaction(id, later());
  ASSERT_THAT(description, IsOk());
  EXPECT_EQ(description->state, TransactionState::kEmpty);
}

TEST_F(ClientClusterTest, AnUnknownIdIsTold) {
  const std::string id = unique_id("unknown");
  const auto ended = client_.end_transaction(id, 4711, 0, true, later());
  ASSERT_THAT(ended, IsOk());
  EXPECT_EQ(ended->error, ErrorCode::kInvalidProducerIdMapping);
  const auto description = client_.describe_transaction(id, later());
  ASSERT_THAT(description, IsOk());
  EXPECT_EQ(description->error, ErrorCode::kTransactionalIdNotFound);
}

TEST_F(ClientClusterTest, ATimeoutOverTheBrokersMaximumIsRefused) {
  const auto init = client_.init_producer_id(unique_id("too-long"), std::chrono::hours(24),
                                             Resend::kNever, later());
  ASSERT_THAT(init, IsOk());
  EXPECT_EQ(init->error, ErrorCode::kInvalidTransactionTimeout);
}

TEST_F(ClientClusterTest, ListsTransactionsByState) {
  const TransactionDescription open = leave_open(kafka_, client_, unique_id("open"), topic_);
  const TransactionDescription done = leave_open(kafka_, client_, unique_id("done"), topic_);
  end(client_, done, /*commit=*/true);
  await_state(client_, done.transactional_id, TransactionState::kCompleteCommit);

  const auto all = client_.list_transactions({}, later());
  ASSERT_THAT(all, IsOk());
  EXPECT_TRUE(all->complete());
  const auto id_is = [](const std::string& id) {
    return Field(&ListedTransaction::transactional_id, id);
  };
  EXPECT_THAT(all->transactions, Contains(id_is(open.transactional_id)));
  EXPECT_THAT(all->transactions, Contains(id_is(done.transactional_id)));

  const auto ongoing = client_.list_transactions({TransactionState::kOngoing}, later());
  ASSERT_THAT(ongoing, IsOk());
  EXPECT_THAT(ongoing->transactions, Contains(id_is(open.transactional_id)));
  EXPECT_THAT(ongoing->transactions, Not(Contains(id_is(done.transactional_id))));
  EXPECT_THAT(ongoing->transactions,
              Each(Field(&ListedTransaction::state, TransactionState::kOngoing)));
  end(client_, open, /*commit=*/false);
}

TEST_F(ClientClusterTest, ReadsTheLimitsOfBrokerAndTopic) {
  const std::string topic = kafka_.create_topic("limited", 1, {{"max.message.bytes", "4321"}});
  const auto cluster = client_.metadata({}, later());
  ASSERT_THAT(cluster, IsOk());
  ASSERT_THAT(cluster->brokers, SizeIs(1));
  const auto broker = client_.describe_configs(
      {ConfigResourceType::kBroker, std::to_string(cluster->brokers[0].id)},
      {"transaction.max.timeout.ms"}, later());
  ASSERT_THAT(broker, IsOk());
  EXPECT_EQ(broker->error, ErrorCode::kNone);
  EXPECT_EQ(broker->values.at("transaction.max.timeout.ms"), "900000");
  const auto limits =
      client_.describe_configs({ConfigResourceType::kTopic, topic}, {"max.message.bytes"}, later());
  ASSERT_THAT(limits, IsOk());
  EXPECT_EQ(limits->values.at("max.message.bytes"), "4321");
  const auto none =
      client_.describe_configs({ConfigResourceType::kTopic, "no-such-topic"}, {}, later());
  ASSERT_THAT(none, IsOk());
  EXPECT_EQ(none->error, ErrorCode::kUnknownTopicOrPartition);
}

TEST_F(ClientClusterTest, ReadsTheClustersMetadataAndMakesNoTopic) {
  for (int i = 0; i < 2; ++i) {
    const auto cluster = client_.metadata({topic_, "no-such-topic"}, later());
    ASSERT_THAT(cluster, IsOk());
    EXPECT_THAT(cluster->cluster_id, Not(IsEmpty()));
    ASSERT_THAT(cluster->topics, SizeIs(2));
    for (const TopicMetadata& topic : cluster->topics) {
      if (topic.name == topic_) {
        EXPECT_EQ(topic.error, ErrorCode::kNone);
        EXPECT_THAT(topic.partitions, SizeIs(2));
      } else {
        EXPECT_EQ(topic.error, ErrorCode::kUnknownTopicOrPartition);
      }
    }
  }
}

// A new home is found for a coordinator that is killed, and for one that only stands still.
TEST(ClientFailoverTest, CommitsThroughTheLossOfTheCoordinator) {
  KafkaFixture kafka(3);
  Client client = client_of(kafka);
  const std::string topic = kafka.create_topic("out", 2);
  size_t visible = 0;
  for (const bool killed : {true, false}) {
    const TransactionDescription transaction =
        leave_open(kafka, client, unique_id("failover"), topic);
    const auto coordinator =
        client.find_transaction_coordinator(transaction.transactional_id, later());
    ASSERT_THAT(coordinator, IsOk());
    ASSERT_EQ(coordinator->error, ErrorCode::kNone);
    const int lost = coordinator->broker.id;
    killed ? kafka.kill(lost) : kafka.pause(lost);

    EXPECT_EQ(end(client, transaction, /*commit=*/true), ErrorCode::kNone);
    const auto list = client.list_transactions({}, later());
    ASSERT_THAT(list, IsOk());
    EXPECT_TRUE(list->complete());
    EXPECT_THAT(list->transactions, Contains(Field(&ListedTransaction::transactional_id,
                                                   transaction.transactional_id)));
    visible += 2;
    killed ? kafka.restart(lost) : kafka.resume(lost);
    await_state(client, transaction.transactional_id, TransactionState::kCompleteCommit);
    // The broker that comes back may still believe for a moment that it leads a partition.
    const Deadline patience = later();
    while (kafka.read_committed(topic).size() < visible &&
           std::chrono::steady_clock::now() < patience) {
    }
    EXPECT_THAT(kafka.read_committed(topic), SizeIs(visible));
  }
}

}  // namespace
}  // namespace weir::kafka::protocol
