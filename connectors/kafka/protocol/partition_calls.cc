// The calls of Client that go to the leaders of partitions.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "connectors/kafka/protocol/client.h"
#include "connectors/kafka/protocol/messages.h"

namespace weir::kafka::protocol {

absl::StatusOr<Client::Leaders> Client::leaders_of(const std::vector<TopicPartition>& partitions,
                                                   Deadline deadline) {
  std::vector<std::string> topics;
  for (const TopicPartition& partition : partitions) topics.push_back(partition.topic);
  std::ranges::sort(topics);
  topics.erase(std::unique(topics.begin(), topics.end()), topics.end());
  WEIR_ASSIGN_OR_RETURN(const ClusterMetadata cluster, ask_metadata(topics, deadline));
  Leaders leaders;
  for (const TopicMetadata& topic : cluster.topics) {
    if (topic.error == ErrorCode::kUnknownTopicOrPartition) leaders.no_topics.insert(topic.name);
    for (const PartitionMetadata& partition : topic.partitions) {
      const auto leader = std::ranges::find(cluster.brokers, partition.leader, &Broker::id);
      if (leader != cluster.brokers.end())
        leaders.brokers[{topic.name, partition.partition}] = *leader;
    }
  }
  return leaders;
}

absl::StatusOr<std::vector<PartitionProducers>> Client::describe_producers(
    const std::vector<TopicPartition>& partitions, Deadline deadline) {
  WEIR_ASSIGN_OR_RETURN(const Leaders leaders, leaders_of(partitions, deadline));
  std::vector<PartitionProducers> described;
  std::map<HostPort, std::vector<TopicPartition>> by_leader;
  for (const TopicPartition& partition : partitions) {
    const auto leader = leaders.brokers.find(partition);
    if (leader == leaders.brokers.end()) {
      const bool gone = leaders.no_topics.contains(partition.topic);
      described.push_back(
          {partition,
           gone ? ErrorCode::kUnknownTopicOrPartition : ErrorCode::kLeaderNotAvailable,
           {}});
    } else {
      by_leader[{leader->second.host, leader->second.port}].push_back(partition);
    }
  }
  for (const auto& [server, led] : by_leader) {
    WEIR_ASSIGN_OR_RETURN(Connection * connection, connection_to(server, deadline));
    WEIR_ASSIGN_OR_RETURN(auto response, connection->call(DescribeProducersRequest{led}, deadline));
    if (response.partitions.size() != led.size()) {
      return absl::InternalError(
          "DescribeProducers: the answer isn't about the partitions asked for");
    }
    std::ranges::move(response.partitions, std::back_inserter(described));
  }
  return described;
}

absl::StatusOr<ErrorCode> Client::write_transaction_marker(const TransactionMarker& marker,
                                                           const TopicPartition& partition,
                                                           Deadline deadline) {
  WEIR_ASSIGN_OR_RETURN(const Leaders leaders, leaders_of({partition}, deadline));
  const auto leader = leaders.brokers.find(partition);
  if (leader == leaders.brokers.end()) return ErrorCode::kLeaderNotAvailable;
  WEIR_ASSIGN_OR_RETURN(Connection * connection,
                        connection_to({leader->second.host, leader->second.port}, deadline));
  WEIR_ASSIGN_OR_RETURN(const auto response,
                        connection->call(WriteTxnMarkersRequest{marker, partition}, deadline));
  if (response.written.size() != 1 || response.written.front().partition != partition) {
    return absl::InternalError("WriteTxnMarkers: the answer is about another partition");
  }
  return response.written.front().error;
}

}  // namespace weir::kafka::protocol
