#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "connectors/kafka/source/offset_lookup.h"
#include "connectors/kafka/source/partition_split.h"
#include "weir/kafka/source.h"
#include "weir/source.h"

namespace weir::kafka {

// Decides which partitions a source has, where each starts and ends, and which subtask reads it.
// Confined to its thread.
class KafkaSourceCoordinator final : public SourceCoordinator {
 public:
  explicit KafkaSourceCoordinator(KafkaSourceOptions options);

  void open(SourceCoordinatorContext& context) override;
  void validate() override;
  std::string resolve() override;
  void restore(std::string_view state, std::span<const Split> splits) override;
  void start() override;
  bool restarts_readers() const override { return true; }
  void restart_readers(std::span<const int> subtasks, std::span<const Split> splits) override;
  std::string snapshot(std::int64_t checkpoint_id) override;
  void tick() override;

 private:
  // Calls `attempt` until it is OK. Gives up with an exception when the task is cancelled, on an
  // error that stays, and when a job that is being submitted has waited long enough.
  void retry(const std::function<absl::Status()>& attempt);
  // Splits of partitions not known yet, starting by `start`.
  absl::StatusOr<std::vector<PartitionSplit>> find_splits(const OffsetsInitializer& start);
  void add(std::vector<PartitionSplit> splits);
  void add_positions(std::span<const Split> splits);
  std::map<int, std::vector<Split>> by_subtask(const std::vector<PartitionSplit>& splits) const;
  // What they own, of these; those that have none are told so.
  void assign(std::span<const int> subtasks, const std::vector<PartitionSplit>& splits);
  std::vector<PartitionSplit> known_splits() const;

  const KafkaSourceOptions options_;
  SourceCoordinatorContext* context_ = nullptr;
  std::optional<OffsetLookup> lookup_;
  std::map<KafkaTopicPartition, PartitionSplit> known_;
  std::chrono::steady_clock::time_point last_discovery_;
};

}  // namespace weir::kafka
