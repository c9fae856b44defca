#include "connectors/kafka/sink/sink_coordinator.h"

#include <algorithm>
#include <map>
#include <thread>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/fault_point.h"
#include "common/log.h"
#include "common/status.h"
#include "connectors/kafka/sink/kafka_committable.h"
#include "connectors/kafka/sink/marker_writer.h"
#include "connectors/kafka/sink/sink_config.h"
#include "connectors/kafka/sink/transaction_committer.h"
#include "connectors/kafka/sink/transactional_id.h"
#include "proto/kafka.pb.h"
#include "weir/error.h"

namespace weir::kafka {
namespace {

using protocol::ErrorCode;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kAttemptTimeout{10};
constexpr milliseconds kPauseMin{20};
constexpr milliseconds kPauseMax{1000};
constexpr milliseconds kCancelCheck{20};
// A job that is submitted shouldn't wait longer for its answer; one that recovers has to wait.
constexpr seconds kSubmitPatience{30};
// Of the epoch that fences; nothing is ever written in it.
constexpr milliseconds kFenceTransactionTimeout{60'000};

protocol::Deadline attempt_deadline() {
  return std::chrono::steady_clock::now() + kAttemptTimeout;
}

bool is_transient(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status);
}

}  // namespace

KafkaSinkCoordinator::KafkaSinkCoordinator(KafkaSinkOptions options)
    : options_(std::move(options)) {}

void KafkaSinkCoordinator::open(RuntimeContext& context) {
  context_ = &context;
  absl::StatusOr<std::unique_ptr<protocol::TransactionAdmin>> admin =
      make_transaction_admin(options_);
  if (!admin.ok()) throw FatalError("KafkaSink: " + std::string(admin.status().message()));
  admin_ = *std::move(admin);
}

void KafkaSinkCoordinator::pause(milliseconds duration) {
  const auto end = std::chrono::steady_clock::now() + duration;
  while (std::chrono::steady_clock::now() < end) {
    if (context_->cancelled()) throw Error("KafkaSink: the coordinator is cancelled");
    std::this_thread::sleep_for(std::min(kCancelCheck, duration));
  }
}

void KafkaSinkCoordinator::retry(std::string_view what, std::optional<milliseconds> patience,
                                 const std::function<absl::Status()>& attempt) {
  const auto begin = std::chrono::steady_clock::now();
  for (milliseconds wait = kPauseMin;; wait = std::min(wait * 2, kPauseMax)) {
    const absl::Status status = attempt();
    if (status.ok()) return;
    const std::string message =
        absl::StrCat("KafkaSink: ", std::string(what), ": ", std::string(status.message()),
                     " (bootstrap servers ", options_.bootstrap_servers, ")");
    if (!is_transient(status)) throw FatalError(message);
    if (patience && std::chrono::steady_clock::now() - begin > *patience) throw FatalError(message);
    pause(wait);
  }
}

SinkValidation KafkaSinkCoordinator::validate() {
  std::optional<milliseconds> patience;
  if (context_->attempt() == 0) patience = kSubmitPatience;
  const std::vector<std::string> topics =
      options_.topic.empty() ? std::vector<std::string>() : std::vector{options_.topic};
  protocol::ClusterMetadata cluster;
  retry("no broker answers", patience, [&] {
    WEIR_ASSIGN_OR_RETURN(cluster, admin_->metadata(topics, attempt_deadline()));
    return absl::OkStatus();
  });
  check_topic(cluster);

  SinkValidation result;
  if (!exactly_once()) return result;
  const absl::Status uid = check_transactional_id_part("sink's uid", context_->uid());
  if (!uid.ok()) throw FatalError("KafkaSink: " + std::string(uid.message()));
  check_timeout(cluster);
  result.transaction_timeout = options_.transaction_timeout;
  result.exclusive_resources.push_back(
      absl::StrCat("kafka-prefix:", cluster.cluster_id, "/", options_.transactional_id_prefix));
  for (const std::string& text : list_ids({}, patience)) {
    const std::optional<TransactionalId> id = parse_transactional_id(text);
    if (id && id->prefix == options_.transactional_id_prefix && id->uid == context_->uid()) {
      result.generation_max = std::max(result.generation_max, id->generation);
    }
  }
  return result;
}

void KafkaSinkCoordinator::check_topic(const protocol::ClusterMetadata& cluster) {
  for (const protocol::TopicMetadata& topic : cluster.topics) {
    if (topic.error == ErrorCode::kNone || topic.error == ErrorCode::kLeaderNotAvailable) continue;
    if (topic.error == ErrorCode::kUnknownTopicOrPartition && !cluster.brokers.empty()) {
      const absl::StatusOr<protocol::ConfigDescription> config =
          admin_->describe_configs({.type = protocol::ConfigResourceType::kBroker,
                                    .name = std::to_string(cluster.brokers.front().id)},
                                   {"auto.create.topics.enable"}, attempt_deadline());
      if (config.ok()) {
        const auto found = config->values.find("auto.create.topics.enable");
        if (found != config->values.end() && found->second == "true") continue;
      }
    }
    throw FatalError(absl::StrCat("KafkaSink: topic '", topic.name, "' at ",
                                  options_.bootstrap_servers, ": ", error_name(topic.error),
                                  ": create it (kafka-topics.sh --create --topic ", topic.name,
                                  ") or set another"));
  }
}

void KafkaSinkCoordinator::check_timeout(const protocol::ClusterMetadata& cluster) {
  milliseconds broker_max = milliseconds::max();
  for (const protocol::Broker& broker : cluster.brokers) {
    const absl::StatusOr<protocol::ConfigDescription> config = admin_->describe_configs(
        {.type = protocol::ConfigResourceType::kBroker, .name = std::to_string(broker.id)},
        {"transaction.max.timeout.ms"}, attempt_deadline());
    if (!config.ok()) continue;  // a broker that is away; another one's figure will do
    const auto found = config->values.find("transaction.max.timeout.ms");
    std::int64_t value = 0;
    if (found != config->values.end() && found->second &&
        absl::SimpleAtoi(*found->second, &value)) {
      broker_max = std::min(broker_max, milliseconds(value));
    }
  }
  const absl::Status status = check_transaction_timeout(options_.transaction_timeout, broker_max,
                                                        context_->checkpoint_settings());
  if (!status.ok()) throw FatalError("KafkaSink: " + std::string(status.message()));
}

std::vector<std::string> KafkaSinkCoordinator::list_ids(
    const std::vector<protocol::TransactionState>& states, std::optional<milliseconds> patience) {
  std::vector<std::string> ids;
  retry("the transactions can't be listed", patience, [&] {
    WEIR_ASSIGN_OR_RETURN(const protocol::TransactionList list,
                          admin_->list_transactions(states, attempt_deadline()));
    if (!list.complete()) {
      return absl::UnavailableError(
          absl::StrCat("broker ", list.missing.front().broker.id, " (",
                       list.missing.front().broker.host, ":", list.missing.front().broker.port,
                       ") doesn't answer: ", std::string(list.missing.front().status.message())));
    }
    ids.clear();
    for (const protocol::ListedTransaction& transaction : list.transactions) {
      ids.push_back(transaction.transactional_id);
    }
    return absl::OkStatus();
  });
  return ids;
}

void KafkaSinkCoordinator::recover(const SinkRecovery& recovery, const CommitReport& report) {
  std::map<std::string, RecoveryInput> by_prefix;
  const auto input_of = [&](const std::string& prefix) -> RecoveryInput& {
    RecoveryInput& input = by_prefix[prefix];
    input.prefix = prefix;
    input.uid = context_->uid();
    input.generation = recovery.generation;
    input.generation_from = recovery.generation_from;
    input.subtasks = {recovery.subtasks.begin(), recovery.subtasks.end()};
    return input;
  };
  if (exactly_once()) input_of(options_.transactional_id_prefix);

  std::vector<std::size_t> to_commit;
  for (std::size_t i = 0; i < recovery.committables.size(); ++i) {
    const RecoveredCommittable& recovered = recovery.committables[i];
    const absl::StatusOr<PreparedTransaction> prepared = from_committable(recovered.committable);
    if (!prepared.ok()) throw FatalError(std::string(prepared.status().message()));
    const std::optional<TransactionalId> id = parse_transactional_id(prepared->transactional_id);
    if (!id) throw FatalError("KafkaSink: no transactional id: " + prepared->transactional_id);
    input_of(id->prefix)
        .committables.push_back({.transactional_id = prepared->transactional_id,
                                 .known_committed = recovered.known_committed,
                                 .producer_id = prepared->producer_id,
                                 .producer_epoch = prepared->producer_epoch});
    partitions_.insert(prepared->topic_partitions.begin(), prepared->topic_partitions.end());
    if (!recovered.known_committed) to_commit.push_back(i);
  }
  for (const std::string& text : recovery.writer_states) {
    pb::KafkaWriterState state;
    if (text.empty()) continue;  // not an exactly-once writer's
    if (!state.ParseFromString(text) || state.format_version() != 1) {
      throw FatalError("KafkaSink: a writer's state isn't one of this version");
    }
    input_of(state.transactional_id_prefix())
        .pools.push_back({state.generation(), state.subtask(), state.slot_count()});
  }

  WEIR_FAULT_POINT("recovery.before_commit");
  commit_all(to_commit, recovery, report);
  WEIR_FAULT_POINT("recovery.committed_not_fenced");
  forget_recoveries_of(recovery.subtasks);
  if (by_prefix.empty()) return;
  partitions_.merge(partitions_of_topic());
  const std::vector<std::string> listed = list_ids({}, std::nullopt);
  for (auto& [prefix, input] : by_prefix) {
    fence_listed(input, listed);
    recovered_.push_back(std::move(input));
  }
  WEIR_FAULT_POINT("recovery.fenced");
}

void KafkaSinkCoordinator::forget_recoveries_of(const std::vector<int>& subtasks) {
  if (subtasks.empty()) return recovered_.clear();
  std::erase_if(recovered_, [&](RecoveryInput& input) {
    if (input.subtasks.empty()) return false;  // of all
    for (const int subtask : subtasks) input.subtasks.erase(subtask);
    return input.subtasks.empty();
  });
}

std::set<protocol::TopicPartition> KafkaSinkCoordinator::partitions_of_topic() {
  std::set<protocol::TopicPartition> partitions;
  if (options_.topic.empty()) return partitions;
  retry("no broker answers", std::nullopt, [&] {
    WEIR_ASSIGN_OR_RETURN(const protocol::ClusterMetadata cluster,
                          admin_->metadata({options_.topic}, attempt_deadline()));
    for (const protocol::PartitionMetadata& partition : cluster.topics.front().partitions) {
      partitions.insert({options_.topic, partition.partition});
    }
    return absl::OkStatus();
  });
  return partitions;
}

void KafkaSinkCoordinator::commit_all(const std::vector<std::size_t>& indices,
                                      const SinkRecovery& recovery, const CommitReport& report) {
  std::vector<std::size_t> pending = indices;
  for (milliseconds wait = kPauseMin; !pending.empty(); wait = std::min(wait * 2, kPauseMax)) {
    std::vector<std::size_t> again;
    for (const std::size_t index : pending) {
      if (context_->cancelled()) throw Error("KafkaSink: the recovery is cancelled");
      const Committable& committable = recovery.committables[index].committable;
      const CommitResult result = commit_transaction(*admin_, committable);
      report(committable, result);
      if (result.status == CommitStatus::kRetry) again.push_back(index);
      WEIR_FAULT_POINT("recovery.between_commits");
    }
    pending = std::move(again);
    if (!pending.empty()) pause(wait);
  }
}

void KafkaSinkCoordinator::fence_listed(RecoveryInput& input,
                                        const std::vector<std::string>& listed_ids) {
  input.listed_ids = listed_ids;
  for (RecoveredTransaction& each : input.committables) {
    if (std::ranges::find(listed_ids, each.transactional_id) == listed_ids.end()) continue;
    each.used_again = is_used_again(each, describe(each.transactional_id));
  }
  fence(plan_recovery(input).fence);
}

void KafkaSinkCoordinator::fence(const std::vector<std::string>& ids) {
  if (ids.empty()) return;
  std::vector<DecidedTransaction> committed;
  std::vector<DecidedTransaction> aborted;
  for (const std::string& id : ids) {
    const protocol::TransactionDescription last = describe(id);
    if (last.error != ErrorCode::kNone) continue;  // never used, or expired
    partitions_.insert(last.topic_partitions.begin(), last.topic_partitions.end());
    const bool is_committed = last.state == protocol::TransactionState::kCompleteCommit;
    (is_committed ? committed : aborted)
        .push_back({.transactional_id = id,
                    .producer_id = last.producer_id,
                    .producer_epoch = last.producer_epoch,
                    .committed = is_committed});
  }
  // While the coordinators still say so; who repeats this recovery takes the rest for aborted.
  ensure_closed(committed);
  for (const std::string& id : ids) {
    retry(absl::StrCat("transactional id ", id, " can't be fenced"), std::nullopt,
          [&] { return fence_once(id); });
    WEIR_FAULT_POINT("recovery.between_fences");
  }
  ensure_closed(aborted);
}

protocol::TransactionDescription KafkaSinkCoordinator::describe(
    const std::string& transactional_id) {
  protocol::TransactionDescription description;
  retry(absl::StrCat("transactional id ", transactional_id, " can't be described"), std::nullopt,
        [&] {
          WEIR_ASSIGN_OR_RETURN(description,
                                admin_->describe_transaction(transactional_id, attempt_deadline()));
          const bool unknown = is_coordinator_moved(description.error) ||
                               description.state == protocol::TransactionState::kPrepareCommit;
          return unknown ? absl::UnavailableError(
                               absl::StrCat(error_name(description.error), ", ",
                                            transaction_state_name(description.state)))
                         : absl::OkStatus();
        });
  return description;
}

void KafkaSinkCoordinator::ensure_closed(const std::vector<DecidedTransaction>& transactions) {
  if (transactions.empty()) return;
  retry("the end of transactions can't be seen", std::nullopt, [&] {
    const absl::Status closed = ensure_markers(
        *admin_, transactions, {partitions_.begin(), partitions_.end()}, attempt_deadline());
    // A commit that readers don't see must not be taken for an abort by the next recovery.
    if (!absl::IsPermissionDenied(closed) || transactions.front().committed) return closed;
    WEIR_LOG_WARN({}, "{} (or kafka-transactions.sh abort)", std::string(closed.message()));
    return absl::OkStatus();
  });
}

// By InitProducerId alone: EndTxn(abort) would leave a zombie its epoch, and what it writes next
// would be committed without what was aborted.
absl::Status KafkaSinkCoordinator::fence_once(const std::string& transactional_id) {
  WEIR_ASSIGN_OR_RETURN(
      const protocol::InitProducerIdResult result,
      admin_->init_producer_id(transactional_id, kFenceTransactionTimeout,
                               protocol::Resend::kUntilDeadline, attempt_deadline()));
  if (result.error == ErrorCode::kNone) return absl::OkStatus();
  const std::string name = error_name(result.error);
  if (result.error == ErrorCode::kTransactionalIdAuthorizationFailed ||
      result.error == ErrorCode::kClusterAuthorizationFailed ||
      result.error == ErrorCode::kInvalidTransactionTimeout) {
    return absl::PermissionDeniedError(name);
  }
  return absl::UnavailableError(name);
}

void KafkaSinkCoordinator::sweep() {
  const std::vector<std::string> open_ids =
      list_ids({protocol::TransactionState::kOngoing}, std::nullopt);
  for (RecoveryInput& input : recovered_) {
    input.pools.clear();  // fenced by recover(); a zombie's new ids are listed when they matter
    fence_listed(input, open_ids);
  }
}

}  // namespace weir::kafka
