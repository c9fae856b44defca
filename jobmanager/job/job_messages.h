// What the JobManager tells TaskManagers about an attempt. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "jobmanager/checkpoint/transaction_ledger.h"
#include "jobmanager/plan/job_plan.h"
#include "proto/checkpoint.pb.h"
#include "proto/control.pb.h"
#include "proto/job_record.pb.h"

namespace weir {

// One slot of an attempt.
struct GrantedSlot {
  std::string taskmanager;
  std::string data_address;  // "host:port" where others fetch its tasks' records
};

// An attempt as its messages name it, where it runs, and what it is restored from.
struct AttemptDescription {
  std::string job_id;
  Attempt attempt;
  Attempt coordinators;            // the same, unless only regions restart
  std::vector<GrantedSlot> slots;  // slot i runs the subtasks i; coordinators run at the first
  int32_t max_parallelism = 1;
  Generation generation;
  Generation first_generation;  // of the coordinators' attempt
  std::optional<pb::CheckpointManifest> restored;
};

// `attempt`: in which it runs.
pb::TaskId task_id(const AttemptDescription& description, Attempt attempt, TaskIndex task);
// Of a task that the attempt starts.
pb::TaskId task_id(const AttemptDescription& attempt, TaskIndex task);
pb::CoordinatorId coordinator_id(const AttemptDescription& attempt, const std::string& uid);

// REQUIRES: a slot for every subtask.
pb::DeployTask deploy_task(const AttemptDescription& attempt, const JobPlan& plan,
                           const pb::JobGraph& graph, TaskIndex task);

// `record` knows what sources without a checkpoint had resolved. Sinks are told what the ledger
// knows; a committable that is known to be lost isn't given to them again.
pb::RecoverCoordinator recover_coordinator(const AttemptDescription& attempt,
                                           const PlannedCoordinator& coordinator,
                                           const pb::JobRecord& record,
                                           const TransactionLedger& ledger);

// The same for some of its subtasks only, whose tasks begin anew while it runs.
pb::RecoverCoordinator recover_subtasks(const AttemptDescription& attempt,
                                        const PlannedCoordinator& coordinator,
                                        const TransactionLedger& ledger,
                                        const std::vector<int32_t>& subtasks);

// DataLoss, describing the first one, if the restored checkpoint carries a transaction that the
// ledger knows to be lost.
absl::Status check_nothing_lost(const pb::CheckpointManifest& manifest,
                                const TransactionLedger& ledger);

// "checkpoint 12: transaction x of 'out' is lost: orders-3 offsets 5 to 10 (6 records): why"
std::string describe_loss(const std::string& sink_uid, const pb::Committable& committable,
                          const std::string& why);

}  // namespace weir
