#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "connectors/kafka/verify/topic_comparison.h"

namespace weir::kafka {

using RecordVisitor = std::function<void(std::string_view value, RecordPosition position)>;

// Reads a topic from its beginning to the end that it has now, as read_committed, and shows every
// record once. Joins no group and commits nothing. `properties` are librdkafka's; an error names the
// topic or the brokers. Blocks; fails when nothing comes for a minute.
absl::Status read_topic(const std::map<std::string, std::string>& properties,
                        const std::string& topic, const RecordVisitor& visit);

}  // namespace weir::kafka
