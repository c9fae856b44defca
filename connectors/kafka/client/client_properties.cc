#include "connectors/kafka/client/client_properties.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/edit_distance.h"

namespace weir::kafka {
namespace {

const std::vector<std::string>& common_properties() {
  static const auto* names = new std::vector<std::string>{
      "api.version.request.timeout.ms",
      "broker.address.family",
      "broker.address.ttl",
      "client.id",
      "client.rack",
      "connections.max.idle.ms",
      "debug",
      "enable.ssl.certificate.verification",
      "log.connection.close",
      "log_level",
      "message.max.bytes",
      "metadata.max.age.ms",
      "receive.message.max.bytes",
      "reconnect.backoff.max.ms",
      "reconnect.backoff.ms",
      "retry.backoff.ms",
      "sasl.mechanism",
      "sasl.mechanisms",
      "sasl.password",
      "sasl.username",
      "security.protocol",
      "socket.connection.setup.timeout.ms",
      "socket.keepalive.enable",
      "socket.nagle.disable",
      "socket.receive.buffer.bytes",
      "socket.send.buffer.bytes",
      "socket.timeout.ms",
      "ssl.ca.location",
      "ssl.certificate.location",
      "ssl.cipher.suites",
      "ssl.curves.list",
      "ssl.endpoint.identification.algorithm",
      "ssl.key.location",
      "ssl.key.password",
      "ssl.sigalgs.list",
      "topic.metadata.refresh.interval.ms",
  };
  return *names;
}

const std::vector<std::string>& consumer_properties() {
  static const auto* names = new std::vector<std::string>{
      "check.crcs",         "fetch.error.backoff.ms",    "fetch.max.bytes",
      "fetch.min.bytes",    "fetch.message.max.bytes",   "fetch.wait.max.ms",
      "group.instance.id",  "max.partition.fetch.bytes", "queued.max.messages.kbytes",
      "queued.min.messages"};
  return *names;
}

const std::vector<std::string>& producer_properties() {
  static const auto* names = new std::vector<std::string>{"acks",
                                                          "batch.num.messages",
                                                          "batch.size",
                                                          "compression.codec",
                                                          "compression.level",
                                                          "compression.type",
                                                          "delivery.timeout.ms",
                                                          "linger.ms",
                                                          "max.in.flight.requests.per.connection",
                                                          "partitioner",
                                                          "queue.buffering.backpressure.threshold",
                                                          "queue.buffering.max.kbytes",
                                                          "queue.buffering.max.messages",
                                                          "queue.buffering.max.ms",
                                                          "request.timeout.ms",
                                                          "sticky.partitioning.linger.ms"};
  return *names;
}

// What the builders have a call for, or the connector decides.
const Properties& remedies() {
  static const auto* remedies = new Properties{
      {"auto.offset.reset", "use set_starting_offsets()"},
      {"bootstrap.servers", "use set_bootstrap_servers()"},
      {"enable.auto.commit", "offsets are committed after each checkpoint"},
      {"enable.auto.offset.store", "offsets are committed after each checkpoint"},
      {"enable.idempotence", "use set_delivery_guarantee()"},
      {"group.id", "use set_group_id()"},
      {"isolation.level", "use set_isolation_level()"},
      {"metadata.broker.list", "use set_bootstrap_servers()"},
      {"transaction.timeout.ms", "use set_transaction_timeout()"},
      {"transactional.id", "use set_transactional_id_prefix()"},
  };
  return *remedies;
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

absl::Status check_properties(ClientRole role, const Properties& properties) {
  const std::vector<std::string>& own =
      role == ClientRole::kConsumer ? consumer_properties() : producer_properties();
  for (const auto& [name, value] : properties) {
    if (contains(common_properties(), name) || contains(own, name)) continue;
    if (const auto remedy = remedies().find(name); remedy != remedies().end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("property '", name, "' is reserved: ", remedy->second));
    }
    std::vector<std::string> allowed = common_properties();
    allowed.insert(allowed.end(), own.begin(), own.end());
    return absl::InvalidArgumentError(absl::StrCat("property '", name,
                                                   "' isn't allowed here; the nearest that is: '",
                                                   nearest(name, allowed), "'"));
  }
  return absl::OkStatus();
}

}  // namespace weir::kafka
