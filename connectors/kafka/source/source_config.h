#pragma once

#include "connectors/kafka/client/client_properties.h"
#include "weir/kafka/source.h"

namespace weir::kafka {

// What librdkafka is given for a reader. Its queue is as large as the memory budget allows, because
// it looks at a full queue again only after up to a second.
Properties consumer_properties(const KafkaSourceOptions& options);

}  // namespace weir::kafka
