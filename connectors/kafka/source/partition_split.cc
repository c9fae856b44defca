#include "connectors/kafka/source/partition_split.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/kafka.pb.h"

namespace weir::kafka {
namespace {

constexpr std::uint32_t kFormatVersion = 1;

void to_proto(const PartitionSplit& split, pb::KafkaSplitState* state) {
  state->set_format_version(kFormatVersion);
  state->set_topic(split.topic);
  state->set_partition(split.partition);
  state->set_next_offset(split.next_offset);
  state->set_stop_offset(split.stop_offset);
}

PartitionSplit from_proto(const pb::KafkaSplitState& state) {
  return {state.topic(), state.partition(), state.next_offset(), state.stop_offset()};
}

}  // namespace

std::string split_id(std::string_view topic, std::int32_t partition) {
  return absl::StrCat(std::string(topic), "-", partition);
}

Split to_split(const PartitionSplit& split) {
  pb::KafkaSplitState state;
  to_proto(split, &state);
  return {split_id(split.topic, split.partition), state.SerializeAsString()};
}

absl::StatusOr<PartitionSplit> from_split(const Split& split) {
  pb::KafkaSplitState state;
  if (!state.ParseFromString(split.state) || state.format_version() != kFormatVersion) {
    return absl::DataLossError(
        absl::StrCat("the split '", split.id, "' isn't one of Kafka's, format ", kFormatVersion));
  }
  return from_proto(state);
}

std::string encode_source_state(const std::vector<PartitionSplit>& splits, bool bounded) {
  pb::KafkaSourceState state;
  state.set_format_version(kFormatVersion);
  state.set_bounded(bounded);
  for (const PartitionSplit& split : splits) to_proto(split, state.add_splits());
  return state.SerializeAsString();
}

absl::StatusOr<std::vector<PartitionSplit>> decode_source_state(std::string_view state) {
  pb::KafkaSourceState decoded;
  if (!decoded.ParseFromString(std::string(state)) || decoded.format_version() != kFormatVersion) {
    return absl::DataLossError(
        absl::StrCat("the source's state isn't one of Kafka's, format ", kFormatVersion));
  }
  std::vector<PartitionSplit> splits;
  for (const pb::KafkaSplitState& split : decoded.splits()) splits.push_back(from_proto(split));
  return splits;
}

int owner_of(std::string_view topic, std::int32_t partition, int parallelism) {
  std::uint32_t hash = 2166136261;  // FNV-1a: the same in every process
  for (const char letter : topic) hash = (hash ^ static_cast<unsigned char>(letter)) * 16777619;
  return static_cast<int>((std::uint64_t{hash} + static_cast<std::uint64_t>(partition)) %
                          static_cast<std::uint64_t>(parallelism));
}

}  // namespace weir::kafka
