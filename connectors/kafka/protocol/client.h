#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "connectors/kafka/protocol/client_config.h"
#include "connectors/kafka/protocol/connection.h"
#include "connectors/kafka/protocol/transaction_admin.h"

namespace weir::kafka::protocol {

// TransactionAdmin over real brokers. Connects when first asked, keeps one connection per broker
// and the coordinator of each id, and drops both as soon as they prove wrong.
//
// Not thread-safe; has no thread of its own. Beside what TransactionAdmin promises: Unimplemented
// for a broker too old, FailedPrecondition and Unauthenticated for one that can't be entered,
// InvalidArgument for a name that no request can hold; these come at once, not at the deadline.
class Client : public TransactionAdmin {
 public:
  explicit Client(ClientConfig config);

  absl::StatusOr<ClusterMetadata> metadata(const std::vector<std::string>& topics,
                                           Deadline deadline) override;
  absl::StatusOr<ClusterMetadata> coordinators_metadata(const std::string& transactional_id,
                                                        const std::vector<std::string>& topics,
                                                        Deadline deadline) override;
  absl::StatusOr<Coordinator> find_transaction_coordinator(const std::string& transactional_id,
                                                           Deadline deadline) override;
  absl::StatusOr<InitProducerIdResult> init_producer_id(
      const std::string& transactional_id, std::chrono::milliseconds transaction_timeout,
      Resend resend, Deadline deadline) override;
  absl::StatusOr<EndTransactionResult> end_transaction(const std::string& transactional_id,
                                                       int64_t producer_id, int16_t producer_epoch,
                                                       bool commit, Deadline deadline) override;
  absl::StatusOr<TransactionDescription> describe_transaction(const std::string& transactional_id,
                                                              Deadline deadline) override;
  absl::StatusOr<TransactionList> list_transactions(const std::vector<TransactionState>& states,
                                                    Deadline deadline) override;
  absl::StatusOr<std::vector<PartitionProducers>> describe_producers(
      const std::vector<TopicPartition>& partitions, Deadline deadline) override;
  absl::StatusOr<ErrorCode> write_transaction_marker(const TransactionMarker& marker,
                                                     const TopicPartition& partition,
                                                     Deadline deadline) override;
  absl::StatusOr<ConfigDescription> describe_configs(const ConfigResource& resource,
                                                     const std::vector<std::string>& names,
                                                     Deadline deadline) override;

 private:
  absl::StatusOr<Connection*> connection_to(const HostPort& server, Deadline deadline);
  absl::StatusOr<Connection*> any_connection(Deadline deadline);
  absl::StatusOr<ClusterMetadata> ask_metadata(const std::vector<std::string>& topics,
                                               Deadline deadline);
  absl::StatusOr<Coordinator> ask_coordinator(const std::string& transactional_id,
                                              Deadline deadline);
  absl::StatusOr<TransactionList> ask_all_for_transactions(
      const std::vector<TransactionState>& states, Deadline deadline);
  absl::StatusOr<std::vector<ListedTransaction>> ask_for_transactions(
      const Broker& broker, const std::vector<TransactionState>& states, Deadline deadline);
  struct Leaders {
    std::map<TopicPartition, Broker> brokers;  // of the partitions that have one
    std::set<std::string> no_topics;           // asked for, and not there
  };
  absl::StatusOr<Leaders> leaders_of(const std::vector<TopicPartition>& partitions,
                                     Deadline deadline);
  absl::StatusOr<Connection*> connection_for(const ConfigResource& resource, Deadline deadline);
  absl::StatusOr<ConfigDescription> ask_configs(const ConfigResource& resource,
                                                const std::vector<std::string>& names,
                                                Deadline deadline);

  // Finds the coordinator and lets `send` ask it, again and again as far as `resend` and the
  // deadline allow. Defined in client.cc, its only user.
  template <typename Result>
  absl::StatusOr<Result> at_coordinator(
      const std::string& transactional_id, Resend resend, Deadline deadline,
      const std::function<absl::StatusOr<Result>(Connection&)>& send);

  const ClientConfig config_;
  std::vector<HostPort> known_brokers_;  // of the last metadata; asked before the bootstrap servers
  std::map<HostPort, std::unique_ptr<Connection>> connections_;
  std::map<std::string, Coordinator> coordinators_;  // by transactional id
};

}  // namespace weir::kafka::protocol
