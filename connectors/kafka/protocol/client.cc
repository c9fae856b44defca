#include "connectors/kafka/protocol/client.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <thread>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/status.h"

namespace weir::kafka::protocol {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kFirstBackoff{20};
constexpr milliseconds kLongestBackoff{1000};

constexpr const char* kTransactionTopic = "__transaction_state";

HostPort address_of(const Broker& broker) {
  return {broker.host, broker.port};
}

// Trouble on the way, as opposed to what no repetition mends.
bool may_pass(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status);
}

template <typename Result>
struct Attempt {
  absl::StatusOr<Result> result;
  bool again;
};

// Calls `attempt` until it wants no repetition or the deadline has come; the last result counts.
template <typename Result, typename AttemptOnce>
absl::StatusOr<Result> repeat(Deadline deadline, AttemptOnce attempt) {
  for (milliseconds backoff = kFirstBackoff;; backoff = std::min(backoff * 2, kLongestBackoff)) {
    Attempt<Result> last = attempt();
    if (!last.again || steady_clock::now() + backoff >= deadline) return std::move(last.result);
    std::this_thread::sleep_for(backoff);
  }
}

// An equal share of the time left, so that a silent broker leaves some to the others.
Deadline share_of(Deadline deadline, size_t sharers) {
  const auto now = steady_clock::now();
  return now + (deadline - now) / static_cast<int64_t>(sharers);
}

// What is missing in a list that was made between two looks at the cluster: a partition of the
// transaction log without a leader hides its ids, one that moved meanwhile may have slipped past.
// Without the right to see the topic the brokers' answers have to do.
std::vector<MissingAnswer> hidden_partitions(const ClusterMetadata& before,
                                             const ClusterMetadata& after) {
  std::vector<MissingAnswer> missing;
  const TopicMetadata& old_topic = before.topics.front();
  const TopicMetadata& new_topic = after.topics.front();
  if (old_topic.error != new_topic.error) {
    missing.push_back({{}, absl::UnavailableError("__transaction_state has changed")});
    return missing;
  }
  for (const PartitionMetadata& partition : new_topic.partitions) {
    const auto same = [&](const PartitionMetadata& old) {
      return old.partition == partition.partition && old.leader == partition.leader;
    };
    if (partition.leader < 0) {
      missing.push_back(
          {{},
           absl::UnavailableError(absl::StrCat("partition ", partition.partition,
                                               " of __transaction_state has no leader"))});
    } else if (std::ranges::none_of(old_topic.partitions, same)) {
      missing.push_back(
          {{},
           absl::UnavailableError(absl::StrCat("partition ", partition.partition,
                                               " of __transaction_state has moved"))});
    }
  }
  return missing;
}

}  // namespace

Client::Client(ClientConfig config) : config_(std::move(config)) {}

absl::StatusOr<Connection*> Client::connection_to(const HostPort& server, Deadline deadline) {
  std::unique_ptr<Connection>& connection = connections_[server];
  if (connection == nullptr || !connection->usable()) {
    connection.reset();
    auto opened = Connection::open(config_, server, deadline);
    if (!opened.ok()) {
      connections_.erase(server);
      return opened.status();
    }
    connection = *std::move(opened);
  }
  return connection.get();
}

absl::StatusOr<Connection*> Client::any_connection(Deadline deadline) {
  for (const auto& [server, connection] : connections_) {
    if (connection->usable()) return connection.get();
  }
  std::vector<HostPort> servers = known_brokers_;
  servers.insert(servers.end(), config_.bootstrap_servers.begin(), config_.bootstrap_servers.end());
  absl::Status failure = absl::InvalidArgumentError("bootstrap.servers names no broker");
  for (size_t i = 0; i < servers.size(); ++i) {
    auto connection = connection_to(servers[i], share_of(deadline, servers.size() - i));
    if (connection.ok()) return connection;
    failure = connection.status();
  }
  return failure;
}

absl::StatusOr<ClusterMetadata> Client::ask_metadata(const std::vector<std::string>& topics,
                                                     Deadline deadline) {
  WEIR_ASSIGN_OR_RETURN(Connection * connection, any_connection(deadline));
  WEIR_ASSIGN_OR_RETURN(auto response, connection->call(MetadataRequest{topics}, deadline));
  if (response.cluster.topics.size() != topics.size()) {
    return absl::InternalError("Metadata: the answer isn't about the topics asked for");
  }
  known_brokers_.clear();
  for (const Broker& broker : response.cluster.brokers) {
    known_brokers_.push_back(address_of(broker));
  }
  return std::move(response.cluster);
}

absl::StatusOr<ClusterMetadata> Client::metadata(const std::vector<std::string>& topics,
                                                 Deadline deadline) {
  return repeat<ClusterMetadata>(deadline, [&]() -> Attempt<ClusterMetadata> {
    auto cluster = ask_metadata(topics, deadline);
    const bool again = may_pass(cluster.status());
    return {std::move(cluster), again};
  });
}

