#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weir/element.h"

namespace weir {

struct KafkaHeader {
  std::string_view name;
  std::optional<std::string_view> value;
};

// A record as it was read. Everything in it is valid until the batch ends.
struct KafkaRecord {
  std::string_view topic;
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  Timestamp timestamp = kNoTimestamp;  // when it was created or appended, as the topic is set up
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;  // none: a tombstone

  std::vector<KafkaHeader> headers() const;

  const void* message = nullptr;  // the connector's own
};

// A record to be written. The connector copies what the views show.
struct KafkaProducerRecord {
  std::string_view topic;
  std::int32_t partition = -1;  // -1: by the key's hash, or any when there is no key
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;  // none: a tombstone
  Timestamp timestamp = kNoTimestamp;     // none: the time of writing
  const std::vector<KafkaHeader>* headers = nullptr;
};

}  // namespace weir
