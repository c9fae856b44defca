#include "jobmanager/rest/vertex_json.h"

#include <algorithm>
#include <map>
#include <vector>

#include "jobmanager/rest/statistics_json.h"

namespace weir::rest {

namespace {

using Subtasks = std::vector<const pb::SubtaskDetails*>;

// Of a vertex or of a subtask: both have the same figures.
template <typename Measured>
Json io_metrics(const Measured& measured) {
  return {{"read-bytes", measured.bytes_in()},
          {"read-bytes-complete", true},
          {"write-bytes", measured.bytes_out()},
          {"write-bytes-complete", true},
          {"read-records", measured.records_in()},
          {"read-records-complete", true},
          {"write-records", measured.records_out()},
          {"write-records-complete", true},
          {"accumulated-backpressured-time", measured.backpressured_ms()},
          {"accumulated-idle-time", measured.idle_ms()},
          {"accumulated-busy-time", static_cast<double>(measured.busy_ms())}};
}

Json state_counts(const std::map<std::string, int32_t>& counts) {
  Json json;
  for (const char* state : kExecutionStates) {
    const auto found = counts.find(state);
    json[state] = found == counts.end() ? 0 : found->second;
  }
  return json;
}

std::map<std::string, int32_t> count_states(const Subtasks& subtasks) {
  std::map<std::string, int32_t> counts;
  for (const pb::SubtaskDetails* subtask : subtasks) ++counts[subtask->state()];
  return counts;
}

std::string aggregate_state(const std::map<std::string, int32_t>& counts, int32_t parallelism) {
  const auto any = [&](const char* state) {
    const auto found = counts.find(state);
    return found != counts.end() && found->second > 0;
  };
  for (const char* state : {"FAILED", "CANCELING", "CANCELED", "INITIALIZING", "RUNNING"}) {
    if (any(state)) return state;
  }
  if (!any("FINISHED")) return "CREATED";
  return counts.at("FINISHED") == parallelism ? "FINISHED" : "RUNNING";
}

std::map<std::string, int32_t> counts_of(const pb::VertexDetails& vertex) {
  return {vertex.tasks_by_state().begin(), vertex.tasks_by_state().end()};
}

Json aggregated(const Subtasks& subtasks) {
  const auto over = [&](auto figure) {
    std::vector<int64_t> values;
    for (const pb::SubtaskDetails* subtask : subtasks) {
      values.push_back(static_cast<int64_t>((subtask->*figure)()));
    }
    return aggregate(std::move(values));
  };
  return {{"metrics",
           {{"write-records", over(&pb::SubtaskDetails::records_out)},
            {"accumulated-backpressured-time", over(&pb::SubtaskDetails::backpressured_ms)},
            {"accumulated-idle-time", over(&pb::SubtaskDetails::idle_ms)},
            {"write-bytes", over(&pb::SubtaskDetails::bytes_out)},
            {"read-bytes", over(&pb::SubtaskDetails::bytes_in)},
            {"read-records", over(&pb::SubtaskDetails::records_in)},
            {"accumulated-busy-time", over(&pb::SubtaskDetails::busy_ms)}}},
          {"status-duration", Json::object()}};  // times of single states aren't kept
}

Subtasks all_subtasks(const pb::VertexDetails& vertex) {
  Subtasks subtasks;
  for (const pb::SubtaskDetails& subtask : vertex.subtasks()) subtasks.push_back(&subtask);
  return subtasks;
}

// The figures of those subtasks of a vertex that one TaskManager runs.
pb::SubtaskDetails sum_of(const Subtasks& subtasks) {
  pb::SubtaskDetails sum;
  sum.set_start_time_ms(subtasks.front()->start_time_ms());
  for (const pb::SubtaskDetails* subtask : subtasks) {
    sum.set_start_time_ms(std::min(sum.start_time_ms(), subtask->start_time_ms()));
    sum.set_records_in(sum.records_in() + subtask->records_in());
    sum.set_records_out(sum.records_out() + subtask->records_out());
    sum.set_bytes_in(sum.bytes_in() + subtask->bytes_in());
    sum.set_bytes_out(sum.bytes_out() + subtask->bytes_out());
    sum.set_busy_ms(sum.busy_ms() + subtask->busy_ms());
    sum.set_idle_ms(sum.idle_ms() + subtask->idle_ms());
    sum.set_backpressured_ms(sum.backpressured_ms() + subtask->backpressured_ms());
  }
  return sum;
}

// As Flink rates the share of its time that a subtask waits for those that read from it.
const char* backpressure_level(double ratio) {
  if (ratio <= 0.1) return "ok";
  return ratio <= 0.5 ? "low" : "high";
}

}  // namespace

int64_t end_time_ms(const pb::JobStatus& job) {
  return job.end_time_ms() > 0 ? job.end_time_ms() : -1;
}

int64_t duration_ms(const pb::JobStatus& job, int64_t start_time_ms, int64_t now_ms) {
  if (start_time_ms <= 0) return 0;
  const int64_t end = job.end_time_ms() > 0 ? job.end_time_ms() : now_ms;
  return std::max<int64_t>(0, end - start_time_ms);
}

std::string endpoint_of(const std::string& taskmanager_id) {
  if (taskmanager_id.empty()) return "(unassigned)";
  return taskmanager_id.substr(0, taskmanager_id.rfind('-'));
}

std::string vertex_state(const pb::VertexDetails& vertex) {
  return aggregate_state(counts_of(vertex), vertex.parallelism());
}

int32_t tasks_in_state(const pb::VertexDetails& vertex, const std::string& state) {
  const auto found = vertex.tasks_by_state().find(state);
  return found == vertex.tasks_by_state().end() ? 0 : found->second;
}

Json vertex_summary(const pb::JobDetails& job, const pb::VertexDetails& vertex, int64_t now_ms) {
  return {{"id", vertex.id()},
          {"slotSharingGroupId", job.vertices(0).id()},  // all chains share the slots
          {"name", vertex.name()},
          {"maxParallelism", vertex.max_parallelism()},
          {"parallelism", vertex.parallelism()},
          {"status", vertex_state(vertex)},
          {"start-time", vertex.start_time_ms() > 0 ? vertex.start_time_ms() : -1},
          {"end-time", end_time_ms(job.status())},
          {"duration", duration_ms(job.status(), vertex.start_time_ms(), now_ms)},
          {"tasks", state_counts(counts_of(vertex))},
          {"metrics", io_metrics(vertex)}};
}

Json subtask_body(const pb::JobDetails& job, const pb::SubtaskDetails& subtask, int64_t now_ms) {
  const int64_t start = subtask.start_time_ms() > 0 ? subtask.start_time_ms() : -1;
  return {{"subtask", subtask.subtask()},
          {"status", subtask.state()},
          {"attempt", subtask.attempt()},
          {"endpoint", endpoint_of(subtask.taskmanager_id())},
          {"start-time", start},
          {"end-time", end_time_ms(job.status())},
          {"duration", duration_ms(job.status(), subtask.start_time_ms(), now_ms)},
          {"metrics", io_metrics(subtask)},
          {"taskmanager-id",
           subtask.taskmanager_id().empty() ? "(unassigned)" : subtask.taskmanager_id()},
          {"status-duration", Json::object()},
          {"start_time", start}};
}

Json vertex_body(const pb::JobDetails& job, const pb::VertexDetails& vertex, int64_t now_ms) {
  Json subtasks = Json::array();
  for (const pb::SubtaskDetails& subtask : vertex.subtasks()) {
    subtasks.push_back(subtask_body(job, subtask, now_ms));
  }
  return {{"id", vertex.id()},
          {"name", vertex.name()},
          {"parallelism", vertex.parallelism()},
          {"maxParallelism", vertex.max_parallelism()},
          {"now", now_ms},
          {"subtasks", std::move(subtasks)},
          {"aggregated", aggregated(all_subtasks(vertex))}};
}

Json backpressure_body(const pb::VertexDetails& vertex, int64_t now_ms) {
  Json subtasks = Json::array();
  double worst = 0;
  for (const pb::SubtaskDetails& subtask : vertex.subtasks()) {
    if (!subtask.has_rates()) continue;
    const double ratio = subtask.rates().backpressured_ms() / 1000;
    worst = std::max(worst, ratio);
    subtasks.push_back({{"subtask", subtask.subtask()},
                        {"backpressureLevel", backpressure_level(ratio)},
                        {"backpressure-level", backpressure_level(ratio)},
                        {"ratio", ratio},
                        {"idleRatio", subtask.rates().idle_ms() / 1000},
                        {"busyRatio", subtask.rates().busy_ms() / 1000}});
  }
  if (subtasks.empty()) return {{"status", "deprecated"}};  // Flink's word for not known yet
  return {{"status", "ok"},
          {"backpressureLevel", backpressure_level(worst)},
          {"backpressure-level", backpressure_level(worst)},
          {"end-timestamp", now_ms},
          {"subtasks", std::move(subtasks)}};
}

Json vertex_taskmanagers_body(const pb::JobDetails& job, const pb::VertexDetails& vertex,
                              int64_t now_ms) {
  std::map<std::string, Subtasks> by_taskmanager;
  for (const pb::SubtaskDetails& subtask : vertex.subtasks()) {
    by_taskmanager[subtask.taskmanager_id()].push_back(&subtask);
  }
  Json taskmanagers = Json::array();
  for (const auto& [id, subtasks] : by_taskmanager) {
    const auto counts = count_states(subtasks);
    const pb::SubtaskDetails sum = sum_of(subtasks);
    taskmanagers.push_back(
        {{"endpoint", endpoint_of(id)},
         {"status", aggregate_state(counts, static_cast<int32_t>(subtasks.size()))},
         {"start-time", sum.start_time_ms() > 0 ? sum.start_time_ms() : -1},
         {"end-time", end_time_ms(job.status())},
         {"duration", duration_ms(job.status(), sum.start_time_ms(), now_ms)},
         {"metrics", io_metrics(sum)},
         {"status-counts", state_counts(counts)},
         {"taskmanager-id", id.empty() ? "(unassigned)" : id},
         {"aggregated", aggregated(subtasks)}});
  }
  return {{"id", vertex.id()},
          {"name", vertex.name()},
          {"now", now_ms},
          {"taskmanagers", std::move(taskmanagers)}};
}

}  // namespace weir::rest
