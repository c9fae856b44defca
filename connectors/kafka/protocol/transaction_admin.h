#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "connectors/kafka/protocol/error_code.h"

namespace weir::kafka::protocol {

// On the monotonic clock, so that a jump of the wall clock ends no call early.
using Deadline = std::chrono::steady_clock::time_point;

struct Broker {
  int32_t id = -1;
  std::string host;
  int32_t port = 0;
};

struct PartitionMetadata {
  ErrorCode error = ErrorCode::kNone;
  int32_t partition = -1;
  int32_t leader = -1;        // -1: none at the moment
  int32_t leader_epoch = -1;  // raised whenever the partition gets or loses a leader
};

struct TopicMetadata {
  ErrorCode error = ErrorCode::kNone;
  std::string name;
  std::vector<PartitionMetadata> partitions;
};

struct ClusterMetadata {
  std::string cluster_id;
  int32_t controller_id = -1;
  std::vector<Broker> brokers;
  std::vector<TopicMetadata> topics;
};

struct TopicPartition {
  std::string topic;
  int32_t partition = -1;

  auto operator<=>(const TopicPartition&) const = default;
};

struct Coordinator {
  ErrorCode error = ErrorCode::kNone;
  std::string error_message;
  Broker broker;
};

// Whether a request may go out again after one whose effect isn't known: the connection broke or
// the broker said "not coordinator" after it had the request.
enum class Resend {
  kNever,          // sent at most once; what came back, or didn't, is the result
  kUntilDeadline,  // right for fencing, where one raised epoch more does no harm
};

struct InitProducerIdResult {
  ErrorCode error = ErrorCode::kNone;
  int64_t producer_id = -1;
  int16_t producer_epoch = -1;
  int attempts = 0;  // requests sent; with more than 1 the id may have been initialised twice
};

struct EndTransactionResult {
  ErrorCode error = ErrorCode::kNone;
  int attempts = 0;  // requests sent; a repeated commit of one transaction is harmless
};

enum class TransactionState {
  kUnknown,  // a name that this client doesn't know
  kEmpty,
  kOngoing,
  kPrepareCommit,
  kPrepareAbort,
  kCompleteCommit,
  kCompleteAbort,
  kPrepareEpochFence,
  kDead,
};

// Kafka's spelling: "PrepareCommit".
const char* transaction_state_name(TransactionState state);
TransactionState transaction_state_from_name(const std::string& name);

struct TransactionDescription {
  ErrorCode error = ErrorCode::kNone;  // kTransactionalIdNotFound: never used, or expired
  std::string transactional_id;
  TransactionState state = TransactionState::kUnknown;
  int64_t producer_id = -1;
  int16_t producer_epoch = -1;
  int32_t timeout_ms = 0;
  int64_t start_time_ms = -1;  // wall clock of the broker; -1 without an open transaction
  std::vector<TopicPartition> topic_partitions;  // sorted
};

struct ListedTransaction {
  std::string transactional_id;
  int64_t producer_id = -1;
  TransactionState state = TransactionState::kUnknown;
  int32_t broker_id = -1;  // who coordinates it
};

// A producer as a partition's leader knows it.
struct ActiveProducer {
  int64_t producer_id = -1;
  int32_t producer_epoch = -1;
  int32_t coordinator_epoch = -1;         // of its last marker here; -1: none yet
  int64_t transaction_start_offset = -1;  // -1: no open transaction in this partition
};

struct PartitionProducers {
  TopicPartition partition;
  ErrorCode error = ErrorCode::kNone;  // kLeaderNotAvailable: no leader, or it doesn't answer
  std::vector<ActiveProducer> producers;
};

// The control record that ends a transaction in one partition.
struct TransactionMarker {
  int64_t producer_id = -1;
  int16_t producer_epoch = -1;
  int32_t coordinator_epoch = 0;
  bool commit = false;
};

// A broker that couldn't be asked: the transactions that it coordinates are missing in the list.
struct MissingAnswer {
  Broker broker;
  absl::Status status;
};

struct TransactionList {
  std::vector<ListedTransaction> transactions;
  std::vector<MissingAnswer> missing;

