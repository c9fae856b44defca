#include "connectors/kafka/source/source_coordinator.h"

#include <numeric>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/fault_point.h"
#include "common/status.h"
#include "weir/error.h"

namespace weir::kafka {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kAttemptTimeout{5000};
constexpr milliseconds kPause{100};
constexpr std::chrono::seconds kSubmitPatience{30};

template <typename T>
T value_or_throw(absl::StatusOr<T> result) {
  if (!result.ok()) throw FatalError("KafkaSource: " + std::string(result.status().message()));
  return *std::move(result);
}

}  // namespace

KafkaSourceCoordinator::KafkaSourceCoordinator(KafkaSourceOptions options)
    : options_(std::move(options)) {}

void KafkaSourceCoordinator::open(SourceCoordinatorContext& context) {
  context_ = &context;
  lookup_.emplace(value_or_throw(OffsetLookup::create(options_)));
}

void KafkaSourceCoordinator::retry(const std::function<absl::Status()>& attempt) {
  const auto begin = std::chrono::steady_clock::now();
  while (true) {
    const absl::Status status = attempt();
    if (status.ok()) return;
    const std::string message =
        absl::StrCat("KafkaSource: ", std::string(status.message()), " (bootstrap servers ",
                     options_.bootstrap_servers, ")");
    if (!absl::IsUnavailable(status)) throw FatalError(message);
    const bool submitted = context_->attempt() == 0;
    if (submitted && std::chrono::steady_clock::now() - begin > kSubmitPatience) {
      throw FatalError(message);
    }
    if (context_->cancelled()) throw Error("KafkaSource: the coordinator is cancelled");
    std::this_thread::sleep_for(kPause);
  }
}

void KafkaSourceCoordinator::validate() {
  retry([&] { return lookup_->partitions(kAttemptTimeout).status(); });
}

absl::StatusOr<std::vector<PartitionSplit>> KafkaSourceCoordinator::find_splits(
    const OffsetsInitializer& start) {
  WEIR_ASSIGN_OR_RETURN(const std::vector<KafkaTopicPartition> all,
                        lookup_->partitions(kAttemptTimeout));
  std::vector<KafkaTopicPartition> unknown;
  for (const KafkaTopicPartition& partition : all) {
    if (!known_.contains(partition)) unknown.push_back(partition);
  }
  std::vector<PartitionSplit> splits;
  if (unknown.empty()) return splits;
  WEIR_ASSIGN_OR_RETURN(const PartitionOffsets starts,
                        lookup_->find(start, unknown, kAttemptTimeout));
  PartitionOffsets stops;
  if (options_.bounded) {
    WEIR_ASSIGN_OR_RETURN(stops, lookup_->find(*options_.bounded, unknown, kAttemptTimeout));
  }
  for (const auto& [partition, offset] : starts) {
    const auto stop = stops.find(partition);
    splits.push_back({partition.topic, partition.partition, offset,
                      stop == stops.end() ? kUnbounded : stop->second});
  }
  return splits;
}

std::string KafkaSourceCoordinator::resolve() {
  known_.clear();
  retry([&] {
    WEIR_ASSIGN_OR_RETURN(std::vector<PartitionSplit> splits,
                          find_splits(options_.starting_offsets));
    add(std::move(splits));
    return absl::OkStatus();
  });
  WEIR_FAULT_POINT("source.resolved");
  return encode_source_state(known_splits(), options_.bounded.has_value());
}

void KafkaSourceCoordinator::restore(std::string_view state, std::span<const Split> splits) {
  known_.clear();
  add(value_or_throw(decode_source_state(state)));
  add_positions(splits);
}

void KafkaSourceCoordinator::add_positions(std::span<const Split> splits) {
  std::vector<PartitionSplit> positions;
  for (const Split& split : splits) positions.push_back(value_or_throw(from_split(split)));
  add(std::move(positions));
}

void KafkaSourceCoordinator::start() {
  last_discovery_ = std::chrono::steady_clock::now();
  std::vector<int> all(static_cast<std::size_t>(context_->parallelism()));
  std::iota(all.begin(), all.end(), 0);
  assign(all, known_splits());
}

void KafkaSourceCoordinator::restart_readers(std::span<const int> subtasks,
                                             std::span<const Split> splits) {
  add_positions(splits);
  assign(subtasks, known_splits());
}

void KafkaSourceCoordinator::assign(std::span<const int> subtasks,
                                    const std::vector<PartitionSplit>& splits) {
  std::map<int, std::vector<Split>> by_owner = by_subtask(splits);
  for (const int subtask : subtasks) {
    context_->assign_splits(subtask, std::move(by_owner[subtask]));
    if (options_.bounded) context_->signal_no_more_splits(subtask);
  }
}

std::string KafkaSourceCoordinator::snapshot(std::int64_t /*checkpoint_id*/) {
  return encode_source_state(known_splits(), options_.bounded.has_value());
}

void KafkaSourceCoordinator::tick() {
  const auto now = std::chrono::steady_clock::now();
  if (options_.bounded || options_.partition_discovery_interval.count() == 0 ||
      now - last_discovery_ < options_.partition_discovery_interval) {
    return;
  }
  last_discovery_ = now;
  // What is new is read from its beginning: it wasn't there when the start was decided.
  absl::StatusOr<std::vector<PartitionSplit>> found = find_splits(OffsetsInitializer::earliest());
  context_->set_gauge("partitionDiscoveryFailed", found.ok() ? 0 : 1);
  if (!found.ok()) return;  // the next interval tries again
  for (auto& [subtask, owned] : by_subtask(*found)) {
    context_->assign_splits(subtask, std::move(owned));
  }
  add(*std::move(found));
}

void KafkaSourceCoordinator::add(std::vector<PartitionSplit> splits) {
  for (PartitionSplit& split : splits) {
    known_[{split.topic, split.partition}] = std::move(split);
  }
}

std::map<int, std::vector<Split>> KafkaSourceCoordinator::by_subtask(
    const std::vector<PartitionSplit>& splits) const {
  std::map<int, std::vector<Split>> result;
  for (const PartitionSplit& split : splits) {
    result[owner_of(split.topic, split.partition, context_->parallelism())].push_back(
        to_split(split));
  }
  return result;
}

std::vector<PartitionSplit> KafkaSourceCoordinator::known_splits() const {
  std::vector<PartitionSplit> splits;
  for (const auto& [partition, split] : known_) splits.push_back(split);
  return splits;
}

}  // namespace weir::kafka
