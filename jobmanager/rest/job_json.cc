#include "jobmanager/rest/job_json.h"

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "jobmanager/rest/vertex_json.h"

namespace weir::rest {

namespace {

int64_t last_modification_ms(const pb::JobDetails& job) {
  int64_t last = std::max(job.status().start_time_ms(), job.status().end_time_ms());
  for (const auto& [state, time_ms] : job.state_times_ms()) last = std::max(last, time_ms);
  return last;
}

// "A -> B" as Flink's "A<br/>+- B<br/>", every operator one step deeper.
std::string description_of(const std::string& chain_name) {
  std::string description;
  std::string indentation;
  for (absl::string_view operator_name : absl::StrSplit(chain_name, " -> ")) {
    if (!description.empty()) {
      absl::StrAppend(&description, indentation, "+- ");
      absl::StrAppend(&indentation, "   ");
    }
    absl::StrAppend(&description, operator_name, "<br/>");
  }
  return description;
}

Json inputs_of(const pb::VertexDetails& vertex) {
  Json inputs = Json::array();
  for (const pb::VertexInput& input : vertex.inputs()) {
    inputs.push_back({{"num", inputs.size()},
                      {"id", input.vertex_id()},
                      {"ship_strategy", input.ship_strategy()},
                      {"exchange", "pipelined_bounded"}});
  }
  return inputs;
}

Json plan_of(const pb::JobDetails& job) {
  Json nodes = Json::array();
  for (const pb::VertexDetails& vertex : job.vertices()) {
    Json node = {{"id", vertex.id()},
                 {"parallelism", vertex.parallelism()},
                 {"operator", ""},
                 {"operator_strategy", ""},
                 {"description", description_of(vertex.name())},
                 {"optimizer_properties", Json::object()}};
    // Sources have no "inputs" at all.
    if (vertex.inputs_size() > 0) node["inputs"] = inputs_of(vertex);
    nodes.push_back(std::move(node));
  }
  return {{"jid", job.status().job_id()},
          {"name", job.status().name()},
          {"type", "STREAMING"},
          {"nodes", std::move(nodes)}};
}

// Null for what the fault doesn't belong to.
Json text_or_null(absl::string_view text) {
  return text.empty() ? Json(nullptr) : Json(std::string(text));
}

Json fault_entry(const pb::Fault& fault) {
  // "<task> on <TaskManager>", "TaskManager <TaskManager>" or something else.
  absl::string_view task = fault.where();
  std::string taskmanager;
  if (const size_t on = task.find(" on "); on != absl::string_view::npos) {
    taskmanager = std::string(task.substr(on + 4));
    task = task.substr(0, on);
  } else if (absl::ConsumePrefix(&task, "TaskManager ")) {
    taskmanager = std::string(std::exchange(task, ""));
  }
  return {{"exceptionName", fault.cause().substr(0, fault.cause().find('\n'))},
          {"stacktrace", fault.cause()},
          {"timestamp", fault.time_ms()},
          {"failureLabels", Json::object()},
          {"taskName", text_or_null(task)},
          {"endpoint", text_or_null(taskmanager.empty() ? "" : endpoint_of(taskmanager))},
          {"taskManagerId", text_or_null(taskmanager)},
          {"concurrentExceptions", Json::array()}};
}

}  // namespace

bool has_ended(const pb::JobStatus& status) {
  return status.state() == "FINISHED" || status.state() == "CANCELED" || status.state() == "FAILED";
}

Json jobs_body(const std::vector<pb::JobDetails>& jobs) {
  Json list = Json::array();
  for (const pb::JobDetails& job : jobs) {
    list.push_back({{"id", job.status().job_id()}, {"status", job.status().state()}});
  }
  return {{"jobs", std::move(list)}};
}

Json jobs_overview_body(const std::vector<pb::JobDetails>& jobs, int64_t now_ms) {
  Json list = Json::array();
  for (const pb::JobDetails& job : jobs) {
    const pb::JobStatus& status = job.status();
    Json tasks = {{"total", 0}};
    for (const char* state : kExecutionStates) {
      int32_t count = 0;
      for (const pb::VertexDetails& vertex : job.vertices()) {
        count += tasks_in_state(vertex, state);
      }
      tasks[absl::AsciiStrToLower(state)] = count;
    }
    for (const pb::VertexDetails& vertex : job.vertices()) {
      tasks["total"] = tasks["total"].get<int32_t>() + vertex.parallelism();
    }
    list.push_back({{"jid", status.job_id()},
                    {"name", status.name()},
                    {"start-time", status.start_time_ms()},
                    {"end-time", end_time_ms(status)},
                    {"duration", duration_ms(status, status.start_time_ms(), now_ms)},
                    {"state", status.state()},
                    {"last-modification", last_modification_ms(job)},
                    {"tasks", std::move(tasks)},
                    {"pending-operators", 0}});
  }
  return {{"jobs", std::move(list)}};
}

Json job_body(const pb::JobDetails& job, int64_t now_ms) {
  const pb::JobStatus& status = job.status();
  Json timestamps;
  for (const char* state : {"CREATED", "FINISHED", "FAILING", "RECONCILING", "FAILED", "RESTARTING",
                            "RUNNING", "CANCELED", "SUSPENDED", "INITIALIZING", "CANCELLING"}) {
    const auto time_ms = job.state_times_ms().find(state);
    timestamps[state] = time_ms == job.state_times_ms().end() ? 0 : time_ms->second;
  }
  timestamps["INITIALIZING"] = status.start_time_ms();
  Json vertices = Json::array();
  std::map<std::string, int32_t> vertices_by_state;
  for (const pb::VertexDetails& vertex : job.vertices()) {
    vertices.push_back(vertex_summary(job, vertex, now_ms));
    ++vertices_by_state[vertex_state(vertex)];
  }
  Json counts;
  for (const char* state : kExecutionStates) counts[state] = vertices_by_state[state];
  return {{"jid", status.job_id()},
          {"name", status.name()},
          {"isStoppable", false},
          {"state", status.state()},
          {"job-type", "STREAMING"},
          {"start-time", status.start_time_ms()},
          {"end-time", end_time_ms(status)},
          {"duration", duration_ms(status, status.start_time_ms(), now_ms)},
          {"maxParallelism", -1},
          {"now", now_ms},
          {"timestamps", std::move(timestamps)},
          {"vertices", std::move(vertices)},
          {"status-counts", std::move(counts)},
          {"plan", plan_of(job)},
          {"pending-operators", 0}};
}

Json job_status_body(const pb::JobDetails& job) {
  return {{"status", job.status().state()}};
}

Json job_plan_body(const pb::JobDetails& job) {
  return {{"plan", plan_of(job)}};
}

Json resource_requirements_body(const pb::JobDetails& job) {
  Json body = Json::object();
  for (const pb::VertexDetails& vertex : job.vertices()) {
    body[vertex.id()] = {
        {"parallelism", {{"lowerBound", 1}, {"upperBound", vertex.parallelism()}}}};
  }
  return body;
}

Json job_config_body(const pb::JobDetails& job) {
  int32_t parallelism = 1;
  for (const pb::VertexDetails& vertex : job.vertices()) {
    parallelism = std::max(parallelism, vertex.parallelism());
  }
  const auto strategy = job.configuration().find("restart-strategy.type");
  return {{"jid", job.status().job_id()},
          {"name", job.status().name()},
          {"execution-config",
           {{"restart-strategy", strategy == job.configuration().end()
                                     ? "Cluster level default restart strategy"
                                     : strategy->second},
            {"job-parallelism", parallelism},
            {"object-reuse-mode", false},
            {"user-config", Json::object()}}}};
}

Json job_configuration_body(const pb::JobDetails& job) {
  const std::map<std::string, std::string> sorted(job.configuration().begin(),
                                                  job.configuration().end());
  Json list = Json::array();
  for (const auto& [key, value] : sorted) list.push_back({{"key", key}, {"value", value}});
  return list;
}

Json job_exceptions_body(const pb::JobDetails& job) {
  const pb::JobStatus& status = job.status();
  std::vector<pb::Fault> faults(job.accepted_losses().begin(), job.accepted_losses().end());
  bool truncated = false;
  if (status.has_last_fault()) faults.push_back(status.last_fault());
  if (status.has_first_fault() && (!status.has_last_fault() || status.first_fault().attempt() !=
                                                                   status.last_fault().attempt())) {
    faults.push_back(status.first_fault());
    truncated = status.last_fault().attempt() - status.first_fault().attempt() > 1;
  }
  std::ranges::sort(faults, std::greater(), [](const pb::Fault& fault) {
    return std::pair(fault.time_ms(), fault.attempt());
  });
  Json entries = Json::array();
  for (const pb::Fault& fault : faults) entries.push_back(fault_entry(fault));
  return {{"exceptionHistory", {{"entries", std::move(entries)}, {"truncated", truncated}}}};
}

Json job_transactions_body(const pb::TransactionLedger& ledger) {
  Json transactions = Json::array();
  for (const pb::LedgerEntry& entry : ledger.entries()) {
    Json ranges = Json::array();
    for (const pb::WrittenRange& range : entry.committable().ranges()) {
      ranges.push_back({{"resource", range.resource()},
                        {"first", range.first()},
                        {"last", range.last()},
                        {"records", range.records()}});
    }
    transactions.push_back({{"transaction", entry.committable().transaction()},
                            {"sink", entry.sink_uid()},
                            {"subtask", entry.subtask()},
                            {"state", pb::LedgerEntry::State_Name(entry.state())},
                            {"checkpoint", entry.committable().checkpoint_id()},
                            {"carried-first", entry.carried_first()},
                            {"carried-last", entry.carried_last()},
                            {"records", entry.committable().records()},
                            {"ranges", std::move(ranges)},
                            {"changed", entry.changed_time_ms()},
                            {"message", entry.message()}});
  }
  return {{"jid", ledger.job_id()},
          {"generation-max", ledger.generation_max()},
          {"transactions", std::move(transactions)}};
}

}  // namespace weir::rest
