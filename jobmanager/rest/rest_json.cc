#include "jobmanager/rest/rest_json.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>

#include "common/config_options.h"

namespace weir::rest {

namespace {

// The Flink version whose interface this is.
constexpr char kVersion[] = "2.0.0";
constexpr char kCommit[] = "weir";

constexpr const char* kJobStates[] = {"CREATED",   "FINISHED",     "FAILING",   "RECONCILING",
                                      "FAILED",    "RESTARTING",   "RUNNING",   "CANCELED",
                                      "SUSPENDED", "INITIALIZING", "CANCELLING"};
constexpr const char* kTaskStates[] = {"SCHEDULED", "INITIALIZING", "FINISHED",    "DEPLOYING",
                                       "CANCELING", "CREATED",      "RECONCILING", "RUNNING",
                                       "FAILED",    "CANCELED"};

bool ended(const pb::JobStatus& status) {
  return status.end_time_ms() > 0;
}

int64_t end_time(const pb::JobStatus& status) {
  return ended(status) ? status.end_time_ms() : -1;
}

int64_t duration(const pb::JobStatus& status, int64_t now_ms) {
  return (ended(status) ? status.end_time_ms() : now_ms) - status.start_time_ms();
}

int64_t last_modification(const pb::JobDetails& details) {
  int64_t last = details.status().start_time_ms();
  for (const auto& [state, time] : details.state_times_ms()) last = std::max(last, time);
  return last;
}

int32_t tasks_in(const pb::VertexDetails& vertex, const std::string& state) {
  const auto it = vertex.tasks_by_state().find(state);
  return it == vertex.tasks_by_state().end() ? 0 : it->second;
}

Json task_counts(const pb::VertexDetails& vertex) {
  Json counts;
  for (const char* state : kTaskStates) counts[state] = tasks_in(vertex, state);
  return counts;
}

// The state of the tasks that are furthest from running, as Flink aggregates.
std::string vertex_state(const pb::VertexDetails& vertex) {
  for (const char* state : {"FAILED", "CANCELED", "CREATED", "INITIALIZING", "RUNNING"}) {
    if (tasks_in(vertex, state) > 0) return state;
  }
  return "FINISHED";
}

Json distribution(std::vector<int64_t> values) {
  std::sort(values.begin(), values.end());
  const auto quantile = [&](double q) {
    if (values.empty()) return 0.0;
    const double position = q * static_cast<double>(values.size() - 1);
    const size_t below = static_cast<size_t>(std::floor(position));
    const size_t above = std::min(below + 1, values.size() - 1);
    const double fraction = position - static_cast<double>(below);
    return static_cast<double>(values[below]) * (1 - fraction) +
           static_cast<double>(values[above]) * fraction;
  };
  int64_t sum = 0;
  for (int64_t value : values) sum += value;
  Json json;
  json["min"] = values.empty() ? 0 : values.front();
  json["max"] = values.empty() ? 0 : values.back();
  json["avg"] = values.empty() ? 0 : sum / static_cast<int64_t>(values.size());
  json["p50"] = quantile(0.5);
  json["p90"] = quantile(0.9);
  json["p95"] = quantile(0.95);
  json["p99"] = quantile(0.99);
  json["p999"] = quantile(0.999);
  return json;
}

// Flink writes file:/path.
std::string external_path(const std::string& url) {
  return url.starts_with("file:///") ? "file:" + url.substr(7) : url;
}

Json checkpoint(const pb::CheckpointStatus& status, const std::string& newest_path) {
  const bool completed = status.state() == "COMPLETED";
  Json json;
  json["className"] = completed                    ? "completed"
                      : status.state() == "FAILED" ? "failed"
                                                   : "in_progress";
  json["id"] = status.checkpoint_id();
  json["status"] = status.state();
  json["is_savepoint"] = status.savepoint();
  json["savepointFormat"] = status.savepoint() ? Json("CANONICAL") : Json(nullptr);
  json["trigger_timestamp"] = status.trigger_time_ms();
  json["latest_ack_timestamp"] = status.latest_acknowledgement_ms();
  json["checkpointed_size"] = status.size_bytes();
  json["state_size"] = status.size_bytes();
  json["end_to_end_duration"] = status.end_to_end_duration_ms();
  json["alignment_buffered"] = 0;
  json["processed_data"] = 0;
  json["persisted_data"] = 0;
  json["num_subtasks"] = status.subtasks_total();
  json["num_acknowledged_subtasks"] = status.subtasks_acknowledged();
  json["checkpoint_type"] = !status.savepoint() ? "CHECKPOINT"
                            : status.last()     ? "SYNC_SAVEPOINT"
                                                : "SAVEPOINT";
  json["tasks"] = Json::object();
  if (completed) {
    json["external_path"] = external_path(status.path());
    json["discarded"] = !status.savepoint() && status.path() != newest_path;
  } else if (status.state() == "FAILED") {
    json["failure_timestamp"] = status.trigger_time_ms() + status.end_to_end_duration_ms();
    json["failure_message"] = status.failure();
  }
  return json;
}

}  // namespace

Json errors(const std::string& message) {
  return Json{{"errors", Json::array({message})}};
}

Json overview(const std::vector<pb::JobDetails>& jobs, const std::vector<TaskManagerInfo>& tms) {
  int32_t slots = 0;
  int32_t free = 0;
  for (const TaskManagerInfo& tm : tms) {
    slots += tm.slots;
    free += tm.slots_free;
  }
  const auto count = [&](const std::string& state) {
    return std::count_if(jobs.begin(), jobs.end(), [&](const pb::JobDetails& details) {
      return details.status().state() == state;
    });
  };
  const auto all_ended = std::count_if(jobs.begin(), jobs.end(), [](const pb::JobDetails& details) {
    return ended(details.status());
  });
  Json json;
  json["taskmanagers"] = tms.size();
  json["slots-total"] = slots;
  json["slots-available"] = free;
  json["jobs-running"] = static_cast<int64_t>(jobs.size()) - all_ended - count("SUSPENDED");
  json["jobs-finished"] = count("FINISHED");
  json["jobs-cancelled"] = count("CANCELED");
  json["jobs-failed"] = count("FAILED");
  json["flink-version"] = kVersion;
  json["flink-commit"] = kCommit;
  return json;
}

Json config() {
  Json json;
  json["refresh-interval"] = 3000;
  json["timezone-name"] = "Coordinated Universal Time";
  json["timezone-offset"] = 0;
  json["flink-version"] = kVersion;
  json["flink-revision"] = kCommit;
  json["features"] = {
      {"web-submit", false}, {"web-cancel", true}, {"web-rescale", false}, {"web-history", false}};
  return json;
}

Json jobs(const std::vector<pb::JobDetails>& jobs) {
  Json list = Json::array();
  for (const pb::JobDetails& details : jobs) {
    list.push_back({{"id", details.status().job_id()}, {"status", details.status().state()}});
  }
  return Json{{"jobs", list}};
}

Json jobs_overview(const std::vector<pb::JobDetails>& jobs, int64_t now_ms) {
  Json list = Json::array();
  for (const pb::JobDetails& details : jobs) {
    const pb::JobStatus& status = details.status();
    Json json;
    json["jid"] = status.job_id();
    json["name"] = status.name();
    json["start-time"] = status.start_time_ms();
    json["end-time"] = end_time(status);
    json["duration"] = duration(status, now_ms);
    json["state"] = status.state();
    json["last-modification"] = last_modification(details);
    Json& tasks = json["tasks"];
    for (const char* state : {"running", "canceling", "canceled", "total", "created", "scheduled",
                              "deploying", "reconciling", "finished", "initializing", "failed"}) {
      std::string upper = state;
      std::transform(upper.begin(), upper.end(), upper.begin(), ::toupper);
      int32_t count = 0;
      for (const pb::VertexDetails& vertex : details.vertices()) {
        count += upper == "TOTAL" ? vertex.parallelism() : tasks_in(vertex, upper);
      }
      tasks[state] = count;
    }
    json["pending-operators"] = 0;
    list.push_back(std::move(json));
  }
  return Json{{"jobs", list}};
}

Json job_plan(const pb::JobDetails& details) {
  Json plan;
  plan["jid"] = details.status().job_id();
  plan["name"] = details.status().name();
  plan["type"] = "STREAMING";
  plan["nodes"] = Json::array();
  for (const pb::VertexDetails& vertex : details.vertices()) {
    Json node;
    node["id"] = vertex.id();
    node["parallelism"] = vertex.parallelism();
    node["operator"] = "";
    node["operator_strategy"] = "";
    node["description"] = vertex.name() + "<br/>";
    node["optimizer_properties"] = Json::object();
    plan["nodes"].push_back(std::move(node));
  }
  return Json{{"plan", plan}};
}

Json job(const pb::JobDetails& details, int64_t now_ms) {
  const pb::JobStatus& status = details.status();
  Json json;
  json["jid"] = status.job_id();
  json["name"] = status.name();
  json["isStoppable"] = false;
  json["state"] = status.state();
  json["job-type"] = "STREAMING";
  json["start-time"] = status.start_time_ms();
  json["end-time"] = end_time(status);
  json["duration"] = duration(status, now_ms);
  json["maxParallelism"] = -1;
  json["now"] = now_ms;
  Json& timestamps = json["timestamps"];
  for (const char* state : kJobStates) {
    const auto time = details.state_times_ms().find(state);
    timestamps[state] = time == details.state_times_ms().end() ? 0 : time->second;
  }
  timestamps["INITIALIZING"] = status.start_time_ms();
  json["vertices"] = Json::array();
  std::map<std::string, int> by_state;
  for (const pb::VertexDetails& vertex : details.vertices()) {
    Json shown;
    shown["id"] = vertex.id();
    shown["slotSharingGroupId"] = details.vertices(0).id();  // all chains share the slots
    shown["name"] = vertex.name();
    shown["maxParallelism"] = 128;
    shown["parallelism"] = vertex.parallelism();
    shown["status"] = vertex_state(vertex);
    shown["start-time"] = vertex.start_time_ms();
    shown["end-time"] = end_time(status);
    shown["duration"] = std::max<int64_t>(
        0, (ended(status) ? status.end_time_ms() : now_ms) - vertex.start_time_ms());
    shown["tasks"] = task_counts(vertex);
    shown["metrics"] = {{"read-bytes", vertex.bytes_in()},
                        {"read-bytes-complete", true},
                        {"write-bytes", vertex.bytes_out()},
                        {"write-bytes-complete", true},
                        {"read-records", vertex.records_in()},
                        {"read-records-complete", true},
                        {"write-records", vertex.records_out()},
                        {"write-records-complete", true},
                        {"accumulated-backpressured-time", vertex.backpressured_ms()},
                        {"accumulated-idle-time", vertex.idle_ms()},
                        {"accumulated-busy-time", static_cast<double>(vertex.busy_ms())}};
    ++by_state[vertex_state(vertex)];
    json["vertices"].push_back(std::move(shown));
  }
  for (const char* state : kTaskStates) json["status-counts"][state] = by_state[state];
  json["plan"] = job_plan(details)["plan"];
  json["pending-operators"] = 0;
  return json;
}

Json job_config(const pb::JobDetails& details) {
  int32_t parallelism = 1;
  for (const pb::VertexDetails& vertex : details.vertices()) {
    parallelism = std::max(parallelism, vertex.parallelism());
  }
  const auto strategy = details.configuration().find("restart-strategy.type");
  Json execution;
  execution["restart-strategy"] = strategy == details.configuration().end()
                                      ? "Cluster level default restart strategy"
                                      : strategy->second;
  execution["job-parallelism"] = parallelism;
  execution["object-reuse-mode"] = false;
  execution["user-config"] = Json::object();
  return Json{{"jid", details.status().job_id()},
              {"name", details.status().name()},
              {"execution-config", execution}};
}

Json job_exceptions(const pb::JobDetails& details) {
  Json entries = Json::array();
  const auto add = [&](const pb::Fault& fault) {
    Json entry;
    entry["exceptionName"] = fault.where();
    entry["stacktrace"] = fault.cause();
    entry["timestamp"] = fault.time_ms();
    entry["taskName"] = fault.where();
    entry["failureLabels"] = Json::object();
    entry["concurrentExceptions"] = Json::array();
    entries.push_back(std::move(entry));
  };
  const pb::JobStatus& status = details.status();
  if (status.has_last_fault()) add(status.last_fault());
  if (status.has_first_fault() && status.first_fault().time_ms() != status.last_fault().time_ms()) {
    add(status.first_fault());
  }
  return Json{{"exceptionHistory", {{"entries", entries}, {"truncated", false}}}};
}

Json checkpoints(const pb::JobDetails& details) {
  const pb::CheckpointCounts& counts = details.checkpoint_counts();
  const std::string& newest = details.recovery_point().path();
  Json json;
  json["counts"] = {{"restored", counts.restored()},
                    {"total", counts.total()},
                    {"in_progress", counts.in_progress()},
                    {"completed", counts.completed()},
                    {"failed", counts.failed()}};
  std::vector<int64_t> sizes;
  std::vector<int64_t> durations;
  Json completed;
  Json savepoint;
  Json failed;
  Json history = Json::array();
  for (const pb::CheckpointStatus& status : details.checkpoints()) {
    Json shown = checkpoint(status, newest);
    if (status.state() == "COMPLETED") {
      sizes.push_back(static_cast<int64_t>(status.size_bytes()));
      durations.push_back(status.end_to_end_duration_ms());
      Json& latest = status.savepoint() ? savepoint : completed;
      if (latest.is_null()) latest = shown;
    } else if (status.state() == "FAILED" && failed.is_null()) {
      failed = shown;
    }
    history.push_back(std::move(shown));
  }
  const std::vector<int64_t> zeros(sizes.size(), 0);
  json["summary"] = {
      {"checkpointed_size", distribution(sizes)},       {"state_size", distribution(sizes)},
      {"end_to_end_duration", distribution(durations)}, {"alignment_buffered", distribution(zeros)},
      {"processed_data", distribution(zeros)},          {"persisted_data", distribution(zeros)}};
  Json restored;
  if (details.has_restored()) {
    restored = {{"id", details.restored().checkpoint_id()},
                {"restore_timestamp", details.restored_time_ms()},
                {"is_savepoint", details.restored().savepoint()},
                {"external_path", external_path(details.restored().path())}};
  }
  json["latest"] = {{"completed", completed},
                    {"savepoint", savepoint},
                    {"failed", failed},
                    {"restored", restored}};
  json["history"] = std::move(history);
  return json;
}

Json checkpoint_config(const pb::JobDetails& details) {
  Config config;
  for (const auto& [key, value] : details.configuration()) (void)config.set(key, value);
  const std::string retention = config.get(options::kCheckpointRetention);
  Json json;
  json["mode"] =
      config.get(options::kCheckpointMode) == "EXACTLY_ONCE" ? "exactly_once" : "at_least_once";
  json["interval"] = config.get(options::kCheckpointInterval).count();
  json["timeout"] = config.get(options::kCheckpointTimeout).count();
  json["min_pause"] = config.get(options::kCheckpointMinPause).count();
  json["max_concurrent"] = config.get(options::kMaxConcurrentCheckpoints);
  json["externalization"] = {{"enabled", retention != "NO_EXTERNALIZED_CHECKPOINTS"},
                             {"delete_on_cancellation", retention != "RETAIN_ON_CANCELLATION"}};
  json["state_backend"] = config.get(options::kStateBackend);
  json["checkpoint_storage"] = "FileSystemCheckpointStorage";
  json["unaligned_checkpoints"] = config.get(options::kUnalignedCheckpoints);
  json["tolerable_failed_checkpoints"] = config.get(options::kTolerableFailedCheckpoints);
  json["aligned_checkpoint_timeout"] = config.get(options::kAlignedCheckpointTimeout).count();
  json["checkpoints_after_tasks_finish"] = true;
  json["state_changelog_enabled"] = false;
  json["changelog_periodic_materialization_interval"] = 600000;
  json["changelog_storage"] = "memory";
  return json;
}

Json taskmanagers(const std::vector<TaskManagerInfo>& tms) {
  const auto resource = [](double cores) {
    return Json{{"cpuCores", cores},  {"taskHeapMemory", 0}, {"taskOffHeapMemory", 0},
                {"managedMemory", 0}, {"networkMemory", 0},  {"extendedResources", Json::object()}};
  };
  Json list = Json::array();
  for (const TaskManagerInfo& tm : tms) {
    Json json;
    json["id"] = tm.id;
    json["path"] = tm.host;
    json["dataPort"] = -1;
    json["jmxPort"] = -1;
    json["timeSinceLastHeartbeat"] = tm.last_heartbeat_ms;
    json["slotsNumber"] = tm.slots;
    json["freeSlots"] = tm.slots_free;
    json["totalResource"] = resource(tm.slots);
    json["freeResource"] = resource(tm.slots_free);
    json["hardware"] = {
        {"cpuCores", tm.slots}, {"physicalMemory", 0}, {"freeMemory", 0}, {"managedMemory", 0}};
    json["memoryConfiguration"] = {{"frameworkHeap", 0},
                                   {"taskHeap", 0},
                                   {"frameworkOffHeap", 0},
                                   {"taskOffHeap", 0},
                                   {"networkMemory", 0},
                                   {"managedMemory", 0},
                                   {"jvmMetaspace", 0},
                                   {"jvmOverhead", 0},
                                   {"totalFlinkMemory", tm.memory_bytes},
                                   {"totalProcessMemory", tm.memory_bytes}};
    list.push_back(std::move(json));
  }
  return Json{{"taskmanagers", list}};
}

}  // namespace weir::rest
