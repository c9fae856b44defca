#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

namespace weir {

struct KafkaTopicPartition {
  std::string topic;
  std::int32_t partition = 0;

  auto operator<=>(const KafkaTopicPartition&) const = default;
};

// Where to read from when there is no offset to go on from. kNone fails the job instead.
enum class OffsetReset { kEarliest, kLatest, kNone };

// Where a source starts or, if bounded, ends in each partition. It is looked up once, when the job
// starts for the first time; from then on the checkpoints know.
class OffsetsInitializer {
 public:
  enum class Kind { kEarliest, kLatest, kCommitted, kTimestamp, kOffsets };

  static OffsetsInitializer earliest() { return OffsetsInitializer(Kind::kEarliest); }
  static OffsetsInitializer latest() { return OffsetsInitializer(Kind::kLatest); }
  // What the source's group has committed; `reset` is for partitions without.
  static OffsetsInitializer committed_offsets(OffsetReset reset = OffsetReset::kNone) {
    OffsetsInitializer result(Kind::kCommitted);
    result.reset_ = reset;
    return result;
  }
  // The first record whose timestamp is `timestamp_ms` (since the epoch) or later; the end if there
  // is none.
  static OffsetsInitializer timestamp(std::int64_t timestamp_ms) {
    OffsetsInitializer result(Kind::kTimestamp);
    result.timestamp_ms_ = timestamp_ms;
    return result;
  }
  // `reset` is for partitions that aren't named.
  static OffsetsInitializer offsets(std::map<KafkaTopicPartition, std::int64_t> offsets,
                                    OffsetReset reset = OffsetReset::kEarliest) {
    OffsetsInitializer result(Kind::kOffsets);
    result.offsets_ = std::move(offsets);
    result.reset_ = reset;
    return result;
  }

  Kind kind() const { return kind_; }
  OffsetReset reset() const { return reset_; }
  std::int64_t timestamp_ms() const { return timestamp_ms_; }
  const std::map<KafkaTopicPartition, std::int64_t>& offset_map() const { return offsets_; }

 private:
  explicit OffsetsInitializer(Kind kind) : kind_(kind) {}

  Kind kind_;
  OffsetReset reset_ = OffsetReset::kNone;
  std::int64_t timestamp_ms_ = 0;
  std::map<KafkaTopicPartition, std::int64_t> offsets_;
};

}  // namespace weir
