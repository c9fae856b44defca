#include "cli/transaction_commands.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/print.h"
#include "common/status.h"
#include "connectors/kafka/protocol/client.h"
#include "proto/kafka.pb.h"

namespace weir::cli {

namespace {

using kafka::protocol::Client;
using kafka::protocol::ErrorCode;
using kafka::protocol::TransactionDescription;
using kafka::protocol::TransactionState;

constexpr std::chrono::seconds kKafkaTimeout{30};
// Of the fenced id's next transaction, which nobody will begin.
constexpr std::chrono::minutes kFenceTransactionTimeout{1};

kafka::protocol::Deadline deadline() {
  return std::chrono::steady_clock::now() + kKafkaTimeout;
}

absl::StatusOr<Client> connect(const KafkaOptions& options) {
  if (options.properties.count("bootstrap.servers") == 0) {
    return absl::InvalidArgumentError("which brokers? Give --brokers host:port[,host:port…]");
  }
  WEIR_ASSIGN_OR_RETURN(auto config,
                        kafka::protocol::client_config_from_properties(options.properties));
  return Client(std::move(config));
}

std::string describe_ranges(const pb::Committable& committable) {
  std::vector<std::string> ranges;
  for (const pb::WrittenRange& range : committable.ranges()) {
    ranges.push_back(
        fmt::format("{} offsets {}…{}", range.resource(), range.first(), range.last()));
  }
  return absl::StrJoin(ranges, ", ");
}

absl::StatusOr<pb::LedgerEntry> find_entry(JobManagerClient& client, const std::string& job_id,
                                           const std::string& transaction) {
  WEIR_ASSIGN_OR_RETURN(pb::TransactionLedger ledger, client.transactions(job_id));
  for (const pb::LedgerEntry& entry : ledger.entries()) {
    if (entry.committable().transaction() == transaction) return entry;
  }
  return absl::NotFoundError(absl::StrCat("the ledger of job ", job_id, " has no transaction ",
                                          transaction, ": `weir transactions list ", job_id,
                                          "` shows what it has"));
}

absl::StatusOr<pb::KafkaCommittable> parse_payload(const pb::LedgerEntry& entry) {
  pb::KafkaCommittable committable;
  if (!committable.ParseFromString(entry.committable().payload()) ||
      committable.transactional_id().empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("transaction ", entry.committable().transaction(), " isn't one of Kafka's"));
  }
  return committable;
}

// OK if the transaction open under the id is this committable's.
absl::Status check_is_open(const pb::KafkaCommittable& committable,
                           const TransactionDescription& found) {
  if (found.error != ErrorCode::kNone) {
    return absl::FailedPreconditionError(absl::StrCat(committable.transactional_id(), ": ",
                                                      kafka::protocol::error_name(found.error)));
  }
  if (found.producer_id != committable.producer_id() ||
      found.producer_epoch != committable.producer_epoch() ||
      found.state != TransactionState::kOngoing) {
    return absl::FailedPreconditionError(
        fmt::format("the transaction of producer {} epoch {} isn't open under {}: its coordinator "
                    "shows producer "
                    "{} epoch {}, {}",
                    committable.producer_id(), committable.producer_epoch(),
                    committable.transactional_id(), found.producer_id, found.producer_epoch,
                    kafka::protocol::transaction_state_name(found.state)));
  }
  return absl::OkStatus();
}

absl::Status record(JobManagerClient& client, const std::string& job_id,
                    const pb::LedgerEntry& entry, pb::LedgerEntry::State state) {
  pb::RecordTransactionRequest request;
  request.set_job_id(job_id);
  request.set_sink_uid(entry.sink_uid());
  request.set_transaction(entry.committable().transaction());
  request.set_state(state);
  request.set_message("by hand");
  return client.record_transaction(request);
}

}  // namespace

absl::Status list_job_transactions(JobManagerClient& client, const ClientOptions& options,
                                   const std::string& job_id) {
  WEIR_ASSIGN_OR_RETURN(pb::TransactionLedger ledger, client.transactions(job_id));
  if (options.json) {
    print_json(ledger);
    return absl::OkStatus();
  }
  std::vector<std::vector<std::string>> rows = {
      {"TRANSACTION", "SINK", "STATE", "CHECKPOINT", "RECORDS", "SINCE", ""}};
  for (const pb::LedgerEntry& entry : ledger.entries()) {
    const pb::Committable& committable = entry.committable();
    rows.push_back({committable.transaction(), entry.sink_uid(),
                    pb::LedgerEntry::State_Name(entry.state()),
                    absl::StrCat(committable.checkpoint_id()), absl::StrCat(committable.records()),
                    show_time(entry.changed_time_ms()), entry.message()});
  }
  print_table(rows);
  return absl::OkStatus();
}

