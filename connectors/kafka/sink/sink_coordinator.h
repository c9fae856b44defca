#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "connectors/kafka/protocol/transaction_admin.h"
#include "connectors/kafka/sink/missing_markers.h"
#include "connectors/kafka/sink/recovery_plan.h"
#include "weir/kafka/sink.h"
#include "weir/sink.h"

namespace weir::kafka {

// Checks the sink against its brokers, and recovers it before its writers open: commits what the
// restored checkpoint holds, then fences what smaller generations left. It does so for every
// delivery guarantee, because a job may have been restored from a checkpoint that was taken with
// exactly-once or under another prefix. Confined to its thread.
class KafkaSinkCoordinator final : public SinkCoordinator {
 public:
  explicit KafkaSinkCoordinator(KafkaSinkOptions options);

  void open(RuntimeContext& context) override;
  SinkValidation validate() override;
  void recover(const SinkRecovery& recovery, const CommitReport& report) override;
  // Ids name their subtask and generation.
  bool recovers_subtasks() const override { return true; }
  void sweep() override;

 private:
  bool exactly_once() const {
    return options_.delivery_guarantee == DeliveryGuarantee::kExactlyOnce;
  }
  // Calls `attempt` until it is OK. Gives up with an exception when the task is cancelled, on an
  // error that stays, and after `patience`, if there is one.
  void retry(std::string_view what, std::optional<std::chrono::milliseconds> patience,
             const std::function<absl::Status()>& attempt);
  void pause(std::chrono::milliseconds duration);
  // Of all, if there are none.
  void forget_recoveries_of(const std::vector<int>& subtasks);

  void check_topic(const protocol::ClusterMetadata& cluster);
  void check_timeout(const protocol::ClusterMetadata& cluster);
  std::vector<std::string> list_ids(const std::vector<protocol::TransactionState>& states,
                                    std::optional<std::chrono::milliseconds> patience);
  void commit_all(const std::vector<std::size_t>& indices, const SinkRecovery& recovery,
                  const CommitReport& report);
  // Plans with these ids, which the brokers show, and fences what the plan says.
  void fence_listed(RecoveryInput& input, const std::vector<std::string>& listed_ids);
  void fence(const std::vector<std::string>& ids);
  absl::Status fence_once(const std::string& transactional_id);
  protocol::TransactionDescription describe(const std::string& transactional_id);
  void ensure_closed(const std::vector<DecidedTransaction>& transactions);
  // Of the sink's topic, as far as one is set for all records.
  std::set<protocol::TopicPartition> partitions_of_topic();

  const KafkaSinkOptions options_;
  RuntimeContext* context_ = nullptr;
  std::unique_ptr<protocol::TransactionAdmin> admin_;
  // What the recoveries were about, used again by sweep(): one per prefix that this sink writes or
  // wrote under, and one for each recovery of some subtasks, unless a later one has them all.
  std::vector<RecoveryInput> recovered_;
  std::set<protocol::TopicPartition> partitions_;  // known to have been written to
};

}  // namespace weir::kafka
