#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "connectors/kafka/protocol/error_code.h"
#include "connectors/kafka/protocol/transaction_admin.h"
#include "connectors/kafka/protocol/wire.h"

namespace weir::kafka::protocol {

// One version of each message, the lowest that says what is needed and that Kafka 4 still speaks:
// a client that never negotiates can't mix versions of EndTxn, which would look like fencing.
struct Api {
  int16_t key;
  int16_t version;
  bool flexible;  // tagged fields in both headers
  const char* name;
};

// Each request has kApi, Response and encode(); each response decode(), which leaves the verdict on
// the bytes to the reader's finish().

struct ApiVersionsResponse {
  struct Range {
    int16_t key = -1;
    int16_t lowest = 0;
    int16_t highest = -1;
  };
  ErrorCode error = ErrorCode::kNone;
  std::vector<Range> ranges;

  static ApiVersionsResponse decode(Reader& in);
};

struct ApiVersionsRequest {
  static constexpr Api kApi{18, 0, false, "ApiVersions"};
  using Response = ApiVersionsResponse;

  void encode(Writer& out) const;
};

struct MetadataResponse {
  ClusterMetadata cluster;

  static MetadataResponse decode(Reader& in);
};

struct MetadataRequest {
  static constexpr Api kApi{3, 7, false, "Metadata"};
  using Response = MetadataResponse;

  std::vector<std::string> topics;  // none: brokers only

  void encode(Writer& out) const;
};

struct FindCoordinatorResponse {
  Coordinator coordinator;

  static FindCoordinatorResponse decode(Reader& in);
};

struct FindCoordinatorRequest {
  static constexpr Api kApi{10, 1, false, "FindCoordinator"};
  using Response = FindCoordinatorResponse;

  std::string transactional_id;

  void encode(Writer& out) const;
};

struct InitProducerIdResponse {
  ErrorCode error = ErrorCode::kNone;
  int64_t producer_id = -1;
  int16_t producer_epoch = -1;

  static InitProducerIdResponse decode(Reader& in);
};

struct InitProducerIdRequest {
  static constexpr Api kApi{22, 1, false, "InitProducerId"};
  using Response = InitProducerIdResponse;

  std::string transactional_id;
  int32_t transaction_timeout_ms = 0;

  void encode(Writer& out) const;
};

struct EndTxnResponse {
  ErrorCode error = ErrorCode::kNone;

  static EndTxnResponse decode(Reader& in);
};

struct EndTxnRequest {
  static constexpr Api kApi{26, 1, false, "EndTxn"};
  using Response = EndTxnResponse;

  std::string transactional_id;
  int64_t producer_id = -1;
  int16_t producer_epoch = -1;
  bool commit = false;

  void encode(Writer& out) const;
};

struct DescribeTransactionsResponse {
  std::vector<TransactionDescription> transactions;

  static DescribeTransactionsResponse decode(Reader& in);
};

struct DescribeTransactionsRequest {
  static constexpr Api kApi{65, 0, true, "DescribeTransactions"};
  using Response = DescribeTransactionsResponse;

  std::vector<std::string> transactional_ids;

  void encode(Writer& out) const;
};

struct ListTransactionsResponse {
  ErrorCode error = ErrorCode::kNone;
  std::vector<std::string> unknown_state_filters;
  std::vector<ListedTransaction> transactions;

  static ListTransactionsResponse decode(Reader& in);
};

struct ListTransactionsRequest {
  static constexpr Api kApi{66, 0, true, "ListTransactions"};
  using Response = ListTransactionsResponse;

  std::vector<TransactionState> states;

  void encode(Writer& out) const;
};

struct DescribeProducersResponse {
  std::vector<PartitionProducers> partitions;

  static DescribeProducersResponse decode(Reader& in);
};

struct DescribeProducersRequest {
  static constexpr Api kApi{61, 0, true, "DescribeProducers"};
  using Response = DescribeProducersResponse;

  std::vector<TopicPartition> partitions;

  void encode(Writer& out) const;
};

struct WriteTxnMarkersResponse {
  struct Written {
    TopicPartition partition;
    ErrorCode error = ErrorCode::kNone;
  };
  std::vector<Written> written;

  static WriteTxnMarkersResponse decode(Reader& in);
};

struct WriteTxnMarkersRequest {
  static constexpr Api kApi{27, 1, true, "WriteTxnMarkers"};
  using Response = WriteTxnMarkersResponse;

  TransactionMarker marker;
  TopicPartition partition;

  void encode(Writer& out) const;
};

struct DescribeConfigsResponse {
  std::vector<ConfigDescription> resources;

  static DescribeConfigsResponse decode(Reader& in);
};

struct DescribeConfigsRequest {
  static constexpr Api kApi{32, 1, false, "DescribeConfigs"};
  using Response = DescribeConfigsResponse;

  ConfigResource resource;
  std::vector<std::string> names;  // none: all of them

  void encode(Writer& out) const;
};

struct SaslHandshakeResponse {
  ErrorCode error = ErrorCode::kNone;
  std::vector<std::string> mechanisms;  // that the broker accepts

  static SaslHandshakeResponse decode(Reader& in);
};

struct SaslHandshakeRequest {
  static constexpr Api kApi{17, 1, false, "SaslHandshake"};
  using Response = SaslHandshakeResponse;

  std::string mechanism;

  void encode(Writer& out) const;
};

struct SaslAuthenticateResponse {
  ErrorCode error = ErrorCode::kNone;
  std::optional<std::string> error_message;
  std::string auth_bytes;
  int64_t session_lifetime_ms = 0;  // 0: without end

  static SaslAuthenticateResponse decode(Reader& in);
};

struct SaslAuthenticateRequest {
  static constexpr Api kApi{36, 1, false, "SaslAuthenticate"};
  using Response = SaslAuthenticateResponse;

  std::string auth_bytes;

  void encode(Writer& out) const;
};

}  // namespace weir::kafka::protocol