  // Only a complete list proves that an id has no transaction.
  bool complete() const { return missing.empty(); }
};

enum class ConfigResourceType : int8_t { kTopic = 2, kBroker = 4 };

struct ConfigResource {
  ConfigResourceType type = ConfigResourceType::kTopic;
  std::string name;  // the topic, or the broker's id as text
};

struct ConfigDescription {
  ErrorCode error = ErrorCode::kNone;
  std::string error_message;
  std::map<std::string, std::optional<std::string>> values;  // no value: the broker keeps it secret
};

// What the exactly-once sink asks of Kafka's transaction coordinators, and what librdkafka has no
// call for: to end, look at and fence transactions of producers that are gone.
//
// Two kinds of failure, never mixed. A status (Unavailable, DeadlineExceeded) means trouble on the
// way: nothing is known about the effect of the call. An `error` in the result is the broker's own
// answer; its meaning for a committable is the caller's decision. Only "not the coordinator"
// (14, 15, 16) and lost connections are handled inside, by finding the coordinator again, until
// the deadline; if the deadline ends a row of such answers, the last of them is the `error`.
//
// Not thread-safe: one per thread. Calls block, at most until their deadline.
class TransactionAdmin {
 public:
  virtual ~TransactionAdmin() = default;

  // Brokers, cluster id and the named topics; an unknown topic is an error in its entry and is
  // never created.
  virtual absl::StatusOr<ClusterMetadata> metadata(const std::vector<std::string>& topics,
                                                   Deadline deadline) = 0;

  // The same as the coordinator of this id sees it, which sends markers by it.
  virtual absl::StatusOr<ClusterMetadata> coordinators_metadata(
      const std::string& transactional_id, const std::vector<std::string>& topics,
      Deadline deadline) = 0;

  // Asks the cluster and remembers the answer for the calls below.
  virtual absl::StatusOr<Coordinator> find_transaction_coordinator(
      const std::string& transactional_id, Deadline deadline) = 0;

  // Raises the epoch: aborts an open transaction of the id and fences its producer.
  // kConcurrentTransactions: the abort is under way, ask again.
  virtual absl::StatusOr<InitProducerIdResult> init_producer_id(
      const std::string& transactional_id, std::chrono::milliseconds transaction_timeout,
      Resend resend, Deadline deadline) = 0;

  // Ends the transaction that (id, producer id, epoch) stands for, whoever began it.
  virtual absl::StatusOr<EndTransactionResult> end_transaction(const std::string& transactional_id,
                                                               int64_t producer_id,
                                                               int16_t producer_epoch, bool commit,
                                                               Deadline deadline) = 0;

  virtual absl::StatusOr<TransactionDescription> describe_transaction(
      const std::string& transactional_id, Deadline deadline) = 0;

  // Asks every broker, each for the ids that it coordinates. `states` empty: all states.
  virtual absl::StatusOr<TransactionList> list_transactions(
      const std::vector<TransactionState>& states, Deadline deadline) = 0;

  // Asks the leader of each partition, once. Needs Read on the topics.
  virtual absl::StatusOr<std::vector<PartitionProducers>> describe_producers(
      const std::vector<TopicPartition>& partitions, Deadline deadline) = 0;

  // Writes a marker in the coordinator's place, once. Right only for a transaction whose outcome is
  // decided and that the coordinator has done with. Needs ClusterAction on the cluster.
  virtual absl::StatusOr<ErrorCode> write_transaction_marker(const TransactionMarker& marker,
                                                             const TopicPartition& partition,
                                                             Deadline deadline) = 0;

  // A broker's values are asked of that broker. `names` empty: all of them.
  virtual absl::StatusOr<ConfigDescription> describe_configs(const ConfigResource& resource,
                                                             const std::vector<std::string>& names,
                                                             Deadline deadline) = 0;
};

}  // namespace weir::kafka::protocol
