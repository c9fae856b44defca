// Prints the librdkafka settings that Weir's Kafka source and sink use by default, as JSON:
// {"consumer": ["key=value", …], "producer": […]}, for the raw loop to be run with the same.
#include <cstdio>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "connectors/kafka/sink/sink_config.h"
#include "connectors/kafka/source/source_config.h"

namespace {

// What a program chooses for what it does, not for how fast.
const std::set<std::string> kNotSpeed = {"bootstrap.servers",
                                         "client.id",
                                         "group.id",
                                         "isolation.level",
                                         "auto.offset.reset",
                                         "acks",
                                         "enable.idempotence",
                                         "enable.auto.commit",
                                         "enable.auto.offset.store",
                                         "enable.partition.eof",
                                         "transaction.timeout.ms",
                                         "statistics.interval.ms"};

nlohmann::json settings(const weir::kafka::Properties& properties) {
  nlohmann::json result = nlohmann::json::array();
  for (const auto& [key, value] : properties) {
    if (kNotSpeed.count(key) == 0) result.push_back(key + "=" + value);
  }
  return result;
}

}  // namespace

int main() {
  weir::KafkaSourceOptions source;
  weir::KafkaSinkOptions sink;
  sink.delivery_guarantee = weir::DeliveryGuarantee::kExactlyOnce;
  const nlohmann::json result = {{"consumer", settings(weir::kafka::consumer_properties(source))},
                                 {"producer", settings(weir::kafka::producer_properties(sink))}};
  std::puts(result.dump().c_str());
}