absl::Status list_broker_transactions(const KafkaOptions& kafka, const std::string& prefix) {
  WEIR_ASSIGN_OR_RETURN(Client client, connect(kafka));
  WEIR_ASSIGN_OR_RETURN(auto list, client.list_transactions({}, deadline()));
  std::sort(list.transactions.begin(), list.transactions.end(),
            [](const auto& a, const auto& b) { return a.transactional_id < b.transactional_id; });
  std::vector<std::vector<std::string>> rows = {
      {"TRANSACTIONAL ID", "PRODUCER", "STATE", "COORDINATOR"}};
  for (const auto& transaction : list.transactions) {
    if (!prefix.empty() && !absl::StartsWith(transaction.transactional_id, prefix + ":")) continue;
    rows.push_back({transaction.transactional_id, absl::StrCat(transaction.producer_id),
                    kafka::protocol::transaction_state_name(transaction.state),
                    absl::StrCat("broker ", transaction.broker_id)});
  }
  print_table(rows);
  for (const auto& missing : list.missing) {
    fmt::print(stderr, "broker {} didn't answer, so its transactions are missing: {}\n",
               missing.broker.id, std::string(missing.status.message()));
  }
  return list.complete()
             ? absl::OkStatus()
             : absl::UnavailableError("the list isn't complete: not every broker answered");
}

absl::Status show_transaction(JobManagerClient& client, const ClientOptions& options,
                              const KafkaOptions& kafka, const std::string& job_id,
                              const std::string& transaction) {
  WEIR_ASSIGN_OR_RETURN(pb::LedgerEntry entry, find_entry(client, job_id, transaction));
  if (options.json) {
    print_json(entry);
    return absl::OkStatus();
  }
  const pb::Committable& committable = entry.committable();
  fmt::print(
      "{}  {}\n  prepared by checkpoint {}, carried by {}…{}; sink {}, subtask {}\n"
      "  {} records: {}\n",
      transaction, pb::LedgerEntry::State_Name(entry.state()), committable.checkpoint_id(),
      entry.carried_first(), entry.carried_last(), entry.sink_uid(), entry.subtask(),
      committable.records(), describe_ranges(committable));
  if (!entry.message().empty()) fmt::print("  {}\n", entry.message());
  if (kafka.properties.count("bootstrap.servers") == 0) return absl::OkStatus();

  WEIR_ASSIGN_OR_RETURN(pb::KafkaCommittable payload, parse_payload(entry));
  WEIR_ASSIGN_OR_RETURN(Client broker, connect(kafka));
  WEIR_ASSIGN_OR_RETURN(TransactionDescription found,
                        broker.describe_transaction(payload.transactional_id(), deadline()));
  if (found.error != ErrorCode::kNone) {
    fmt::print("  its coordinator says: {}\n", kafka::protocol::error_name(found.error));
  } else {
    fmt::print("  its coordinator says: {} (producer {} epoch {}, the ledger has {} epoch {})\n",
               kafka::protocol::transaction_state_name(found.state), found.producer_id,
               found.producer_epoch, payload.producer_id(), payload.producer_epoch());
  }
  return absl::OkStatus();
}

absl::Status commit_transaction(JobManagerClient& client, const KafkaOptions& kafka,
                                const std::string& job_id, const std::string& transaction) {
  WEIR_ASSIGN_OR_RETURN(pb::LedgerEntry entry, find_entry(client, job_id, transaction));
  WEIR_ASSIGN_OR_RETURN(pb::KafkaCommittable payload, parse_payload(entry));
  WEIR_ASSIGN_OR_RETURN(Client broker, connect(kafka));
  WEIR_ASSIGN_OR_RETURN(TransactionDescription found,
                        broker.describe_transaction(payload.transactional_id(), deadline()));
  WEIR_RETURN_IF_ERROR(check_is_open(payload, found));
  WEIR_ASSIGN_OR_RETURN(auto end,
                        broker.end_transaction(payload.transactional_id(), payload.producer_id(),
                                               static_cast<std::int16_t>(payload.producer_epoch()),
                                               /*commit=*/true, deadline()));
  if (end.error != ErrorCode::kNone) {
    return absl::FailedPreconditionError(
        absl::StrCat(transaction, " isn't committed: ", kafka::protocol::error_name(end.error)));
  }
  WEIR_RETURN_IF_ERROR(record(client, job_id, entry, pb::LedgerEntry::COMMITTED));
  fmt::print("Committed {}: {} records are visible now.\n", transaction,
             entry.committable().records());
  return absl::OkStatus();
}

absl::Status abort_transaction(JobManagerClient& client, const KafkaOptions& kafka,
                               const std::string& job_id, const std::string& transaction) {
  WEIR_ASSIGN_OR_RETURN(pb::LedgerEntry entry, find_entry(client, job_id, transaction));
  WEIR_ASSIGN_OR_RETURN(pb::KafkaCommittable payload, parse_payload(entry));
  WEIR_ASSIGN_OR_RETURN(Client broker, connect(kafka));
  WEIR_ASSIGN_OR_RETURN(TransactionDescription found,
                        broker.describe_transaction(payload.transactional_id(), deadline()));
  WEIR_RETURN_IF_ERROR(check_is_open(payload, found));
  WEIR_ASSIGN_OR_RETURN(
      auto fenced, broker.init_producer_id(payload.transactional_id(), kFenceTransactionTimeout,
                                           kafka::protocol::Resend::kUntilDeadline, deadline()));
  if (fenced.error != ErrorCode::kNone) {
    return absl::FailedPreconditionError(
        absl::StrCat(transaction, " isn't aborted: ", kafka::protocol::error_name(fenced.error)));
  }
  WEIR_RETURN_IF_ERROR(record(client, job_id, entry, pb::LedgerEntry::ABORTED));
  fmt::print("Aborted {}: its {} records will never be visible ({}).\n", transaction,
             entry.committable().records(), describe_ranges(entry.committable()));
  return absl::OkStatus();
}

}  // namespace weir::cli
