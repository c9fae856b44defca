// The client against brokers that fail at chosen moments.
#include "connectors/kafka/protocol/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "common/status_matchers.h"
#include "connectors/kafka/protocol/scripted_broker.h"

namespace weir::kafka::protocol {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr const char* kId = "p:s:1:0:2";
constexpr int16_t kMetadataKey = MetadataRequest::kApi.key;
constexpr int16_t kFindCoordinatorKey = FindCoordinatorRequest::kApi.key;
constexpr int16_t kInitProducerIdKey = InitProducerIdRequest::kApi.key;
constexpr int16_t kEndTxnKey = EndTxnRequest::kApi.key;
constexpr int16_t kListTransactionsKey = ListTransactionsRequest::kApi.key;

Deadline soon() {
  return steady_clock::now() + milliseconds(1'000);
}
Deadline later() {
  return steady_clock::now() + milliseconds(20'000);
}

Client client_of(const ScriptedBroker& broker, milliseconds socket_timeout = milliseconds(10'000)) {
  ClientConfig config;
  config.bootstrap_servers = {{"127.0.0.1", broker.port()}};
  config.socket_timeout = socket_timeout;
  return Client(config);
}

Reaction coordinator_is(const ScriptedBroker& broker) {
  Writer out;
  out.int32(0);
  out.int16(0);
  out.int16(-1);
  out.int32(1);
  out.string("127.0.0.1");
  out.int32(broker.port());
  return Reaction::answer(out.data());
}

Reaction no_coordinator(ErrorCode error) {
  Writer out;
  out.int32(0);
  out.int16(static_cast<int16_t>(error));
  out.int16(-1);
  out.int32(-1);
  out.string("");
  out.int32(-1);
  return Reaction::answer(out.data());
}

Reaction end_txn(ErrorCode error) {
  Writer out;
  out.int32(0);
  out.int16(static_cast<int16_t>(error));
  return Reaction::answer(out.data());
}

Reaction init_producer_id(ErrorCode error) {
  Writer out;
  out.int32(0);
  out.int16(static_cast<int16_t>(error));
  out.int64(4000);
  out.int16(3);
  return Reaction::answer(out.data());
}

struct LogPartition {
  int32_t partition;
  int32_t leader;
};

Reaction metadata(const std::vector<int32_t>& ports, const std::vector<LogPartition>& partitions,
                  ErrorCode topic_error = ErrorCode::kNone) {
  Writer out;
  out.int32(0);
  out.array_length(ports.size());
  int32_t id = 0;
  for (const int32_t port : ports) {
    out.int32(++id);
    out.string("127.0.0.1");
    out.int32(port);
    out.nullable_string(std::nullopt);
  }
  out.nullable_string("wCluster");
  out.int32(1);
  out.array_length(1);
  out.int16(static_cast<int16_t>(topic_error));
  out.string("__transaction_state");
  out.boolean(true);
  out.array_length(partitions.size());
  for (const LogPartition& partition : partitions) {
    out.int16(0);
    out.int32(partition.partition);
    out.int32(partition.leader);
    out.int32(0);
    out.array_length(0);
    out.array_length(0);
    out.array_length(0);
  }
  return Reaction::answer(out.data());
}

Reaction transactions(const std::vector<std::string>& ids, ErrorCode error = ErrorCode::kNone) {
  Writer out;
  out.int32(0);
  out.int16(static_cast<int16_t>(error));
  out.compact_array_length(0);
  out.compact_array_length(ids.size());
  for (const std::string& id : ids) {
    out.compact_string(id);
    out.int64(1);
    out.compact_string("Ongoing");
    out.no_tagged_fields();
  }
  out.no_tagged_fields();
  return Reaction::answer(out.data());
}

TEST(ClientTest, FollowsTheCoordinatorWhenItHasMoved) {
  ScriptedBroker old_home;
  ScriptedBroker new_home;
  old_home.then(kFindCoordinatorKey, coordinator_is(old_home));
  old_home.then(kFindCoordinatorKey, coordinator_is(new_home));
  old_home.then(kEndTxnKey, end_txn(ErrorCode::kNotCoordinator));
  new_home.then(kEndTxnKey, end_txn(ErrorCode::kNone));
  Client client = client_of(old_home);

  const auto ended = client.end_transaction(kId, 4000, 3, true, later());
  ASSERT_THAT(ended, IsOk());
  EXPECT_EQ(ended->error, ErrorCode::kNone);
  EXPECT_EQ(ended->attempts, 2);
  EXPECT_EQ(new_home.requests(kEndTxnKey), 1);
}

TEST(ClientTest, RemembersTheCoordinator) {
  ScriptedBroker broker;
  broker.then(kFindCoordinatorKey, coordinator_is(broker));
  broker.then(kEndTxnKey, end_txn(ErrorCode::kNone));
  Client client = client_of(broker);
  for (int i = 0; i < 3; ++i) {
    ASSERT_THAT(client.end_transaction(kId, 4000, 3, true, later()), IsOk());
  }
  EXPECT_EQ(broker.requests(kFindCoordinatorKey), 1);
  EXPECT_EQ(broker.requests(ApiVersionsRequest::kApi.key), 1);
}

TEST(ClientTest, EndsATransactionAgainWhenTheConnectionWasLost) {
  ScriptedBroker broker;
  broker.then(kFindCoordinatorKey, coordinator_is(broker));
  broker.then(kEndTxnKey, Reaction::close());
  broker.then(kEndTxnKey, end_txn(ErrorCode::kNone));
  Client client = client_of(broker);

  const auto ended = client.end_transaction(kId, 4000, 3, true, later());
  ASSERT_THAT(ended, IsOk());
  EXPECT_EQ(ended->error, ErrorCode::kNone);
  EXPECT_EQ(ended->attempts, 2);
}

TEST(ClientTest, LeavesEveryOtherErrorToTheCaller) {
  for (const ErrorCode error :
       {ErrorCode::kInvalidProducerEpoch, ErrorCode::kInvalidTxnState,
        ErrorCode::kInvalidProducerIdMapping, ErrorCode::kConcurrentTransactions,
        ErrorCode::kTransactionalIdAuthorizationFailed, ErrorCode::kProducerFenced,
        static_cast<ErrorCode>(999)}) {
    ScriptedBroker broker;
    broker.then(kFindCoordinatorKey, coordinator_is(broker));
    broker.then(kEndTxnKey, end_txn(error));
    Client client = client_of(broker);
    const auto ended = client.end_transaction(kId, 4000, 3, true, later());
    ASSERT_THAT(ended, IsOk());
    EXPECT_EQ(ended->error, error);
    EXPECT_EQ(ended->attempts, 1);
  }
}

TEST(ClientTest, InitialisesOnlyOnceWhenTheOutcomeIsUnknown) {
  ScriptedBroker broker;
  broker.then(kFindCoordinatorKey, coordinator_is(broker));
  broker.then(kInitProducerIdKey, Reaction::close());
  Client client = client_of(broker);
  EXPECT_THAT(client.init_producer_id(kId, milliseconds(60'000), Resend::kNever, later()),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("InitProducerId")));
  EXPECT_EQ(broker.requests(kInitProducerIdKey), 1);
}

TEST(ClientTest, InitialisesOnlyOnceWhenTheCoordinatorDeclines) {
  ScriptedBroker broker;
  broker.then(kFindCoordinatorKey, coordinator_is(broker));
  broker.then(kInitProducerIdKey, init_producer_id(ErrorCode::kCoordinatorNotAvailable));
  Client client = client_of(broker);
  const auto init = client.init_producer_id(kId, milliseconds(60'000), Resend::kNever, later());
  ASSERT_THAT(init, IsOk());
  EXPECT_EQ(init->error, ErrorCode::kCoordinatorNotAvailable);
  EXPECT_EQ(init->attempts, 1);
  EXPECT_EQ(broker.requests(kInitProducerIdKey), 1);
}

TEST(ClientTest, ReportsThatAnIdMayHaveBeenInitialisedTwice) {
  ScriptedBroker broker;
  broker.then(kFindCoordinatorKey, coordinator_is(broker));
  broker.then(kInitProducerIdKey, Reaction::close());
  broker.then(kInitProducerIdKey, init_producer_id(ErrorCode::kNone));
  Client client = client_of(broker);
  const auto init =
      client.init_producer_id(kId, milliseconds(60'000), Resend::kUntilDeadline, later());
  ASSERT_THAT(init, IsOk());
  EXPECT_EQ(init->producer_id, 4000);
  EXPECT_EQ(init->producer_epoch, 3);
  EXPECT_EQ(init->attempts, 2);
}

TEST(ClientTest, LooksForTheCoordinatorUntilThereIsOneBeforeTheOnlyInit) {
  ScriptedBroker broker;
  broker.then(kFindCoordinatorKey, no_coordinator(ErrorCode::kCoordinatorNotAvailable));
  broker.then(kFindCoordinatorKey, Reaction::close());
  broker.then(kFindCoordinatorKey, coordinator_is(broker));
  broker.then(kInitProducerIdKey, init_producer_id(ErrorCode::kNone));
  Client client = client_of(broker);
  const auto init = client.init_producer_id(kId, milliseconds(60'000), Resend::kNever, later());
  ASSERT_THAT(init, IsOk());
  EXPECT_EQ(init->attempts, 1);
}

TEST(ClientTest, RefusesATransactionTimeoutThatCannotBe) {
  ScriptedBroker broker;
  Client client = client_of(broker);
  EXPECT_THAT(client.init_producer_id(kId, milliseconds(0), Resend::kNever, later()),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(ClientTest, ShowsTheErrorOfTheSearchForTheCoordinator) {
  ScriptedBroker broker;
  broker.then(kFindCoordinatorKey, no_coordinator(ErrorCode::kTransactionalIdAuthorizationFailed));
  Client client = client_of(broker);
  const auto ended = client.end_transaction(kId, 4000, 3, true, later());
  ASSERT_THAT(ended, IsOk());
  EXPECT_EQ(ended->error, ErrorCode::kTransactionalIdAuthorizationFailed);
  EXPECT_EQ(ended->attempts, 0);
}

TEST(ClientTest, ShowsWhyTheCoordinatorDeclinedUntilTheDeadline) {
  ScriptedBroker broker;
  broker.then(kFindCoordinatorKey, coordinator_is(broker));
  broker.then(kEndTxnKey, end_txn(ErrorCode::kCoordinatorLoadInProgress));
  Client client = client_of(broker);
  const auto ended = client.end_transaction(kId, 4000, 3, true, soon());
  ASSERT_THAT(ended, IsOk());
  EXPECT_EQ(ended->error, ErrorCode::kCoordinatorLoadInProgress);
  EXPECT_GT(ended->attempts, 1);
}

TEST(ClientTest, ASilentBrokerHoldsACallNoLongerThanItsDeadline) {
  ScriptedBroker broker;
  broker.then(kFindCoordinatorKey, coordinator_is(broker));
  broker.then(kEndTxnKey, Reaction::silence());
  Client client = client_of(broker);
  const auto begin = steady_clock::now();
  EXPECT_THAT(client.end_transaction(kId, 4000, 3, true, begin + milliseconds(200)),
              StatusIs(absl::StatusCode::kDeadlineExceeded, HasSubstr("EndTxn at 127.0.0.1")));
  EXPECT_GE(steady_clock::now() - begin, milliseconds(200));
  EXPECT_LT(steady_clock::now() - begin, milliseconds(5'000));
}

TEST(ClientTest, TheSocketTimeoutLeavesTimeForAnotherAttempt) {
  ScriptedBroker broker;
  broker.then(kFindCoordinatorKey, coordinator_is(broker));
  broker.then(kEndTxnKey, Reaction::silence());
  broker.then(kEndTxnKey, end_txn(ErrorCode::kNone));
  Client client = client_of(broker, /*socket_timeout=*/milliseconds(100));
  const auto ended = client.end_transaction(kId, 4000, 3, true, later());
  ASSERT_THAT(ended, IsOk());
  EXPECT_EQ(ended->attempts, 2);
}

TEST(ClientTest, AnAnswerToAnotherRequestIsRefused) {
  ScriptedBroker broker;
  broker.then(kFindCoordinatorKey, coordinator_is(broker));
  Writer answer;
  answer.int32(4 + 6);
  answer.int32(12345);  // correlation id
  answer.int32(0);
  answer.int16(0);
  broker.then(kEndTxnKey, Reaction::raw(answer.data()));
  Client client = client_of(broker);
  EXPECT_THAT(client.end_transaction(kId, 4000, 3, true, later()),
              StatusIs(absl::StatusCode::kInternal, HasSubstr("another request")));
}

TEST(ClientTest, AnAnswerThatIsNotKafkasIsRefusedWithAHint) {
  const std::string tls_alert("\x15\x03\x03\x00\x02\x02\x0a", 7);
  for (const std::string& text : {std::string("HTTP/1.1 400 Bad Request\r\n"), tls_alert}) {
    ScriptedBroker broker;
    broker.then(ApiVersionsRequest::kApi.key, Reaction::raw(text));
    Client client = client_of(broker);
    EXPECT_THAT(client.metadata({}, later()),
                StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("security.protocol")));
  }
}

TEST(ClientTest, AMalformedAnswerIsRefused) {
  ScriptedBroker broker;
  broker.then(kFindCoordinatorKey, Reaction::answer("short"));
  Client client = client_of(broker);
  EXPECT_THAT(client.find_transaction_coordinator(kId, later()),
              StatusIs(absl::StatusCode::kInternal, HasSubstr("FindCoordinator at 127.0.0.1")));
}

TEST(ClientTest, ABrokerThatIsTooOldIsNamedAtOnce) {
  ScriptedBroker broker;
  broker.speak_only(kFindCoordinatorKey);
  broker.then(kFindCoordinatorKey, coordinator_is(broker));
  Client client = client_of(broker);
  EXPECT_THAT(client.describe_transaction(kId, later()),
              StatusIs(absl::StatusCode::kUnimplemented, HasSubstr("Kafka 3.0 or later")));
}

TEST(ClientTest, ATransactionalIdThatNoRequestCanHoldIsRefused) {
  ScriptedBroker broker;
  Client client = client_of(broker);
  EXPECT_THAT(client.end_transaction(std::string(40'000, 'x'), 1, 0, true, later()),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(ClientTest, GoesOnToTheNextBootstrapServer) {
  ScriptedBroker broker;
  broker.then(kFindCoordinatorKey, coordinator_is(broker));
  int32_t dead_port = 0;
  {
    const ScriptedBroker dead;
    dead_port = dead.port();
  }
  ClientConfig config;
  config.bootstrap_servers = {{"127.0.0.1", dead_port}, {"127.0.0.1", broker.port()}};
  Client client(config);
  const auto coordinator = client.find_transaction_coordinator(kId, later());
  ASSERT_THAT(coordinator, IsOk());
  EXPECT_EQ(coordinator->broker.port, broker.port());
}

TEST(ClientTest, NobodyThereIsUnavailable) {
  int32_t dead_port = 0;
  {
    const ScriptedBroker dead;
    dead_port = dead.port();
  }
  ClientConfig config;
  config.bootstrap_servers = {{"127.0.0.1", dead_port}};
  Client client(config);
  EXPECT_THAT(client.metadata({}, soon()),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("refused")));
}

TEST(ClientTest, LogsInAgainBeforeTheSessionEnds) {
  Writer mechanisms;
  mechanisms.int16(0);
  mechanisms.array_length(0);
  Writer session;
  session.int16(0);
  session.int16(-1);
  session.bytes("");
  session.int64(1);  // millisecond
  ScriptedBroker broker;
  broker.then(SaslHandshakeRequest::kApi.key, Reaction::answer(mechanisms.data()));
  broker.then(SaslAuthenticateRequest::kApi.key, Reaction::answer(session.data()));
  broker.then(kFindCoordinatorKey, coordinator_is(broker));
  ClientConfig config;
  config.bootstrap_servers = {{"127.0.0.1", broker.port()}};
  config.sasl = SaslConfig{SaslMechanism::kPlain, "user", "secret"};
  Client client(config);
  for (int i = 0; i < 2; ++i) {
    ASSERT_THAT(client.find_transaction_coordinator(kId, later()), IsOk());
  }
  EXPECT_EQ(broker.requests(SaslAuthenticateRequest::kApi.key), 2);
}

class ListTransactionsTest : public ::testing::Test {
 protected:
  // Whichever broker is asked.
  void then_metadata(const Reaction& reaction) {
    one_.then(kMetadataKey, reaction);
    two_.then(kMetadataKey, reaction);
  }

  ScriptedBroker one_;
  ScriptedBroker two_;
  std::vector<int32_t> ports_ = {one_.port(), two_.port()};
};

TEST_F(ListTransactionsTest, JoinsWhatAllBrokersSay) {
  then_metadata(metadata(ports_, {{0, 1}, {1, 2}}));
  one_.then(kListTransactionsKey, transactions({"c", "a"}));
  two_.then(kListTransactionsKey, transactions({"b"}));
  Client client = client_of(one_);
  const auto list = client.list_transactions({}, later());
  ASSERT_THAT(list, IsOk());
  EXPECT_TRUE(list->complete());
  ASSERT_THAT(list->transactions, SizeIs(3));
  EXPECT_EQ(list->transactions[0].transactional_id, "a");
  EXPECT_EQ(list->transactions[1].transactional_id, "b");
  EXPECT_EQ(list->transactions[1].broker_id, 2);
  EXPECT_EQ(list->transactions[2].broker_id, 1);
}

TEST_F(ListTransactionsTest, SaysWhichBrokerDidNotAnswer) {
  then_metadata(metadata(ports_, {{0, 1}, {1, 2}}));
  one_.then(kListTransactionsKey, transactions({"a"}));
  two_.then(kListTransactionsKey, Reaction::close());
  Client client = client_of(one_);
  const auto list = client.list_transactions({}, soon());
  ASSERT_THAT(list, IsOk());
  EXPECT_FALSE(list->complete());
  EXPECT_THAT(list->transactions, SizeIs(1));
  ASSERT_THAT(list->missing, SizeIs(1));
  EXPECT_EQ(list->missing[0].broker.id, 2);
}

TEST_F(ListTransactionsTest, AsksAgainWhileACoordinatorIsLoading) {
  then_metadata(metadata(ports_, {{0, 1}, {1, 2}}));
  one_.then(kListTransactionsKey, transactions({}));
  two_.then(kListTransactionsKey, transactions({}, ErrorCode::kCoordinatorLoadInProgress));
  two_.then(kListTransactionsKey, transactions({"b"}));
  Client client = client_of(one_);
  const auto list = client.list_transactions({}, later());
  ASSERT_THAT(list, IsOk());
  EXPECT_TRUE(list->complete());
  EXPECT_THAT(list->transactions, SizeIs(1));
}

TEST_F(ListTransactionsTest, IsIncompleteWhileAPartOfTheLogHasNoLeader) {
  then_metadata(metadata(ports_, {{0, 1}, {1, -1}}));
  one_.then(kListTransactionsKey, transactions({"a"}));
  two_.then(kListTransactionsKey, transactions({}));
  Client client = client_of(one_);
  const auto list = client.list_transactions({}, soon());
  ASSERT_THAT(list, IsOk());
  ASSERT_THAT(list->missing, SizeIs(1));
  EXPECT_THAT(list->missing[0].status,
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("partition 1 of")));
}

TEST_F(ListTransactionsTest, AsksAgainWhenAPartOfTheLogMovedMeanwhile) {
  one_.then(kMetadataKey, metadata(ports_, {{0, 2}}));
  then_metadata(metadata(ports_, {{0, 1}}));
  one_.then(kListTransactionsKey, transactions({}));
  one_.then(kListTransactionsKey, transactions({"a"}));
  two_.then(kListTransactionsKey, transactions({}));
  Client client = client_of(one_);
  const auto list = client.list_transactions({}, later());
  ASSERT_THAT(list, IsOk());
  EXPECT_TRUE(list->complete());
  EXPECT_THAT(list->transactions, SizeIs(1));
  EXPECT_EQ(one_.requests(kListTransactionsKey), 2);
}

TEST_F(ListTransactionsTest, IsEmptyAndCompleteBeforeTheFirstTransactionOfTheCluster) {
  then_metadata(metadata(ports_, {}, ErrorCode::kUnknownTopicOrPartition));
  one_.then(kListTransactionsKey, transactions({}));
  two_.then(kListTransactionsKey, transactions({}));
  Client client = client_of(one_);
  const auto list = client.list_transactions({}, later());
  ASSERT_THAT(list, IsOk());
  EXPECT_TRUE(list->complete());
  EXPECT_THAT(list->transactions, IsEmpty());
}

}  // namespace
}  // namespace weir::kafka::protocol
