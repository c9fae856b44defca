#include "jobmanager/rest/cluster_json.h"

#include <algorithm>
#include <ctime>
#include <set>
#include <utility>

#include "jobmanager/rest/job_json.h"

namespace weir::rest {

namespace {

// The version whose interface this is; clients choose by it what they ask.
constexpr char kFlinkVersion[] = "2.0.0";
// What Flink shows when it doesn't know.
constexpr char kUnknown[] = "<unknown>";
constexpr int kRefreshIntervalMs = 3000;

// Slots have no share of the machine: Flink's figures of unlimited resources would be invented.
Json no_resource() {
  return {{"cpuCores", 0.0},    {"taskHeapMemory", 0}, {"taskOffHeapMemory", 0},
          {"managedMemory", 0}, {"networkMemory", 0},  {"extendedResources", Json::object()}};
}

Json show(const TaskManagerInfo& taskmanager) {
  return {{"id", taskmanager.id},
          {"path", taskmanager.host},
          {"dataPort", -1},
          {"jmxPort", -1},
          {"timeSinceLastHeartbeat", taskmanager.last_heartbeat_ms},  // a time, also in Flink
          {"slotsNumber", taskmanager.slots},
          {"freeSlots", taskmanager.slots_free},
          {"totalResource", no_resource()},
          {"freeResource", no_resource()},
          {"hardware",
           {{"cpuCores", 0}, {"physicalMemory", 0}, {"freeMemory", 0}, {"managedMemory", 0}}},
          {"memoryConfiguration",
           {{"frameworkHeap", 0},
            {"taskHeap", 0},
            {"frameworkOffHeap", 0},
            {"taskOffHeap", 0},
            {"networkMemory", 0},
            {"managedMemory", 0},
            {"jvmMetaspace", 0},
            {"jvmOverhead", 0},
            {"totalFlinkMemory", 0},
            {"totalProcessMemory", 0}}}};
}

// One slot runs one subtask of every chain: as many slots as different subtasks.
size_t slots_held(const pb::JobDetails& job, const std::string& taskmanager_id) {
  if (has_ended(job.status())) return 0;
  std::set<int32_t> subtasks;
  for (const pb::VertexDetails& vertex : job.vertices()) {
    for (const pb::SubtaskDetails& subtask : vertex.subtasks()) {
      if (subtask.taskmanager_id() == taskmanager_id) subtasks.insert(subtask.subtask());
    }
  }
  return subtasks.size();
}

}  // namespace

Json overview_body(const std::vector<pb::JobDetails>& jobs,
                   const std::vector<TaskManagerInfo>& taskmanagers) {
  int64_t slots = 0;
  int64_t slots_free = 0;
  for (const TaskManagerInfo& taskmanager : taskmanagers) {
    slots += taskmanager.slots;
    slots_free += taskmanager.slots_free;
  }
  const auto count = [&](const std::string& state) {
    return std::count_if(jobs.begin(), jobs.end(),
                         [&](const pb::JobDetails& job) { return job.status().state() == state; });
  };
  const auto ended = std::count_if(
      jobs.begin(), jobs.end(), [](const pb::JobDetails& job) { return has_ended(job.status()); });
  return {{"taskmanagers", taskmanagers.size()},
          {"slots-total", slots},
          {"slots-available", slots_free},
          {"jobs-running", static_cast<int64_t>(jobs.size()) - ended},
          {"jobs-finished", count("FINISHED")},
          {"jobs-cancelled", count("CANCELED")},
          {"jobs-failed", count("FAILED")},
          {"flink-version", kFlinkVersion},
          {"flink-commit", kUnknown}};
}

Json config_body() {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  ::localtime_r(&now, &local);
  return {{"refresh-interval", kRefreshIntervalMs},
          {"timezone-name", local.tm_zone},
          {"timezone-offset", local.tm_gmtoff * 1000},
          {"flink-version", kFlinkVersion},
          {"flink-revision", kUnknown},
          {"features",
           {{"web-submit", false},
            {"web-cancel", true},
            {"web-rescale", false},
            {"web-history", false}}}};
}

Json jobmanager_config_body(const std::map<std::string, std::string>& configuration) {
  Json list = Json::array();
  for (const auto& [key, value] : configuration) list.push_back({{"key", key}, {"value", value}});
  return list;
}

Json taskmanagers_body(const std::vector<TaskManagerInfo>& taskmanagers) {
  Json list = Json::array();
  for (const TaskManagerInfo& taskmanager : taskmanagers) list.push_back(show(taskmanager));
  return {{"taskmanagers", std::move(list)}};
}

Json taskmanager_body(const TaskManagerInfo& taskmanager, const std::vector<pb::JobDetails>& jobs) {
  Json slots = Json::array();
  for (const pb::JobDetails& job : jobs) {
    for (size_t slot = slots_held(job, taskmanager.id); slot > 0; --slot) {
      slots.push_back({{"jobId", job.status().job_id()}, {"resource", no_resource()}});
    }
  }
  Json body = show(taskmanager);
  body["allocatedSlots"] = std::move(slots);
  // A JVM's.
  body["metrics"] = {{"heapUsed", 0},
                     {"heapCommitted", 0},
                     {"heapMax", -1},
                     {"nonHeapUsed", 0},
                     {"nonHeapCommitted", 0},
                     {"nonHeapMax", -1},
                     {"directCount", 0},
                     {"directUsed", 0},
                     {"directMax", 0},
                     {"mappedCount", 0},
                     {"mappedUsed", 0},
                     {"mappedMax", 0},
                     {"nettyShuffleMemorySegmentsAvailable", 0},
                     {"nettyShuffleMemorySegmentsUsed", 0},
                     {"nettyShuffleMemorySegmentsTotal", 0},
                     {"nettyShuffleMemoryAvailable", 0},
                     {"nettyShuffleMemoryUsed", 0},
                     {"nettyShuffleMemoryTotal", 0},
                     {"garbageCollectors", Json::array()}};
  return body;
}

}  // namespace weir::rest
