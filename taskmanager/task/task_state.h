#pragma once

#include <string_view>

namespace weir {

// The life of a task; README.md has the diagram. What the JobManager hears of are the states from
// kDeployed on.
enum class TaskState {
  kBuilding,  // the entry point runs, the chain is made
  kDeployed,  // waits for the coordinators' recovery
  // Feeds what was in flight when the restored checkpoint was taken. Only when all of it is in
  // state and sinks may the next checkpoint be triggered. Not reported: to the JobManager it's
  // DEPLOYED.
  kInitializing,
  kRunning,
  kDrained,  // end of input: still takes part in checkpoints
  kCanceled,
  kFailed,
};

bool can_transition(TaskState from, TaskState to);
inline bool is_terminal(TaskState state) {
  return state >= TaskState::kCanceled;
}
std::string_view to_string(TaskState state);

}  // namespace weir
