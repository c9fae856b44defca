#pragma once

#include <string>

#include "common/ids.h"
#include "common/log.h"
#include "taskmanager/runtime/control_sender.h"
#include "taskmanager/runtime/user_code.h"
#include "taskmanager/task/task_spec.h"
#include "taskmanager/task/task_state.h"

namespace weir {

namespace pb {
class AcknowledgeCheckpoint;
class TaskId;
class TaskMetrics;
}  // namespace pb

// Tells the JobManager, and the log, what becomes of one task.
//
// Thread-safe. The spec and the sender outlive it.
class TaskReporter {
 public:
  TaskReporter(const TaskSpec& spec, ControlSender& sender) : spec_(spec), sender_(sender) {}

  pb::TaskId id() const;
  // REQUIRES: from kDeployed on. `metrics` are sent when the task ends, or its input does: the next
  // heartbeat doesn't know a task that has ended.
  void state_changed(TaskState state, const Failure& failure, const pb::TaskMetrics& metrics);
  void acknowledge(pb::AcknowledgeCheckpoint acknowledge);
  void decline(CheckpointId checkpoint, const std::string& cause);
  LogContext log_context() const;

 private:
  const TaskSpec& spec_;
  ControlSender& sender_;
};

}  // namespace weir
