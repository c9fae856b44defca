// The model against what was measured on Apache Kafka 4.0 with librdkafka 2.0.2.
#include "tests/simulation/kafka_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::simulation {
namespace {

using kafka::protocol::ErrorCode;
using kafka::protocol::InitProducerIdResult;
using State = kafka::protocol::TransactionState;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class KafkaModelTest : public ::testing::Test {
 protected:
  InitProducerIdResult init(const std::string& id) {
    for (;;) {
      const InitProducerIdResult result = kafka_.init_producer_id(id, kSecond);
      if (result.error != ErrorCode::kConcurrentTransactions) return result;
      settle();
    }
  }
  ErrorCode write(const InitProducerIdResult& producer, int partition, int64_t sequence,
                  RecordId id) {
    const ErrorCode added =
        kafka_.add_partition("id", producer.producer_id, producer.producer_epoch, partition);
    if (added != ErrorCode::kNone) return added;
    return kafka_.produce("id", producer.producer_id, producer.producer_epoch, partition, sequence,
                          {{id}});
  }
  ErrorCode end(const InitProducerIdResult& producer, bool commit) {
    return kafka_.end_transaction("id", producer.producer_id, producer.producer_epoch, commit);
  }
  std::vector<RecordId> read_committed(int partition) const {
    std::vector<RecordId> ids;
    for (const OutputRecord& record : kafka_.read_committed(partition)) ids.push_back(record.id);
    return ids;
  }
  // Long enough for markers, too short for timeouts.
  void settle() { run_until(events_.now_us() + 100 * kMillisecond); }
  void run_until(int64_t time_us) {
    bool reached = false;
    events_.at(time_us, [&] { reached = true; });
    while (!reached) events_.step();
  }

  EventQueue events_{false};
  Random random_{1};
  KafkaModel kafka_{events_, random_, {}};
};

TEST_F(KafkaModelTest, ADeadProducersTransactionIsCommittedByAnotherProcess) {
  const auto producer = init("id");
  ASSERT_EQ(write(producer, 0, 0, {0, 7}), ErrorCode::kNone);
  EXPECT_THAT(read_committed(0), IsEmpty());
  EXPECT_EQ(end(producer, true), ErrorCode::kNone);
  settle();
  EXPECT_THAT(read_committed(0), ElementsAre(RecordId{0, 7}));
  EXPECT_EQ(end(producer, true), ErrorCode::kNone);
  EXPECT_EQ(end(producer, false), ErrorCode::kInvalidTxnState);
}

TEST_F(KafkaModelTest, ACommitTakesWhateverIsOpenUnderTheSameEpoch) {
  const auto producer = init("id");
  write(producer, 0, 0, {0, 0});
  end(producer, true);
  settle();
  write(producer, 0, 1, {0, 1});
  EXPECT_EQ(end(producer, true), ErrorCode::kNone);  // meant for the first transaction
  settle();
  EXPECT_THAT(read_committed(0), ElementsAre(RecordId{0, 0}, RecordId{0, 1}));
}

TEST_F(KafkaModelTest, WhatCanNoLongerBeCommittedIsRefused) {
  const auto empty = init("id");
  EXPECT_EQ(end(empty, true), ErrorCode::kInvalidTxnState);
  write(empty, 0, 0, {0, 0});
  const auto next = init("id");
  EXPECT_EQ(next.producer_id, empty.producer_id);
  EXPECT_EQ(next.producer_epoch, 3);  // fenced, completed, initialised
  EXPECT_EQ(end(empty, true), ErrorCode::kInvalidProducerEpoch);
  EXPECT_EQ(kafka_.end_transaction("other", 1, 0, true), ErrorCode::kInvalidProducerIdMapping);

  write(next, 0, 0, {0, 0});
  run_until(events_.now_us() + 2 * kSecond);
  EXPECT_EQ(end(next, true), ErrorCode::kInvalidProducerEpoch);
  EXPECT_EQ(kafka_.describe_transaction("id").state, State::kCompleteAbort);
  EXPECT_THAT(read_committed(0), IsEmpty());
  EXPECT_EQ(kafka_.last_stable_offset(0), kafka_.log_end_offset(0));
}

TEST_F(KafkaModelTest, AForeignAbortIsSilentOnAnotherPartition) {
  const auto producer = init("id");
  write(producer, 0, 0, {0, 0});
  ASSERT_EQ(end(producer, false), ErrorCode::kNone);  // by somebody else
  settle();
  EXPECT_EQ(kafka_.produce("id", producer.producer_id, producer.producer_epoch, 0, 1, {{0, 1}}),
            ErrorCode::kInvalidTxnState);
  EXPECT_EQ(write(producer, 1, 0, {0, 2}), ErrorCode::kNone);
  EXPECT_EQ(end(producer, true), ErrorCode::kNone);
  settle();
  EXPECT_THAT(read_committed(0), IsEmpty());
  EXPECT_THAT(read_committed(1), ElementsAre(RecordId{0, 2}));
}

TEST_F(KafkaModelTest, DuplicatesAndLateRecordsOfAFencedProducerAreKeptOut) {
  const auto producer = init("id");
  write(producer, 0, 0, {0, 0});
  EXPECT_EQ(write(producer, 0, 0, {0, 0}), ErrorCode::kNone);
  EXPECT_EQ(kafka_.log_end_offset(0), 1);
  init("id");
  settle();
  EXPECT_EQ(kafka_.produce("id", producer.producer_id, producer.producer_epoch, 0, 1, {{0, 1}}),
            ErrorCode::kInvalidProducerEpoch);
  EXPECT_EQ(kafka_.last_stable_offset(0), kafka_.log_end_offset(0));
}

TEST_F(KafkaModelTest, AnOpenTransactionHoldsReadersBack) {
  const auto producer = init("id");
  write(producer, 0, 0, {0, 0});
  const auto other = kafka_.init_producer_id("other", kSecond);
  kafka_.add_partition("other", other.producer_id, other.producer_epoch, 0);
  kafka_.produce("other", other.producer_id, other.producer_epoch, 0, 0, {{1, 0}});
  kafka_.end_transaction("other", other.producer_id, other.producer_epoch, true);
  settle();
  EXPECT_EQ(kafka_.last_stable_offset(0), 0);
  EXPECT_THAT(read_committed(0), IsEmpty());
  EXPECT_THAT(kafka_.open_transactions(), ElementsAre("id"));
}

TEST_F(KafkaModelTest, WhileItsCoordinatorIsAwayNothingIsKnown) {
  const auto producer = init("id");
  write(producer, 0, 0, {0, 0});
  kafka_.move_coordinators(50 * kMillisecond);
  EXPECT_TRUE(kafka::protocol::is_coordinator_moved(end(producer, true)));
  EXPECT_TRUE(kafka::protocol::is_coordinator_moved(kafka_.describe_transaction("id").error));
  settle();
  EXPECT_EQ(kafka_.describe_transaction("id").state, State::kOngoing);
  EXPECT_EQ(end(producer, true), ErrorCode::kNone);
}

TEST_F(KafkaModelTest, AcknowledgedRecordsSurviveTheirBroker) {
  const auto producer = init("id");
  write(producer, 0, 0, {0, 0});
  kafka_.kill_broker(kafka_.leader_of(0));
  EXPECT_EQ(kafka_.produce("id", producer.producer_id, producer.producer_epoch, 0, 1, {{0, 1}}),
            ErrorCode::kLeaderNotAvailable);
  run_until(events_.now_us() + 300 * kMillisecond);
  EXPECT_TRUE(kafka_.broker_alive(kafka_.leader_of(0)));
  EXPECT_EQ(end(producer, true), ErrorCode::kNone);
  settle();
  EXPECT_THAT(read_committed(0), ElementsAre(RecordId{0, 0}));
}

TEST_F(KafkaModelTest, AnExhaustedEpochBringsANewProducerId) {
  KafkaModel::Options options;
  options.first_epoch = 32766;
  KafkaModel kafka(events_, random_, options);
  const auto first = kafka.init_producer_id("id", kSecond);
  const auto second = kafka.init_producer_id("id", kSecond);
  EXPECT_NE(second.producer_id, first.producer_id);
  EXPECT_EQ(second.producer_epoch, 0);
}

TEST_F(KafkaModelTest, AForgottenIdIsUnknown) {
  const auto producer = init("id");
  write(producer, 0, 0, {0, 0});
  end(producer, true);
  run_until(events_.now_us() + kSecond);
  kafka_.expire_ids(kSecond / 2);
  EXPECT_EQ(kafka_.describe_transaction("id").error, ErrorCode::kTransactionalIdNotFound);
  EXPECT_EQ(end(producer, true), ErrorCode::kInvalidProducerIdMapping);
}

}  // namespace
}  // namespace weir::simulation
