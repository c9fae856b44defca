#include "connectors/kafka/protocol/messages.h"

#include <algorithm>

namespace weir::kafka::protocol {
namespace {

ErrorCode read_error(Reader& in) {
  return static_cast<ErrorCode>(in.int16());
}

void skip_throttle_time(Reader& in) {
  in.int32();
}

void skip_int32_array(Reader& in) {
  const size_t count = in.array_length(4);
  for (size_t i = 0; i < count; ++i) in.int32();
}

PartitionMetadata read_partition(Reader& in) {
  PartitionMetadata partition;
  partition.error = read_error(in);
  partition.partition = in.int32();
  partition.leader = in.int32();
  partition.leader_epoch = in.int32();
  skip_int32_array(in);  // replicas
  skip_int32_array(in);  // in-sync replicas
  skip_int32_array(in);  // offline replicas
  return partition;
}

TopicMetadata read_topic(Reader& in) {
  TopicMetadata topic;
  topic.error = read_error(in);
  topic.name = in.string();
  in.boolean();  // internal
  topic.partitions.resize(in.array_length(26));
  for (PartitionMetadata& partition : topic.partitions) partition = read_partition(in);
  std::ranges::sort(topic.partitions, {}, &PartitionMetadata::partition);
  return topic;
}

// Kafka's own limit. Partitions are listed with their topic's name, so a longer one would let a
// small frame fill the memory.
constexpr size_t kLongestTopicName = 249;

std::string read_topic_name(Reader& in) {
  std::string topic = in.compact_string();
  if (topic.size() > kLongestTopicName) in.fail();
  return topic;
}

PartitionProducers read_producers(Reader& in, const std::string& topic) {
  PartitionProducers partition;
  partition.partition = {topic, in.int32()};
  partition.error = read_error(in);
  in.compact_nullable_string();  // the error's message
  partition.producers.resize(in.compact_array_length(37));
  for (ActiveProducer& producer : partition.producers) {
    producer.producer_id = in.int64();
    producer.producer_epoch = in.int32();
    in.int32();  // last sequence
    in.int64();  // last timestamp
    producer.coordinator_epoch = in.int32();
    producer.transaction_start_offset = in.int64();
    in.skip_tagged_fields();
  }
  in.skip_tagged_fields();
  return partition;
}

TransactionDescription read_transaction(Reader& in) {
  TransactionDescription transaction;
  transaction.error = read_error(in);
  transaction.transactional_id = in.compact_string();
  transaction.state = transaction_state_from_name(in.compact_string());
  transaction.timeout_ms = in.int32();
  transaction.start_time_ms = in.int64();
  transaction.producer_id = in.int64();
  transaction.producer_epoch = in.int16();
  const size_t topics = in.compact_array_length(3);
  for (size_t i = 0; i < topics; ++i) {
    const std::string topic = read_topic_name(in);
    const size_t partitions = in.compact_array_length(4);
    for (size_t j = 0; j < partitions; ++j) {
      transaction.topic_partitions.push_back({topic, in.int32()});
    }
    in.skip_tagged_fields();
  }
  in.skip_tagged_fields();
  std::ranges::sort(transaction.topic_partitions);
  return transaction;
}

ConfigDescription read_config(Reader& in) {
  ConfigDescription config;
  config.error = read_error(in);
  config.error_message = in.nullable_string().value_or("");
  in.int8();    // the resource's type
  in.string();  // and its name
  const size_t values = in.array_length(11);
  for (size_t i = 0; i < values; ++i) {
    const std::string name = in.string();
    config.values[name] = in.nullable_string();
    in.boolean();  // read-only
    in.int8();     // source
    in.boolean();  // sensitive
    const size_t synonyms = in.array_length(5);
    for (size_t j = 0; j < synonyms; ++j) {
      in.string();
      in.nullable_string();
      in.int8();
    }
  }
  return config;
}

}  // namespace

void ApiVersionsRequest::encode(Writer&) const {}

ApiVersionsResponse ApiVersionsResponse::decode(Reader& in) {
  ApiVersionsResponse response;
  response.error = read_error(in);
  response.ranges.resize(in.array_length(6));
  for (Range& range : response.ranges) {
    range.key = in.int16();
    range.lowest = in.int16();
    range.highest = in.int16();
  }
  return response;
}

void MetadataRequest::encode(Writer& out) const {
  out.array_length(topics.size());
  for (const std::string& topic : topics) out.string(topic);
  out.boolean(false);  // allow_auto_topic_creation
}

MetadataResponse MetadataResponse::decode(Reader& in) {
  MetadataResponse response;
  skip_throttle_time(in);
  response.cluster.brokers.resize(in.array_length(12));
  for (Broker& broker : response.cluster.brokers) {
    broker.id = in.int32();
    broker.host = in.string();
    broker.port = in.int32();
    in.nullable_string();  // rack
  }
  response.cluster.cluster_id = in.nullable_string().value_or("");
  response.cluster.controller_id = in.int32();
  response.cluster.topics.resize(in.array_length(9));
  for (TopicMetadata& topic : response.cluster.topics) topic = read_topic(in);
  return response;
}

void FindCoordinatorRequest::encode(Writer& out) const {
  constexpr int8_t kTransaction = 1;
  out.string(transactional_id);
  out.int8(kTransaction);
}

FindCoordinatorResponse FindCoordinatorResponse::decode(Reader& in) {
  FindCoordinatorResponse response;
  skip_throttle_time(in);
  response.coordinator.error = read_error(in);
  response.coordinator.error_message = in.nullable_string().value_or("");
  response.coordinator.broker.id = in.int32();
  response.coordinator.broker.host = in.string();
  response.coordinator.broker.port = in.int32();
  return response;
}

void InitProducerIdRequest::encode(Writer& out) const {
  out.nullable_string(transactional_id);
  out.int32(transaction_timeout_ms);
}

InitProducerIdResponse InitProducerIdResponse::decode(Reader& in) {
  InitProducerIdResponse response;
  skip_throttle_time(in);
  response.error = read_error(in);
  response.producer_id = in.int64();
  response.producer_epoch = in.int16();
  return response;
}

void EndTxnRequest::encode(Writer& out) const {
  out.string(transactional_id);
  out.int64(producer_id);
  out.int16(producer_epoch);
  out.boolean(commit);
}

EndTxnResponse EndTxnResponse::decode(Reader& in) {
  EndTxnResponse response;
  skip_throttle_time(in);
  response.error = read_error(in);
  return response;
}

void DescribeTransactionsRequest::encode(Writer& out) const {
  out.compact_array_length(transactional_ids.size());
  for (const std::string& id : transactional_ids) out.compact_string(id);
  out.no_tagged_fields();
}

DescribeTransactionsResponse DescribeTransactionsResponse::decode(Reader& in) {
  DescribeTransactionsResponse response;
  skip_throttle_time(in);
  response.transactions.resize(in.compact_array_length(28));
  for (TransactionDescription& transaction : response.transactions) {
    transaction = read_transaction(in);
  }
  in.skip_tagged_fields();
  return response;
}

void ListTransactionsRequest::encode(Writer& out) const {
  out.compact_array_length(states.size());
  for (const TransactionState state : states) out.compact_string(transaction_state_name(state));
  out.compact_array_length(0);  // of all producer ids
  out.no_tagged_fields();
}

ListTransactionsResponse ListTransactionsResponse::decode(Reader& in) {
  ListTransactionsResponse response;
  skip_throttle_time(in);
  response.error = read_error(in);
  response.unknown_state_filters.resize(in.compact_array_length(1));
  for (std::string& state : response.unknown_state_filters) state = in.compact_string();
  response.transactions.resize(in.compact_array_length(11));
  for (ListedTransaction& transaction : response.transactions) {
    transaction.transactional_id = in.compact_string();
    transaction.producer_id = in.int64();
    transaction.state = transaction_state_from_name(in.compact_string());
    in.skip_tagged_fields();
  }
  in.skip_tagged_fields();
  return response;
}

void DescribeProducersRequest::encode(Writer& out) const {
  out.compact_array_length(partitions.size());
  for (const TopicPartition& partition : partitions) {
    out.compact_string(partition.topic);
    out.compact_array_length(1);
    out.int32(partition.partition);
    out.no_tagged_fields();
  }
  out.no_tagged_fields();
}

DescribeProducersResponse DescribeProducersResponse::decode(Reader& in) {
  DescribeProducersResponse response;
  skip_throttle_time(in);
  const size_t topics = in.compact_array_length(3);
  for (size_t i = 0; i < topics; ++i) {
    const std::string topic = read_topic_name(in);
    const size_t partitions = in.compact_array_length(9);
    for (size_t j = 0; j < partitions; ++j) {
      response.partitions.push_back(read_producers(in, topic));
    }
    in.skip_tagged_fields();
  }
  in.skip_tagged_fields();
  return response;
}

void WriteTxnMarkersRequest::encode(Writer& out) const {
  out.compact_array_length(1);
  out.int64(marker.producer_id);
  out.int16(marker.producer_epoch);
  out.boolean(marker.commit);
  out.compact_array_length(1);
  out.compact_string(partition.topic);
  out.compact_array_length(1);
  out.int32(partition.partition);
  out.no_tagged_fields();
  out.int32(marker.coordinator_epoch);
  out.no_tagged_fields();
  out.no_tagged_fields();
}

WriteTxnMarkersResponse WriteTxnMarkersResponse::decode(Reader& in) {
  WriteTxnMarkersResponse response;
  const size_t markers = in.compact_array_length(10);
  for (size_t i = 0; i < markers; ++i) {
    in.int64();  // producer id
    const size_t topics = in.compact_array_length(3);
    for (size_t j = 0; j < topics; ++j) {
      const std::string topic = read_topic_name(in);
      const size_t partitions = in.compact_array_length(7);
      for (size_t k = 0; k < partitions; ++k) {
        Written& written = response.written.emplace_back();
        written.partition = {topic, in.int32()};
        written.error = read_error(in);
        in.skip_tagged_fields();
      }
      in.skip_tagged_fields();
    }
    in.skip_tagged_fields();
  }
  in.skip_tagged_fields();
  return response;
}

void DescribeConfigsRequest::encode(Writer& out) const {
  out.array_length(1);
  out.int8(static_cast<int8_t>(resource.type));
  out.string(resource.name);
  if (names.empty()) {
    out.null_array();
  } else {
    out.array_length(names.size());
    for (const std::string& name : names) out.string(name);
  }
  out.boolean(false);  // include_synonyms
}

DescribeConfigsResponse DescribeConfigsResponse::decode(Reader& in) {
  DescribeConfigsResponse response;
  skip_throttle_time(in);
  response.resources.resize(in.array_length(11));
  for (ConfigDescription& resource : response.resources) resource = read_config(in);
  return response;
}

void SaslHandshakeRequest::encode(Writer& out) const {
  out.string(mechanism);
}

SaslHandshakeResponse SaslHandshakeResponse::decode(Reader& in) {
  SaslHandshakeResponse response;
  response.error = read_error(in);
  response.mechanisms.resize(in.array_length(2));
  for (std::string& mechanism : response.mechanisms) mechanism = in.string();
  return response;
}

void SaslAuthenticateRequest::encode(Writer& out) const {
  out.bytes(auth_bytes);
}

SaslAuthenticateResponse SaslAuthenticateResponse::decode(Reader& in) {
  SaslAuthenticateResponse response;
  response.error = read_error(in);
  response.error_message = in.nullable_string();
  response.auth_bytes = in.bytes();
  response.session_lifetime_ms = in.int64();
  return response;
}

}  // namespace weir::kafka::protocol
