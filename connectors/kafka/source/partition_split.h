#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "weir/source.h"

namespace weir::kafka {

constexpr std::int64_t kUnbounded = -1;

// A partition and how far it is read.
struct PartitionSplit {
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t next_offset = 0;
  std::int64_t stop_offset = kUnbounded;  // exclusive

  bool finished() const { return stop_offset != kUnbounded && next_offset >= stop_offset; }
  bool operator==(const PartitionSplit&) const = default;
};

// "orders-3"
std::string split_id(std::string_view topic, std::int32_t partition);

Split to_split(const PartitionSplit& split);
// DataLoss if it isn't of a format that this version reads.
absl::StatusOr<PartitionSplit> from_split(const Split& split);

// The coordinator's state: every partition known, where it began.
std::string encode_source_state(const std::vector<PartitionSplit>& splits, bool bounded);
absl::StatusOr<std::vector<PartitionSplit>> decode_source_state(std::string_view state);

// Which subtask reads a partition: a topic's partitions go round, from a subtask that its name
// decides, so that several small topics don't all begin at the first.
int owner_of(std::string_view topic, std::int32_t partition, int parallelism);

}  // namespace weir::kafka
