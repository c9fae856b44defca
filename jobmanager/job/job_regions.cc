// The part of the JobController for attempts that restart some regions while the others go on.
#include <algorithm>
#include <map>
#include <utility>

#include "jobmanager/job/job_controller.h"

namespace weir {

void JobController::begin_regions(int32_t slots) {
  const auto restarts = [this](const auto& item) { return machine_.restarts(item.first); };
  std::erase_if(task_states_, restarts);
  std::erase_if(metrics_, restarts);
  for (size_t slot = 0; slot < attempt_.slots.size(); ++slot) {
    if (machine_.slots()[slot].empty()) attempt_.slots[slot] = {};
  }
  if (slots == 0) return;
  environment_.services.request_slots(job_id_, attempt_.attempt, slots,
                                      options_.slot_request_timeout);
}

void JobController::replace_slots(std::vector<GrantedSlot> slots) {
  auto next = slots.begin();
  for (GrantedSlot& slot : attempt_.slots) {
    if (slot.taskmanager.empty() && next != slots.end()) slot = std::move(*next++);
  }
}

std::vector<int32_t> JobController::restarted_subtasks(
    const PlannedCoordinator& coordinator) const {
  std::vector<int32_t> subtasks;
  const int32_t parallelism = plan().vertices()[coordinator.vertex].parallelism;
  for (int32_t subtask = 0; subtask < parallelism; ++subtask) {
    if (machine_.restarts({coordinator.vertex, subtask})) subtasks.push_back(subtask);
  }
  return subtasks;
}

void JobController::cancel_tasks(const std::vector<TaskIndex>& tasks) {
  std::map<std::string, pb::ToTaskManager> messages;
  for (TaskIndex task : tasks) {
    const std::string& taskmanager = attempt_.slots[task.subtask].taskmanager;
    pb::CancelTasks* cancel = messages[taskmanager].mutable_cancel_tasks();
    cancel->set_job_id(job_id_);
    cancel->set_attempt(machine_.attempt().value());
    *cancel->add_tasks() = task_id(attempt_, machine_.attempt_of(task), task);
  }
  for (auto& [taskmanager, message] : messages) send(taskmanager, std::move(message));
  limit_release();
}

void JobController::send_to_attempts(
    const std::set<std::string>& taskmanagers, pb::ToTaskManager message,
    const std::function<void(pb::ToTaskManager&, int32_t)>& set_attempt) {
  for (const std::string& taskmanager : taskmanagers) {
    for (const Attempt attempt : machine_.live_attempts()) {
      set_attempt(message, attempt.value());
      send(taskmanager, message);
    }
  }
}

}  // namespace weir
