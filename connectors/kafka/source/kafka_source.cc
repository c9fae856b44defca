#include "weir/kafka/source.h"

#include <librdkafka/rdkafka.h>

#include <memory>

#include "absl/strings/str_cat.h"
#include "connectors/kafka/source/source_coordinator.h"
#include "connectors/kafka/source/source_reader.h"
#include "weir/error.h"

namespace weir {

std::vector<KafkaHeader> KafkaRecord::headers() const {
  std::vector<KafkaHeader> result;
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(static_cast<const rd_kafka_message_t*>(message), &headers) !=
      RD_KAFKA_RESP_ERR_NO_ERROR) {
    return result;  // it has none
  }
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  for (std::size_t i = 0;
       rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR;
       ++i) {
    KafkaHeader& header = result.emplace_back();
    header.name = name;
    if (value != nullptr) header.value = std::string_view(static_cast<const char*>(value), size);
  }
  return result;
}

}  // namespace weir

namespace weir::kafka {

std::unique_ptr<SourceReaderCore> create_source_reader(const KafkaSourceOptions& options) {
  return std::make_unique<KafkaSourceReader>(options);
}

std::unique_ptr<SourceCoordinator> create_source_coordinator(const KafkaSourceOptions& options) {
  return std::make_unique<KafkaSourceCoordinator>(options);
}

void rethrow_with_place(const KafkaRecord& record) {
  const std::string place =
      absl::StrCat("record ", split_id(record.topic, record.partition), " offset ", record.offset);
  try {
    throw;
  } catch (const FatalError& error) {
    throw FatalError(absl::StrCat(place, ": ", error.what()));
  } catch (const std::exception& error) {
    throw Error(absl::StrCat(place, ": ", error.what()));
  }
}

}  // namespace weir::kafka