absl::StatusOr<ClusterMetadata> Client::coordinators_metadata(
    const std::string& transactional_id, const std::vector<std::string>& topics,
    Deadline deadline) {
  struct Answer {
    ErrorCode error = ErrorCode::kNone;
    ClusterMetadata cluster;
  };
  WEIR_ASSIGN_OR_RETURN(
      Answer answer, at_coordinator<Answer>(
                         transactional_id, Resend::kUntilDeadline, deadline,
                         [&](Connection& connection) -> absl::StatusOr<Answer> {
                           WEIR_ASSIGN_OR_RETURN(
                               auto response, connection.call(MetadataRequest{topics}, deadline));
                           return Answer{ErrorCode::kNone, std::move(response.cluster)};
                         }));
  if (answer.error != ErrorCode::kNone) {
    return absl::UnavailableError("FindCoordinator: " + error_name(answer.error));
  }
  return std::move(answer.cluster);
}

absl::StatusOr<Coordinator> Client::ask_coordinator(const std::string& transactional_id,
                                                    Deadline deadline) {
  WEIR_ASSIGN_OR_RETURN(Connection * connection, any_connection(deadline));
  WEIR_ASSIGN_OR_RETURN(auto response,
                        connection->call(FindCoordinatorRequest{transactional_id}, deadline));
  if (response.coordinator.error == ErrorCode::kNone) {
    coordinators_[transactional_id] = response.coordinator;
  }
  return std::move(response.coordinator);
}

absl::StatusOr<Coordinator> Client::find_transaction_coordinator(
    const std::string& transactional_id, Deadline deadline) {
  coordinators_.erase(transactional_id);
  return repeat<Coordinator>(deadline, [&]() -> Attempt<Coordinator> {
    auto coordinator = ask_coordinator(transactional_id, deadline);
    const bool again = coordinator.ok() ? is_coordinator_moved(coordinator->error)
                                        : may_pass(coordinator.status());
    return {std::move(coordinator), again};
  });
}

template <typename Result>
absl::StatusOr<Result> Client::at_coordinator(
    const std::string& transactional_id, Resend resend, Deadline deadline,
    const std::function<absl::StatusOr<Result>(Connection&)>& send) {
  const bool may_resend = resend == Resend::kUntilDeadline;
  return repeat<Result>(deadline, [&]() -> Attempt<Result> {
    const auto known = coordinators_.find(transactional_id);
    const absl::StatusOr<Coordinator> coordinator =
        known != coordinators_.end() ? known->second : ask_coordinator(transactional_id, deadline);
    if (!coordinator.ok()) return {coordinator.status(), may_pass(coordinator.status())};
    if (coordinator->error != ErrorCode::kNone) {
      Result refused;
      refused.error = coordinator->error;
      return {std::move(refused), is_coordinator_moved(coordinator->error)};
    }
    const auto connection = connection_to(address_of(coordinator->broker), deadline);
    if (!connection.ok()) {
      coordinators_.erase(transactional_id);
      return {connection.status(), may_pass(connection.status())};
    }

    absl::StatusOr<Result> result = send(**connection);
    const bool elsewhere =
        result.ok() ? is_coordinator_moved(result->error) : may_pass(result.status());
    if (elsewhere) coordinators_.erase(transactional_id);
    return {std::move(result), elsewhere && may_resend};
  });
}

absl::StatusOr<InitProducerIdResult> Client::init_producer_id(const std::string& transactional_id,
                                                              milliseconds transaction_timeout,
                                                              Resend resend, Deadline deadline) {
  if (transaction_timeout.count() <= 0 ||
      transaction_timeout.count() > std::numeric_limits<int32_t>::max()) {
    return absl::InvalidArgumentError(
        absl::StrCat("a transaction timeout of ", transaction_timeout.count(), " ms can't be"));
  }
  const InitProducerIdRequest request{transactional_id,
                                      static_cast<int32_t>(transaction_timeout.count())};
  int attempts = 0;
  auto result = at_coordinator<InitProducerIdResult>(
      transactional_id, resend, deadline,
      [&](Connection& connection) -> absl::StatusOr<InitProducerIdResult> {
        ++attempts;
        WEIR_ASSIGN_OR_RETURN(const auto response, connection.call(request, deadline));
        return InitProducerIdResult{response.error, response.producer_id, response.producer_epoch};
      });
  if (result.ok()) result->attempts = attempts;
  return result;
}

absl::StatusOr<EndTransactionResult> Client::end_transaction(const std::string& transactional_id,
                                                             int64_t producer_id,
                                                             int16_t producer_epoch, bool commit,
                                                             Deadline deadline) {
  const EndTxnRequest request{transactional_id, producer_id, producer_epoch, commit};
  int attempts = 0;
  auto result = at_coordinator<EndTransactionResult>(
      transactional_id, Resend::kUntilDeadline, deadline,
      [&](Connection& connection) -> absl::StatusOr<EndTransactionResult> {
        ++attempts;
        WEIR_ASSIGN_OR_RETURN(const auto response, connection.call(request, deadline));
        return EndTransactionResult{response.error};
      });
  if (result.ok()) result->attempts = attempts;
  return result;
}

