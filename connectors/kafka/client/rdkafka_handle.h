#pragma once

// Ownership of librdkafka's objects, and its errors as absl::Status.

#include <librdkafka/rdkafka.h>

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "connectors/kafka/client/client_properties.h"

namespace weir::kafka {

template <auto kDestroy>
struct Destroyer {
  template <typename T>
  void operator()(T* object) const {
    kDestroy(object);
  }
};

using HandlePtr = std::unique_ptr<rd_kafka_t, Destroyer<rd_kafka_destroy>>;
using ConfPtr = std::unique_ptr<rd_kafka_conf_t, Destroyer<rd_kafka_conf_destroy>>;
using TopicPtr = std::unique_ptr<rd_kafka_topic_t, Destroyer<rd_kafka_topic_destroy>>;
using QueuePtr = std::unique_ptr<rd_kafka_queue_t, Destroyer<rd_kafka_queue_destroy>>;
using ErrorPtr = std::unique_ptr<rd_kafka_error_t, Destroyer<rd_kafka_error_destroy>>;
using MetadataPtr =
    std::unique_ptr<const rd_kafka_metadata_t, Destroyer<rd_kafka_metadata_destroy>>;
using PartitionListPtr = std::unique_ptr<rd_kafka_topic_partition_list_t,
                                         Destroyer<rd_kafka_topic_partition_list_destroy>>;

// InvalidArgument with librdkafka's text, which names the property.
absl::StatusOr<ConfPtr> make_conf(const Properties& properties);
// Takes the conf over, also when it fails.
absl::StatusOr<HandlePtr> make_handle(rd_kafka_type_t type, ConfPtr conf);

// "REQUEST_TIMED_OUT: Broker: Request timed out".
std::string error_text(rd_kafka_resp_err_t error);
// Unavailable with the text, whatever the error: nothing is known about what was asked.
absl::Status to_status(rd_kafka_resp_err_t error, std::string_view what);

}  // namespace weir::kafka
