#include "taskmanager/task/task_state.h"

namespace weir {

bool can_transition(TaskState from, TaskState to) {
  switch (to) {
    case TaskState::kBuilding:
      return false;
    case TaskState::kDeployed:
      return from == TaskState::kBuilding;
    case TaskState::kInitializing:
      return from == TaskState::kDeployed;
    case TaskState::kRunning:
      return from == TaskState::kDeployed || from == TaskState::kInitializing;
    case TaskState::kDrained:
      return from == TaskState::kRunning;
    case TaskState::kCanceled:
    case TaskState::kFailed:
      return !is_terminal(from);
  }
  return false;
}

std::string_view to_string(TaskState state) {
  switch (state) {
    case TaskState::kBuilding:
      return "BUILDING";
    case TaskState::kDeployed:
      return "DEPLOYED";
    case TaskState::kInitializing:
      return "INITIALIZING";
    case TaskState::kRunning:
      return "RUNNING";
    case TaskState::kDrained:
      return "DRAINED";
    case TaskState::kCanceled:
      return "CANCELED";
    case TaskState::kFailed:
      return "FAILED";
  }
  return "?";
}

}  // namespace weir
