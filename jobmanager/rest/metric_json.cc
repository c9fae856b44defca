#include "jobmanager/rest/metric_json.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <string_view>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "jobmanager/rest/checkpoint_json.h"
#include "jobmanager/rest/job_json.h"

namespace weir::rest {

namespace {

std::set<std::string> names_in(const std::string& list) {
  return absl::StrSplit(list, ',', absl::SkipEmpty());
}

Json aggregate_values(const std::vector<double>& values, const std::set<std::string>& wanted) {
  const auto [minimum, maximum] = std::minmax_element(values.begin(), values.end());
  double sum = 0;
  for (double value : values) sum += value;
  const auto count = static_cast<double>(values.size());
  const double average = sum / count;
  double deviation = 0;
  for (double value : values) deviation += std::abs(value - average);
  Json json = Json::object();
  if (wanted.contains("min")) json["min"] = *minimum;
  if (wanted.contains("max")) json["max"] = *maximum;
  if (wanted.contains("avg")) json["avg"] = average;
  if (wanted.contains("sum")) json["sum"] = sum;
  // The mean deviation in percent of the mean.
  if (wanted.contains("skew")) json["skew"] = sum == 0 ? 0.0 : 100 * deviation / sum;
  return json;
}

}  // namespace

Metrics job_metrics(const pb::JobDetails& job, int64_t now_ms) {
  const pb::JobStatus& status = job.status();
  const pb::CheckpointCounts& counts = job.checkpoint_counts();
  const auto running = job.state_times_ms().find("RUNNING");
  const bool is_running = status.state() == "RUNNING" && running != job.state_times_ms().end();
  Metrics metrics = {
      {"numRestarts", absl::StrCat(job.restarts())},
      {"uptime", is_running ? absl::StrCat(std::max<int64_t>(0, now_ms - running->second)) : "0"},
      {"totalNumberOfCheckpoints", absl::StrCat(counts.total())},
      {"numberOfInProgressCheckpoints", absl::StrCat(counts.in_progress())},
      {"numberOfCompletedCheckpoints", absl::StrCat(counts.completed())},
      {"numberOfFailedCheckpoints", absl::StrCat(counts.failed())},
      {"lastCheckpointRestoreTimestamp",
       absl::StrCat(job.has_restored() ? job.restored_time_ms() : -1)},
      {"lastCheckpointDuration", "-1"},
      {"lastCheckpointSize", "-1"},
      {"lastCheckpointFullSize", "-1"},
      {"lastCheckpointCompletedTimestamp", "-1"},
      {"lastCheckpointExternalPath", "n/a"},
      {"lastCompletedCheckpointId", "-1"},
      {"weir_transaction_oldest_prepared_age_ms",
       absl::StrCat(job.transaction_oldest_prepared_age_ms())}};
  for (const pb::CheckpointStatus& checkpoint : job.checkpoints()) {  // newest first
    if (checkpoint.state() != "COMPLETED") continue;
    metrics["lastCheckpointDuration"] = absl::StrCat(checkpoint.end_to_end_duration_ms());
    metrics["lastCheckpointSize"] = absl::StrCat(checkpoint.size_bytes());
    metrics["lastCheckpointFullSize"] = absl::StrCat(checkpoint.size_bytes());
    metrics["lastCheckpointCompletedTimestamp"] =
        absl::StrCat(checkpoint.trigger_time_ms() + checkpoint.end_to_end_duration_ms());
    metrics["lastCheckpointExternalPath"] = flink_url(checkpoint.path());
    metrics["lastCompletedCheckpointId"] = absl::StrCat(checkpoint.checkpoint_id());
    break;
  }
  return metrics;
}

Metrics subtask_metrics(const pb::SubtaskDetails& subtask) {
  Metrics metrics = {{"numRecordsIn", absl::StrCat(subtask.records_in())},
                     {"numRecordsOut", absl::StrCat(subtask.records_out())},
                     {"numBytesIn", absl::StrCat(subtask.bytes_in())},
                     {"numBytesOut", absl::StrCat(subtask.bytes_out())},
                     {"accumulateBusyTimeMs", absl::StrCat(subtask.busy_ms())},
                     {"accumulateIdleTimeMs", absl::StrCat(subtask.idle_ms())},
                     {"accumulateBackPressuredTimeMs", absl::StrCat(subtask.backpressured_ms())}};
  if (subtask.has_rates()) {
    const pb::TaskRates& rates = subtask.rates();
    metrics["busyTimeMsPerSecond"] = absl::StrCat(std::lround(rates.busy_ms()));
    metrics["idleTimeMsPerSecond"] = absl::StrCat(std::lround(rates.idle_ms()));
    metrics["backPressuredTimeMsPerSecond"] = absl::StrCat(std::lround(rates.backpressured_ms()));
    metrics["numRecordsInPerSecond"] = absl::StrCat(rates.records_in());
    metrics["numRecordsOutPerSecond"] = absl::StrCat(rates.records_out());
    metrics["numBytesInPerSecond"] = absl::StrCat(rates.bytes_in());
    metrics["numBytesOutPerSecond"] = absl::StrCat(rates.bytes_out());
  }
  for (const auto& [name, value] : subtask.gauges()) metrics[name] = absl::StrCat(value);
  return metrics;
}

Metrics vertex_metrics(const pb::VertexDetails& vertex) {
  Metrics metrics;
  for (const pb::SubtaskDetails& subtask : vertex.subtasks()) {
    for (const auto& [name, value] : subtask_metrics(subtask)) {
      metrics[absl::StrCat(subtask.subtask(), ".", name)] = value;
    }
  }
  return metrics;
}

Metrics coordinator_metrics(const pb::VertexDetails& vertex) {
  Metrics metrics;
  for (const auto& [name, value] : vertex.coordinator_gauges()) metrics[name] = absl::StrCat(value);
  return metrics;
}

Metrics jobmanager_metrics(const std::vector<pb::JobDetails>& jobs,
                           const std::vector<TaskManagerInfo>& taskmanagers) {
  int64_t slots = 0;
  int64_t slots_free = 0;
  for (const TaskManagerInfo& taskmanager : taskmanagers) {
    slots += taskmanager.slots;
    slots_free += taskmanager.slots_free;
  }
  const auto running = std::count_if(
      jobs.begin(), jobs.end(), [](const pb::JobDetails& job) { return !has_ended(job.status()); });
  return {{"taskSlotsTotal", absl::StrCat(slots)},
          {"taskSlotsAvailable", absl::StrCat(slots_free)},
          {"numRegisteredTaskManagers", absl::StrCat(taskmanagers.size())},
          {"numRunningJobs", absl::StrCat(running)}};
}

Json metrics_body(const Metrics& metrics, const std::string& get) {
  Json list = Json::array();
  const std::set<std::string> wanted = names_in(get);
  for (const auto& [name, value] : metrics) {
    if (wanted.empty()) {
      list.push_back({{"id", name}});
    } else if (wanted.contains(name)) {
      list.push_back({{"id", name}, {"value", value}});
    }
  }
  return list;
}

absl::StatusOr<Json> aggregated_metrics_body(const pb::VertexDetails& vertex,
                                             const std::string& get,
                                             const std::string& aggregations) {
  std::set<std::string> wanted_aggregations =
      names_in(aggregations.empty() ? "min,max,avg,sum" : aggregations);
  for (const std::string& name : wanted_aggregations) {
    if (!std::set<std::string>{"min", "max", "avg", "sum", "skew"}.contains(name)) {
      return absl::InvalidArgumentError(
          absl::StrCat("agg: '", name, "' is none of min, max, avg, sum, skew"));
    }
  }
  std::map<std::string, std::vector<double>> values;
  for (const pb::SubtaskDetails& subtask : vertex.subtasks()) {
    for (const auto& [name, text] : subtask_metrics(subtask)) {
      double value = 0;
      if (absl::SimpleAtod(text, &value)) values[name].push_back(value);
    }
  }
  Json list = Json::array();
  const std::set<std::string> wanted = names_in(get);
  for (const auto& [name, of_subtasks] : values) {
    if (!wanted.empty() && !wanted.contains(name)) continue;
    Json metric = {{"id", name}};
    if (!wanted.empty()) metric.update(aggregate_values(of_subtasks, wanted_aggregations));
    list.push_back(std::move(metric));
  }
  return list;
}

}  // namespace weir::rest
