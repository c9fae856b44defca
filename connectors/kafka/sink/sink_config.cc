#include "connectors/kafka/sink/sink_config.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "connectors/kafka/protocol/client.h"
#include "connectors/kafka/protocol/client_config.h"
#include "connectors/kafka/sink/transactional_id.h"
#include "weir/error.h"

namespace weir {

void KafkaSinkOptions::check() const {
  const auto refuse = [](const absl::Status& status) {
    if (!status.ok()) throw FatalError("KafkaSink: " + std::string(status.message()));
  };
  if (bootstrap_servers.empty()) throw FatalError("KafkaSink: set_bootstrap_servers() is missing");
  refuse(kafka::check_properties(kafka::ClientRole::kProducer, properties));
  if (const auto acks = properties.find("acks"); acks != properties.end() &&
                                                 acks->second != "all" && acks->second != "-1" &&
                                                 delivery_guarantee != DeliveryGuarantee::kNone) {
    throw FatalError("KafkaSink: acks must be 'all' unless the delivery guarantee is kNone");
  }
  if (delivery_guarantee != DeliveryGuarantee::kExactlyOnce) return;
  if (transactional_id_prefix.empty()) {
    throw FatalError("KafkaSink: kExactlyOnce needs set_transactional_id_prefix()");
  }
  refuse(kafka::check_transactional_id_part("transactional id prefix", transactional_id_prefix));
  if (transaction_timeout < std::chrono::seconds(1)) {
    throw FatalError("KafkaSink: the transaction timeout is under 1 s");
  }
  refuse(kafka::make_transaction_admin(*this).status());
}

}  // namespace weir

namespace weir::kafka {

Properties producer_properties(const KafkaSinkOptions& options) {
  Properties properties = {
      {"linger.ms", "5"},
      {"batch.size", "1000000"},
      {"batch.num.messages", "10000"},
      {"queue.buffering.max.messages", "100000"},
      {"queue.buffering.max.kbytes", "131072"},
      {"partitioner", "murmur2_random"},
      {"client.id", "weir"},
  };
  // The same property under an older name would win over these by its place in the map only.
  if (options.properties.contains("queue.buffering.max.ms")) properties.erase("linger.ms");
  for (const auto& [name, value] : options.properties) properties[name] = value;
  properties["bootstrap.servers"] = options.bootstrap_servers;
  const bool idempotent = options.delivery_guarantee != DeliveryGuarantee::kNone;
  properties["enable.idempotence"] = idempotent ? "true" : "false";
  if (options.delivery_guarantee == DeliveryGuarantee::kExactlyOnce) {
    properties["transaction.timeout.ms"] = std::to_string(options.transaction_timeout.count());
  }
  return properties;
}

absl::StatusOr<std::unique_ptr<protocol::TransactionAdmin>> make_transaction_admin(
    const KafkaSinkOptions& options) {
  Properties properties = options.properties;
  properties["bootstrap.servers"] = options.bootstrap_servers;
  WEIR_ASSIGN_OR_RETURN(protocol::ClientConfig config,
                        protocol::client_config_from_properties(properties));
  return std::unique_ptr<protocol::TransactionAdmin>(
      std::make_unique<protocol::Client>(std::move(config)));
}

absl::Status check_transaction_timeout(std::chrono::milliseconds transaction_timeout,
                                       std::chrono::milliseconds broker_max,
                                       const CheckpointSettings& settings) {
  if (transaction_timeout > broker_max) {
    return absl::InvalidArgumentError(
        absl::StrCat("the transaction timeout of ", transaction_timeout.count(),
                     " ms is above the broker's transaction.max.timeout.ms of ", broker_max.count(),
                     " ms: lower set_transaction_timeout() or raise the broker's setting"));
  }
  const std::chrono::milliseconds needed =
      settings.interval + settings.timeout + settings.restart_budget;
  if (transaction_timeout < needed) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the transaction timeout of ", transaction_timeout.count(),
        " ms is too short: checkpoint interval ", settings.interval.count(),
        " ms + checkpoint timeout ", settings.timeout.count(), " ms + sink.restart-budget ",
        settings.restart_budget.count(), " ms = ", needed.count(),
        " ms may pass before a commit; raise set_transaction_timeout() or lower one of them"));
  }
  return absl::OkStatus();
}

}  // namespace weir::kafka
