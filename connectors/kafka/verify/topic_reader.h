#pragma once

#include <functional>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "connectors/kafka/client/client_properties.h"
#include "connectors/kafka/verify/topic_comparison.h"

namespace weir::kafka {

using BatchVisitor = std::function<void(std::span<const TopicRecord>)>;

// Reads a topic from its beginning to the end that it has now, as read_committed, and shows every
// record once. Joins no group and commits nothing. `properties` are librdkafka's; an error names
// the topic or the brokers. Blocks; fails when nothing comes for a minute.
absl::Status read_topic(const Properties& properties, const std::string& topic,
                        const BatchVisitor& visit);

}  // namespace weir::kafka
