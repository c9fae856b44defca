#include "jobmanager/rest/checkpoint_json.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/config.h"
#include "common/config_options.h"
#include "jobmanager/rest/statistics_json.h"

namespace weir::rest {

namespace {

const char* type_of(const pb::CheckpointStatus& checkpoint) {
  if (!checkpoint.savepoint()) {
    return checkpoint.unaligned() ? "UNALIGNED_CHECKPOINT" : "CHECKPOINT";
  }
  return checkpoint.last() ? "SYNC_SAVEPOINT" : "SAVEPOINT";
}

// A savepoint belongs to the user, a checkpoint lives as long as it is retained.
bool is_discarded(const pb::JobDetails& job, const pb::CheckpointStatus& checkpoint) {
  if (checkpoint.savepoint()) return false;
  return checkpoint.checkpoint_id() < job.recovery_point().checkpoint_id();
}

Json show(const pb::JobDetails& job, const pb::CheckpointStatus& checkpoint) {
  Json json = {
      {"className", absl::AsciiStrToLower(checkpoint.state())},
      {"id", checkpoint.checkpoint_id()},
      {"status", checkpoint.state()},
      {"is_savepoint", checkpoint.savepoint()},
      {"savepointFormat", checkpoint.savepoint() ? Json("CANONICAL") : Json(nullptr)},
      {"trigger_timestamp", checkpoint.trigger_time_ms()},
      {"latest_ack_timestamp",
       checkpoint.latest_acknowledgement_ms() > 0 ? checkpoint.latest_acknowledgement_ms() : -1},
      {"checkpointed_size", checkpoint.size_bytes()},
      {"state_size", checkpoint.size_bytes()},
      {"end_to_end_duration", checkpoint.end_to_end_duration_ms()},
      {"alignment_buffered", 0},
      {"processed_data", checkpoint.processed_bytes()},
      {"persisted_data", checkpoint.persisted_bytes()},
      {"num_subtasks", checkpoint.subtasks_total()},
      {"num_acknowledged_subtasks", checkpoint.subtasks_acknowledged()},
      {"checkpoint_type", type_of(checkpoint)},
      {"tasks", Json::object()}};
  if (checkpoint.state() == "COMPLETED") {
    json["external_path"] = flink_url(checkpoint.path());
    json["discarded"] = is_discarded(job, checkpoint);
  } else if (checkpoint.state() == "FAILED") {
    json["failure_timestamp"] = checkpoint.trigger_time_ms() + checkpoint.end_to_end_duration_ms();
    json["failure_message"] = checkpoint.failure();
  }
  return json;
}

Json show_restored(const pb::JobDetails& job) {
  if (!job.has_restored()) return nullptr;
  return {{"id", job.restored().checkpoint_id()},
          {"restore_timestamp", job.restored_time_ms()},
          {"is_savepoint", job.restored().savepoint()},
          {"external_path", flink_url(job.restored().path())}};
}

}  // namespace

std::string flink_url(const std::string& url) {
  return absl::StartsWith(url, "file:///") ? "file:" + url.substr(7) : url;
}

Json checkpoints_body(const pb::JobDetails& job) {
  std::vector<int64_t> sizes;
  std::vector<int64_t> durations;
  std::vector<int64_t> processed;
  std::vector<int64_t> persisted;
  Json completed;
  Json savepoint;
  Json failed;
  Json history = Json::array();
  for (const pb::CheckpointStatus& checkpoint : job.checkpoints()) {  // newest first
    history.push_back(show(job, checkpoint));
    if (checkpoint.state() == "COMPLETED") {
      sizes.push_back(static_cast<int64_t>(checkpoint.size_bytes()));
      processed.push_back(static_cast<int64_t>(checkpoint.processed_bytes()));
      persisted.push_back(static_cast<int64_t>(checkpoint.persisted_bytes()));
      durations.push_back(checkpoint.end_to_end_duration_ms());
      Json& latest = checkpoint.savepoint() ? savepoint : completed;
      if (latest.is_null()) latest = history.back();
    } else if (checkpoint.state() == "FAILED" && failed.is_null()) {
      failed = history.back();
    }
  }
  const std::vector<int64_t> zeros(sizes.size(), 0);  // of what Weir doesn't have
  const pb::CheckpointCounts& counts = job.checkpoint_counts();
  return {{"counts",
           {{"restored", counts.restored()},
            {"total", counts.total()},
            {"in_progress", counts.in_progress()},
            {"completed", counts.completed()},
            {"failed", counts.failed()}}},
          {"summary",
           {{"checkpointed_size", distribution(sizes)},
            {"state_size", distribution(sizes)},
            {"end_to_end_duration", distribution(durations)},
            {"alignment_buffered", distribution(zeros)},
            {"processed_data", distribution(processed)},
            {"persisted_data", distribution(persisted)}}},
          {"latest",
           {{"completed", std::move(completed)},
            {"savepoint", std::move(savepoint)},
            {"failed", std::move(failed)},
            {"restored", show_restored(job)}}},
          {"history", std::move(history)}};
}

Json checkpoint_config_body(const pb::JobDetails& job) {
  Config config;
  for (const auto& [key, value] : job.configuration()) {
    // What is redacted doesn't parse, and isn't looked at here.
    (void)config.set(key, value);
  }
  const std::string retention = config.get(options::kCheckpointRetention);
  const bool rocksdb = config.get(options::kStateBackend) == "rocksdb";
  const int64_t interval_ms = config.get(options::kCheckpointInterval).count();
  return {{"mode", absl::AsciiStrToLower(config.get(options::kCheckpointMode))},
          // Flink's figure for checkpoints that are off.
          {"interval", interval_ms > 0 ? interval_ms : INT64_MAX},
          {"timeout", config.get(options::kCheckpointTimeout).count()},
          {"min_pause", config.get(options::kCheckpointMinPause).count()},
          {"max_concurrent", config.get(options::kMaxConcurrentCheckpoints)},
          {"externalization",
           {{"enabled", retention != "NO_EXTERNALIZED_CHECKPOINTS"},
            {"delete_on_cancellation", retention != "RETAIN_ON_CANCELLATION"}}},
          {"state_backend", rocksdb ? "EmbeddedRocksDBStateBackend" : "HashMapStateBackend"},
          {"checkpoint_storage", "FileSystemCheckpointStorage"},
          {"unaligned_checkpoints", config.get(options::kUnalignedCheckpoints)},
          {"tolerable_failed_checkpoints", config.get(options::kTolerableFailedCheckpoints)},
          {"aligned_checkpoint_timeout", config.get(options::kAlignedCheckpointTimeout).count()},
          {"checkpoints_after_tasks_finish", true},
          {"state_changelog_enabled", false},
          {"changelog_periodic_materialization_interval", 600000},
          {"changelog_storage", "memory"}};
}

absl::StatusOr<Json> checkpoint_details_body(const pb::JobDetails& job, int64_t checkpoint_id) {
  for (const pb::CheckpointStatus& checkpoint : job.checkpoints()) {
    if (checkpoint.checkpoint_id() == checkpoint_id) return show(job, checkpoint);
  }
  return absl::NotFoundError(
      absl::StrCat("Could not find checkpointing statistics for checkpoint ", checkpoint_id, "."));
}

}  // namespace weir::rest