absl::StatusOr<TransactionDescription> Client::describe_transaction(
    const std::string& transactional_id, Deadline deadline) {
  return at_coordinator<TransactionDescription>(
      transactional_id, Resend::kUntilDeadline, deadline,
      [&](Connection& connection) -> absl::StatusOr<TransactionDescription> {
        WEIR_ASSIGN_OR_RETURN(
            auto response,
            connection.call(DescribeTransactionsRequest{{transactional_id}}, deadline));
        if (response.transactions.size() != 1 ||
            response.transactions.front().transactional_id != transactional_id) {
          return absl::InternalError("DescribeTransactions: the answer is about another id");
        }
        return std::move(response.transactions.front());
      });
}

absl::StatusOr<TransactionList> Client::list_transactions(
    const std::vector<TransactionState>& states, Deadline deadline) {
  if (std::ranges::find(states, TransactionState::kUnknown) != states.end()) {
    return absl::InvalidArgumentError("transactions of an unknown state can't be asked for");
  }
  return repeat<TransactionList>(deadline, [&]() -> Attempt<TransactionList> {
    auto list = ask_all_for_transactions(states, deadline);
    const bool again = list.ok() ? !list->complete() : may_pass(list.status());
    return {std::move(list), again};
  });
}

absl::StatusOr<TransactionList> Client::ask_all_for_transactions(
    const std::vector<TransactionState>& states, Deadline deadline) {
  WEIR_ASSIGN_OR_RETURN(const ClusterMetadata before, ask_metadata({kTransactionTopic}, deadline));
  TransactionList list;
  size_t left = before.brokers.size() + 1;  // the second look has its share as well
  for (const Broker& broker : before.brokers) {
    const auto listed = ask_for_transactions(broker, states, share_of(deadline, left--));
    if (!listed.ok()) {
      if (!may_pass(listed.status())) return listed.status();
      list.missing.push_back({broker, listed.status()});
      continue;
    }
    list.transactions.insert(list.transactions.end(), listed->begin(), listed->end());
  }
  WEIR_ASSIGN_OR_RETURN(const ClusterMetadata after, ask_metadata({kTransactionTopic}, deadline));
  const auto hidden = hidden_partitions(before, after);
  list.missing.insert(list.missing.end(), hidden.begin(), hidden.end());
  std::ranges::sort(list.transactions, {}, &ListedTransaction::transactional_id);
  return list;
}

absl::StatusOr<std::vector<ListedTransaction>> Client::ask_for_transactions(
    const Broker& broker, const std::vector<TransactionState>& states, Deadline deadline) {
  WEIR_ASSIGN_OR_RETURN(Connection * connection, connection_to(address_of(broker), deadline));
  WEIR_ASSIGN_OR_RETURN(auto response, connection->call(ListTransactionsRequest{states}, deadline));
  if (response.error != ErrorCode::kNone) {
    return absl::UnavailableError(
        absl::StrCat("ListTransactions at broker ", broker.id, ": ", error_name(response.error)));
  }
  for (ListedTransaction& transaction : response.transactions) transaction.broker_id = broker.id;
  return std::move(response.transactions);
}

absl::StatusOr<Connection*> Client::connection_for(const ConfigResource& resource,
                                                   Deadline deadline) {
  if (resource.type != ConfigResourceType::kBroker) return any_connection(deadline);
  int32_t broker_id = -1;
  if (!absl::SimpleAtoi(resource.name, &broker_id)) {
    return absl::InvalidArgumentError(absl::StrCat("'", resource.name, "' is no broker id"));
  }
  WEIR_ASSIGN_OR_RETURN(const ClusterMetadata cluster, ask_metadata({}, deadline));
  const auto broker = std::ranges::find(cluster.brokers, broker_id, &Broker::id);
  if (broker == cluster.brokers.end()) {
    return absl::UnavailableError(absl::StrCat("broker ", broker_id, " isn't in the cluster now"));
  }
  return connection_to(address_of(*broker), deadline);
}

absl::StatusOr<ConfigDescription> Client::ask_configs(const ConfigResource& resource,
                                                      const std::vector<std::string>& names,
                                                      Deadline deadline) {
  WEIR_ASSIGN_OR_RETURN(Connection * connection, connection_for(resource, deadline));
  WEIR_ASSIGN_OR_RETURN(auto response,
                        connection->call(DescribeConfigsRequest{resource, names}, deadline));
  if (response.resources.size() != 1) {
    return absl::InternalError("DescribeConfigs: the answer isn't about the one resource");
  }
  return std::move(response.resources.front());
}

absl::StatusOr<ConfigDescription> Client::describe_configs(const ConfigResource& resource,
                                                           const std::vector<std::string>& names,
                                                           Deadline deadline) {
  return repeat<ConfigDescription>(deadline, [&]() -> Attempt<ConfigDescription> {
    auto config = ask_configs(resource, names, deadline);
    const bool again = may_pass(config.status());
    return {std::move(config), again};
  });
}

}  // namespace weir::kafka::protocol
