// The bytes were written by Apache Kafka's own message classes (kafka-clients 4.3.1).
#include "connectors/kafka/protocol/messages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <random>
#include <string>

#include "absl/strings/escaping.h"
#include "common/status_matchers.h"

namespace weir::kafka::protocol {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr const char* kId = "p:s:1:0:2";

constexpr const char* kApiVersions = "000000000002001a00000005004100000000";
constexpr const char* kMetadata =
    "00000000000000020000000100036f6e650000238400017200000002000374776f00002385ffff000877436c757374"
    "65720000000200000002000000056c696e65730000000002000500000001ffffffff00000008000000020000000100"
    "0000020000000100000002000000010000000100000000000000000002000000070000000200000001000000020000"
    "0002000000010000000200000000000300046e6f6e650000000000";
constexpr const char* kFindCoordinator = "00000000000000044e4f4e4500000002000374776f00002385";
constexpr const char* kInitProducerId = "0000000000000000000000000fa00003";
constexpr const char* kEndTxn = "00000000002f";
constexpr const char* kDescribeTransactions =
    "000000000200000a703a733a313a303a32084f6e676f696e670000ea600000018bcfe568000000000000000fa00003"
    "03046f75740300000001000000000004646c710200000005000000";
constexpr const char* kListTransactions =
    "00000000000002044f6464030a703a733a313a303a320000000000000fa0084f6e676f696e67000a703a733a313a30"
    "3a330000000000000fa10e46726f6d5468654675747572650000";
constexpr const char* kDescribeProducers =
    "0000000003046f75740200000002000000030000000000000fa000000003000000090000018bcfe568000000000200"
    "00000000000011000000000000000fa100000000ffffffffffffffffffffffffffffffffffffffffffffffff000000"
    "04646c7102000000000006066d6f76656401000000";
constexpr const char* kWriteTxnMarkers = "020000000000000fa002046f75740200000002001f00000000";
constexpr const char* kDescribeConfigs =
    "00000000000000010000ffff0400013100000002001a7472616e73616374696f6e2e6d61782e74696d656f75742e6d"
    "73000639303030303000050000000001000178ffff05001073736c2e6b65792e70617373776f7264ffff0004010000"
    "0000";
constexpr const char* kSaslHandshake = "0021000000020005504c41494e0006475353415049";
constexpr const char* kSaslAuthenticate = "003a00026e6f0000000178000000000036ee80";

std::string from_hex(const std::string& hex) {
  return absl::HexStringToBytes(hex);
}

template <typename Request>
std::string hex_of(const Request& request) {
  Writer out;
  request.encode(out);
  return absl::BytesToHexString(out.data());
}

template <typename Response>
Response decoded(const std::string& hex) {
  const std::string data = from_hex(hex);
  Reader in(data);
  Response response = Response::decode(in);
  EXPECT_THAT(in.finish(), IsOk());
  return response;
}

TEST(MessagesTest, ApiVersions) {
  EXPECT_EQ(hex_of(ApiVersionsRequest{}), "");
  const auto response = decoded<ApiVersionsResponse>(kApiVersions);
  EXPECT_EQ(response.error, ErrorCode::kNone);
  ASSERT_THAT(response.ranges, SizeIs(2));
  EXPECT_EQ(response.ranges[0].key, 26);
  EXPECT_EQ(response.ranges[0].lowest, 0);
  EXPECT_EQ(response.ranges[0].highest, 5);
  EXPECT_EQ(response.ranges[1].key, 65);
}

TEST(MessagesTest, Metadata) {
  EXPECT_EQ(hex_of(MetadataRequest{{"lines"}}), "0000000100056c696e657300");
  EXPECT_EQ(hex_of(MetadataRequest{}), "0000000000");
  const ClusterMetadata cluster = decoded<MetadataResponse>(kMetadata).cluster;
  EXPECT_EQ(cluster.cluster_id, "wCluster");
  EXPECT_EQ(cluster.controller_id, 2);
  ASSERT_THAT(cluster.brokers, SizeIs(2));
  EXPECT_EQ(cluster.brokers[1].id, 2);
  EXPECT_EQ(cluster.brokers[1].host, "two");
  EXPECT_EQ(cluster.brokers[1].port, 9093);
  ASSERT_THAT(cluster.topics, SizeIs(2));
  const TopicMetadata& lines = cluster.topics[0];
  EXPECT_EQ(lines.name, "lines");
  ASSERT_THAT(lines.partitions, SizeIs(2));
  EXPECT_EQ(lines.partitions[0].partition, 0);
  EXPECT_EQ(lines.partitions[0].leader, 2);
  EXPECT_EQ(lines.partitions[0].leader_epoch, 7);
  EXPECT_EQ(lines.partitions[1].error, ErrorCode::kLeaderNotAvailable);
  EXPECT_EQ(lines.partitions[1].leader, -1);
  EXPECT_EQ(cluster.topics[1].error, ErrorCode::kUnknownTopicOrPartition);
}

TEST(MessagesTest, FindCoordinator) {
  EXPECT_EQ(hex_of(FindCoordinatorRequest{kId}), "0009703a733a313a303a3201");
  const Coordinator found = decoded<FindCoordinatorResponse>(kFindCoordinator).coordinator;
  EXPECT_EQ(found.error, ErrorCode::kNone);
  EXPECT_EQ(found.broker.id, 2);
  EXPECT_EQ(found.broker.host, "two");
  EXPECT_EQ(found.broker.port, 9093);
  const Coordinator none =
      decoded<FindCoordinatorResponse>("00000000000fffffffffffff0000ffffffff").coordinator;
  EXPECT_EQ(none.error, ErrorCode::kCoordinatorNotAvailable);
  EXPECT_EQ(none.broker.id, -1);
}

TEST(MessagesTest, InitProducerId) {
  EXPECT_EQ(hex_of(InitProducerIdRequest{kId, 60000}), "0009703a733a313a303a320000ea60");
  const auto response = decoded<InitProducerIdResponse>(kInitProducerId);
  EXPECT_EQ(response.error, ErrorCode::kNone);
  EXPECT_EQ(response.producer_id, 4000);
  EXPECT_EQ(response.producer_epoch, 3);
}

TEST(MessagesTest, EndTxn) {
  EXPECT_EQ(hex_of(EndTxnRequest{kId, 4000, 3, true}),
            "0009703a733a313a303a320000000000000fa0000301");
  EXPECT_EQ(decoded<EndTxnResponse>(kEndTxn).error, ErrorCode::kInvalidProducerEpoch);
}

TEST(MessagesTest, EndTxnStaysBelowTheVersionsThatRaiseTheEpoch) {
  EXPECT_LE(EndTxnRequest::kApi.version, 4);
}

TEST(MessagesTest, DescribeTransactions) {
  EXPECT_EQ(hex_of(DescribeTransactionsRequest{{kId}}), "020a703a733a313a303a3200");
  const auto response = decoded<DescribeTransactionsResponse>(kDescribeTransactions);
  ASSERT_THAT(response.transactions, SizeIs(1));
  const TransactionDescription& transaction = response.transactions[0];
  EXPECT_EQ(transaction.error, ErrorCode::kNone);
  EXPECT_EQ(transaction.transactional_id, kId);
  EXPECT_EQ(transaction.state, TransactionState::kOngoing);
  EXPECT_EQ(transaction.timeout_ms, 60000);
  EXPECT_EQ(transaction.start_time_ms, 1'700'000'000'000);
  EXPECT_EQ(transaction.producer_id, 4000);
  EXPECT_EQ(transaction.producer_epoch, 3);
  EXPECT_THAT(
      transaction.topic_partitions,
      ElementsAre(TopicPartition{"dlq", 5}, TopicPartition{"out", 0}, TopicPartition{"out", 1}));
}

TEST(MessagesTest, ListTransactions) {
  EXPECT_EQ(hex_of(ListTransactionsRequest{
                {TransactionState::kOngoing, TransactionState::kPrepareCommit}}),
            "03084f6e676f696e670e50726570617265436f6d6d69740100");
  EXPECT_EQ(hex_of(ListTransactionsRequest{}), "010100");
  const auto response = decoded<ListTransactionsResponse>(kListTransactions);
  EXPECT_EQ(response.error, ErrorCode::kNone);
  EXPECT_THAT(response.unknown_state_filters, ElementsAre("Odd"));
  ASSERT_THAT(response.transactions, SizeIs(2));
  EXPECT_EQ(response.transactions[0].transactional_id, kId);
  EXPECT_EQ(response.transactions[0].producer_id, 4000);
  EXPECT_EQ(response.transactions[0].state, TransactionState::kOngoing);
  EXPECT_EQ(response.transactions[1].state, TransactionState::kUnknown);
}

TEST(MessagesTest, DescribeProducers) {
  EXPECT_EQ(hex_of(DescribeProducersRequest{{{"out", 2}, {"dlq", 0}}}),
            "03046f757402000000020004646c7102000000000000");
  const auto response = decoded<DescribeProducersResponse>(kDescribeProducers);
  ASSERT_THAT(response.partitions, SizeIs(2));
  const PartitionProducers& out = response.partitions[0];
  EXPECT_EQ(out.partition, (TopicPartition{"out", 2}));
  ASSERT_THAT(out.producers, SizeIs(2));
  EXPECT_EQ(out.producers[0].producer_id, 4000);
  EXPECT_EQ(out.producers[0].producer_epoch, 3);
  EXPECT_EQ(out.producers[0].coordinator_epoch, 2);
  EXPECT_EQ(out.producers[0].transaction_start_offset, 17);
  EXPECT_EQ(out.producers[1].transaction_start_offset, -1);
  EXPECT_EQ(response.partitions[1].error, ErrorCode::kNotLeaderOrFollower);
}

TEST(MessagesTest, WriteTxnMarkers) {
  EXPECT_EQ(hex_of(WriteTxnMarkersRequest{{4000, 3, 2, true}, {"out", 2}}),
            "020000000000000fa000030102046f7574020000000200000000020000");
  const auto response = decoded<WriteTxnMarkersResponse>(kWriteTxnMarkers);
  ASSERT_THAT(response.written, SizeIs(1));
  EXPECT_EQ(response.written[0].partition, (TopicPartition{"out", 2}));
  EXPECT_EQ(response.written[0].error, ErrorCode::kClusterAuthorizationFailed);
}

TEST(MessagesTest, DescribeConfigs) {
  EXPECT_EQ(hex_of(DescribeConfigsRequest{{ConfigResourceType::kBroker, "1"},
                                          {"transaction.max.timeout.ms"}}),
            "000000010400013100000001001a7472616e73616374696f6e2e6d61782e74696d656f75742e6d7300");
  EXPECT_EQ(hex_of(DescribeConfigsRequest{{ConfigResourceType::kTopic, "out"}, {}}),
            "000000010200036f7574ffffffff00");
  const auto response = decoded<DescribeConfigsResponse>(kDescribeConfigs);
  ASSERT_THAT(response.resources, SizeIs(1));
  const ConfigDescription& config = response.resources[0];
  EXPECT_EQ(config.error, ErrorCode::kNone);
  EXPECT_EQ(config.values.at("transaction.max.timeout.ms"), "900000");
  EXPECT_EQ(config.values.at("ssl.key.password"), std::nullopt);
}

TEST(MessagesTest, SaslHandshake) {
  EXPECT_EQ(hex_of(SaslHandshakeRequest{"SCRAM-SHA-256"}), "000d534352414d2d5348412d323536");
  const auto response = decoded<SaslHandshakeResponse>(kSaslHandshake);
  EXPECT_EQ(response.error, ErrorCode::kUnsupportedSaslMechanism);
  EXPECT_THAT(response.mechanisms, ElementsAre("PLAIN", "GSSAPI"));
}

TEST(MessagesTest, SaslAuthenticate) {
  EXPECT_EQ(hex_of(SaslAuthenticateRequest{std::string("\0u\0p", 4)}), "0000000400750070");
  const auto response = decoded<SaslAuthenticateResponse>(kSaslAuthenticate);
  EXPECT_EQ(response.error, ErrorCode::kSaslAuthenticationFailed);
  EXPECT_EQ(response.error_message, "no");
  EXPECT_EQ(response.auth_bytes, "x");
  EXPECT_EQ(response.session_lifetime_ms, 3'600'000);
}

// Whether the response reads the data as a whole and well-formed message.
using Reads = std::function<bool(const std::string& data)>;

template <typename Response>
Reads reads() {
  return [](const std::string& data) {
    Reader in(data);
    Response::decode(in);
    return in.finish().ok();
  };
}

const std::map<std::string, Reads>& all_responses() {
  static const std::map<std::string, Reads> responses = {
      {kApiVersions, reads<ApiVersionsResponse>()},
      {kMetadata, reads<MetadataResponse>()},
      {kFindCoordinator, reads<FindCoordinatorResponse>()},
      {kInitProducerId, reads<InitProducerIdResponse>()},
      {kEndTxn, reads<EndTxnResponse>()},
      {kDescribeTransactions, reads<DescribeTransactionsResponse>()},
      {kListTransactions, reads<ListTransactionsResponse>()},
      {kDescribeProducers, reads<DescribeProducersResponse>()},
      {kWriteTxnMarkers, reads<WriteTxnMarkersResponse>()},
      {kDescribeConfigs, reads<DescribeConfigsResponse>()},
      {kSaslHandshake, reads<SaslHandshakeResponse>()},
      {kSaslAuthenticate, reads<SaslAuthenticateResponse>()}};
  return responses;
}

TEST(MessagesTest, EveryShortenedOrLengthenedResponseIsMalformed) {
  for (const auto& [hex, whole] : all_responses()) {
    const std::string data = from_hex(hex);
    EXPECT_TRUE(whole(data));
    EXPECT_FALSE(whole(data + '\0')) << hex;
    for (size_t size = 0; size < data.size(); ++size) {
      EXPECT_FALSE(whole(data.substr(0, size))) << hex << " cut to " << size;
    }
  }
}

// What it proves, it proves under the address sanitizer too: no read outside, no huge allocation.
TEST(MessagesTest, AlteredResponsesAreReadWithoutHarm) {
  constexpr int kRounds = 2000;
  std::minstd_rand random(1);
  int malformed = 0;
  for (const auto& [hex, whole] : all_responses()) {
    for (int round = 0; round < kRounds; ++round) {
      std::string data = from_hex(hex);
      for (int change = 0; change < 3; ++change) {
        data[random() % data.size()] = static_cast<char>(random());
      }
      if (!whole(data)) ++malformed;
    }
  }
  EXPECT_GT(malformed, kRounds);
}

TEST(MessagesTest, ATopicNameLongerThanKafkaAllowsIsMalformed) {
  for (const size_t size : {249u, 250u}) {
    Writer out;
    out.int32(0);
    out.compact_array_length(1);
    out.int16(0);
    out.compact_string(kId);
    out.compact_string("Ongoing");
    out.int32(0);
    out.int64(0);
    out.int64(0);
    out.int16(0);
    out.compact_array_length(1);
    out.compact_string(std::string(size, 't'));
    out.compact_array_length(1);
    out.int32(0);
    for (int i = 0; i < 3; ++i) out.no_tagged_fields();
    EXPECT_EQ(reads<DescribeTransactionsResponse>()(out.data()), size == 249);
  }
}

}  // namespace
}  // namespace weir::kafka::protocol
