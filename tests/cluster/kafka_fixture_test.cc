// What the tests on real processes rely on: that a committed transaction is seen, an aborted and an
// open one are not, and that a killed broker comes back with its data.
#include "tests/cluster/kafka_fixture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>

#include <stdexcept>
#include <string>
#include <vector>

namespace weir::cluster_test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr int kTimeoutMs = 30'000;

void require(rd_kafka_error_t* error) {
  if (error == nullptr) return;
  std::string text = rd_kafka_error_string(error);
  rd_kafka_error_destroy(error);
  throw std::runtime_error(text);
}

class TransactionalProducer {
 public:
  TransactionalProducer(const std::string& bootstrap, const std::string& id) {
    rd_kafka_conf_t* settings = rd_kafka_conf_new();
    char error[512];
    rd_kafka_conf_set(settings, "bootstrap.servers", bootstrap.c_str(), error, sizeof(error));
    rd_kafka_conf_set(settings, "transactional.id", id.c_str(), error, sizeof(error));
    client_ = rd_kafka_new(RD_KAFKA_PRODUCER, settings, error, sizeof(error));
    require(rd_kafka_init_transactions(client_, kTimeoutMs));
  }
  ~TransactionalProducer() { rd_kafka_destroy(client_); }

  void begin() { require(rd_kafka_begin_transaction(client_)); }
  void commit() { require(rd_kafka_commit_transaction(client_, kTimeoutMs)); }
  void abort() { require(rd_kafka_abort_transaction(client_, kTimeoutMs)); }

  void write(const std::string& topic, std::string value) {
    rd_kafka_producev(client_, RD_KAFKA_V_TOPIC(topic.c_str()), RD_KAFKA_V_PARTITION(0),
                      RD_KAFKA_V_VALUE(value.data(), value.size()),
                      RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
    ASSERT_EQ(rd_kafka_flush(client_, kTimeoutMs), RD_KAFKA_RESP_ERR_NO_ERROR);
  }

 private:
  rd_kafka_t* client_;
};

TEST(KafkaFixtureTest, ShowsCommittedTransactionsOnly) {
  KafkaFixture& kafka = KafkaFixture::shared();
  std::string topic = kafka.create_topic("transactions", 1);
  TransactionalProducer producer(kafka.bootstrap(), "fixture-test");

  producer.begin();
  producer.write(topic, "committed");
  producer.commit();
  producer.begin();
  producer.write(topic, "aborted");
  producer.abort();
  EXPECT_THAT(kafka.read_committed(topic), ElementsAre("committed"));
  EXPECT_THAT(kafka.open_transactions("fixture-"), IsEmpty());

  producer.begin();
  producer.write(topic, "open");
  EXPECT_THAT(kafka.read_committed(topic), ElementsAre("committed"));
  EXPECT_THAT(kafka.read_uncommitted(topic), ElementsAre("committed", "aborted", "open"));
  EXPECT_THAT(kafka.open_transactions("fixture-"), ElementsAre("fixture-test Ongoing"));
  EXPECT_THAT(kafka.open_transactions("another-"), IsEmpty());
}

TEST(DifferenceTest, TellsWhatIsLostRepeatedAndStrange) {
  EXPECT_EQ(difference({"a", "b", "b"}, {"b", "a", "b"}), "");
  EXPECT_EQ(difference({"a", "b", "c"}, {"x", "b", "b", "b"}),
            "3 expected, 4 found, 2 lost (a c), 2 repeated (b b), 1 strange (x)");
  EXPECT_EQ(difference({"a", "a"}, {"a"}), "2 expected, 1 found, 1 lost (a)");
}

TEST(KafkaFixtureTest, KeepsItsDataWhenTheBrokerIsKilled) {
  KafkaFixture kafka;
  std::string topic = kafka.create_topic("kept", 2);
  kafka.produce(topic, {"a", "b", "c"});
  kafka.kill(1);
  kafka.restart(1);
  EXPECT_THAT(kafka.read_committed(topic), UnorderedElementsAre("a", "b", "c"));
}

TEST(KafkaFixtureTest, CommitsThoughTheCoordinatorsBrokerIsKilled) {
  KafkaFixture kafka(3);
  std::string topic = kafka.create_topic("replicated", 1);
  TransactionalProducer producer(kafka.bootstrap(), "survivor");
  producer.begin();
  producer.write(topic, "written before");
  int coordinator = kafka.transaction_coordinator("survivor");
  kafka.kill(coordinator);
  producer.commit();
  EXPECT_THAT(kafka.read_committed(topic), ElementsAre("written before"));
  EXPECT_NE(kafka.transaction_coordinator("survivor"), coordinator);
  kafka.restart(coordinator);
}

}  // namespace
}  // namespace weir::cluster_test
