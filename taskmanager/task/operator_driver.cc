#include "taskmanager/task/operator_driver.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/checkpoint.pb.h"

namespace weir {
namespace {

using Redistribution = OperatorList::Redistribution;

}  // namespace

std::string keyed_state_name(const TaskSpec& spec, int node) {
  return absl::StrCat("operator", node, "-", spec.subtask, "-", spec.attempt.attempt);
}

OperatorDriver::OperatorDriver(TaskChain::Function& function, const TaskSpec& spec,
                               const std::atomic<bool>& cancelled, Gauges& gauges,
                               std::unique_ptr<KeyedStateBackend> backend,
                               KeyedStateDriver::OnStored on_stored)
    : operator_(*function.function),
      context_(spec.attempt, function.uid, spec.subtask, spec.parallelism, cancelled, gauges),
      restored_(spec.restored_state_of(function.uid)) {
  if (backend == nullptr) return;
  keyed_state_.emplace(operator_, spec, keyed_state_name(spec, function.node), std::move(backend),
                       std::move(on_stored));
}

void OperatorDriver::open(uint64_t generation) {
  context_.set_generation(generation);
  operator_.open(context_);
  if (restored_ == nullptr) return;
  if (keyed_state_) keyed_state_->restore(*restored_);
  if (restored_->lists_size() > 0) restore_lists(*restored_);
}

void OperatorDriver::restore_lists(const pb::OperatorState& state) {
  std::vector<OperatorList> lists;
  for (const pb::OperatorListState& saved : state.lists()) {
    lists.push_back({saved.name(),
                     saved.redistribution() == pb::OperatorListState::UNION
                         ? Redistribution::kUnion
                         : Redistribution::kSplit,
                     {saved.items().begin(), saved.items().end()}});
  }
  operator_.restore_lists(lists);
}

bool OperatorDriver::snapshot(const CheckpointTrigger& trigger, pb::OperatorState& state) {
  state.set_uid(context_.uid());
  state.set_subtask(context_.subtask());
  for (OperatorList& list : operator_.snapshot_lists()) {
    pb::OperatorListState& saved = *state.add_lists();
    saved.set_name(std::move(list.name));
    saved.set_redistribution(list.redistribution == Redistribution::kUnion
                                 ? pb::OperatorListState::UNION
                                 : pb::OperatorListState::SPLIT);
    for (std::string& item : list.items) saved.add_items(std::move(item));
  }
  if (keyed_state_) keyed_state_->begin_snapshot(trigger);
  return keyed_state_ || state.lists_size() > 0;
}

}  // namespace weir
