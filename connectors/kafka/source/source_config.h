#pragma once

#include "connectors/kafka/client/client_properties.h"
#include "weir/kafka/source.h"

namespace weir::kafka {

// What librdkafka is given for a reader. Its queue is as large as the memory budget allows.
Properties consumer_properties(const KafkaSourceOptions& options);

}  // namespace weir::kafka
