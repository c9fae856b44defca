#include "cli/job_commands.h"

#include <fmt/core.h>

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/print.h"
#include "common/status.h"

namespace weir::cli {

namespace {

constexpr absl::Duration kPatience = absl::Seconds(30);

bool has_ended(const pb::JobStatus& status) {
  return status.state() == "FINISHED" || status.state() == "CANCELED" || status.state() == "FAILED";
}

bool is_listed(const pb::JobStatus& status, const ListOptions& list) {
  if (list.all) return true;
  if (has_ended(status)) return false;
  const bool running = status.state() == "RUNNING";
  if (list.running != list.scheduled) return list.running ? running : !running;
  return true;
}

std::string show_fault(const pb::Fault& fault) {
  return fmt::format("attempt {} at {}, {}: {}", fault.attempt(), show_time(fault.time_ms()),
                     fault.where(), fault.cause());
}

// Of a vertex's subtasks the one that counts: the slowest holds up the others.
std::string show_largest_share(const pb::VertexDetails& vertex,
                               double (pb::TaskRates::*ms_per_second)() const) {
  double largest = -1;
  for (const pb::SubtaskDetails& subtask : vertex.subtasks()) {
    if (subtask.has_rates()) largest = std::max(largest, (subtask.rates().*ms_per_second)());
  }
  return largest < 0 ? "-" : fmt::format("{:.0f} %", largest / 10);
}

}  // namespace

absl::Status list_jobs(JobManagerClient& client, const ClientOptions& options,
                       const ListOptions& list) {
  WEIR_ASSIGN_OR_RETURN(pb::ListJobsResponse response, client.list());
  pb::ListJobsResponse listed;
  for (const pb::JobStatus& job : response.jobs()) {
    if (is_listed(job, list)) *listed.add_jobs() = job;
  }
  std::sort(listed.mutable_jobs()->begin(), listed.mutable_jobs()->end(),
            [](const auto& a, const auto& b) { return a.start_time_ms() < b.start_time_ms(); });
  if (options.json) {
    print_json(listed);
    return absl::OkStatus();
  }
  if (listed.jobs().empty()) {
    fmt::print("No {}jobs.\n", list.all ? "" : "running ");
    return absl::OkStatus();
  }
  std::vector<std::vector<std::string>> rows = {{"STARTED", "JOB ID", "STATE", "NAME"}};
  for (const pb::JobStatus& job : listed.jobs()) {
    rows.push_back({show_time(job.start_time_ms()), job.job_id(), job.state(), job.name()});
  }
  print_table(rows);
  return absl::OkStatus();
}

absl::Status show_status(JobManagerClient& client, const ClientOptions& options,
                         const std::string& job_id) {
  WEIR_ASSIGN_OR_RETURN(pb::JobDetails job, client.get(job_id));
  if (options.json) {
    print_json(job);
    return absl::OkStatus();
  }
  const pb::JobStatus& status = job.status();
  const std::int64_t end_ms =
      status.end_time_ms() > 0 ? status.end_time_ms() : absl::ToUnixMillis(absl::Now());
  fmt::print("{}  {}  {}\n", status.job_id(), status.name(), status.state());
  if (!status.detail().empty()) fmt::print("  {}\n", status.detail());
  fmt::print("  started {}, for {}; attempt {}, {} restarts, {} of {} tasks running\n",
             show_time(status.start_time_ms()), show_duration(end_ms - status.start_time_ms()),
             status.attempt(), job.restarts(), status.tasks_running(), status.tasks_total());
  if (status.has_first_fault()) {
    fmt::print("  first fault: {}\n", show_fault(status.first_fault()));
  }
  if (status.has_last_fault() && job.restarts() > 1) {
    fmt::print("  last fault:  {}\n", show_fault(status.last_fault()));
  }
  for (const pb::Fault& loss : job.accepted_losses()) {
    fmt::print("  lost:        {}\n", show_fault(loss));
  }

  fmt::print("\n");
  std::vector<std::vector<std::string>> rows = {
      {"VERTEX", "PARALLELISM", "RECORDS IN", "OUT", "BUSY", "BACKPRESSURED"}};
  for (const pb::VertexDetails& vertex : job.vertices()) {
    rows.push_back({vertex.name(), absl::StrCat(vertex.parallelism()),
                    absl::StrCat(vertex.records_in()), absl::StrCat(vertex.records_out()),
                    show_largest_share(vertex, &pb::TaskRates::busy_ms),
                    show_largest_share(vertex, &pb::TaskRates::backpressured_ms)});
  }
  print_table(rows);

  if (job.transaction_oldest_prepared_age_ms() > 0) {
    fmt::print("\ntransactions: the oldest has waited {} for its commit, of at most {}\n",
               show_duration(job.transaction_oldest_prepared_age_ms()),
               show_duration(job.transaction_timeout_ms()));
  }
  const pb::CheckpointCounts& counts = job.checkpoint_counts();
  fmt::print("\ncheckpoints: {} completed, {} failed, {} in progress\n", counts.completed(),
             counts.failed(), counts.in_progress());
  if (!job.checkpoints().empty()) {
    rows = {{"ID", "STATE", "TRIGGERED", "DURATION", "ALIGNMENT", "SIZE", ""}};
    for (const pb::CheckpointStatus& checkpoint : job.checkpoints()) {
      if (rows.size() > 5) break;
      rows.push_back({absl::StrCat(checkpoint.checkpoint_id()),
                      absl::StrCat(checkpoint.state(), checkpoint.savepoint()   ? " savepoint"
                                                       : checkpoint.unaligned() ? " unaligned"
                                                                                : ""),
                      show_time(checkpoint.trigger_time_ms()),
                      show_duration(checkpoint.end_to_end_duration_ms()),
                      show_duration(checkpoint.alignment_duration_ms()),
                      show_bytes(checkpoint.size_bytes()),
                      checkpoint.failure().empty() ? checkpoint.path() : checkpoint.failure()});
    }
    print_table(rows);
  }
  return absl::OkStatus();
}

absl::Status cancel_job(JobManagerClient& client, const std::string& job_id) {
  WEIR_RETURN_IF_ERROR(client.cancel(job_id));
  std::string state;
  WEIR_RETURN_IF_ERROR(client.watch(job_id, kPatience, [&](const pb::JobStatus& status) {
    state = status.state();
    return !has_ended(status);
  }));
  if (state != "CANCELED") {
    return absl::FailedPreconditionError(absl::StrCat("the job ended as ", state, " instead"));
  }
  fmt::print("Cancelled job {}.\n", job_id);
  return absl::OkStatus();
}

absl::Status stop_job(JobManagerClient& client, const ClientOptions& options,
                      const std::string& job_id, const std::string& directory, bool drain) {
  pb::StopJobRequest request;
  request.set_job_id(job_id);
  request.set_directory(directory);
  request.set_drain(drain);
  if (!options.json) fmt::print("Suspending job \"{}\" with a savepoint.\n", job_id);
  WEIR_ASSIGN_OR_RETURN(pb::SavepointResponse response, client.stop(request));
  if (options.json) {
    print_json(response);
  } else {
    fmt::print("Savepoint completed. Path: {}\n", response.path());
  }
  return absl::OkStatus();
}

absl::Status take_savepoint(JobManagerClient& client, const ClientOptions& options,
                            const std::string& job_id, const std::string& directory) {
  pb::TriggerSavepointRequest request;
  request.set_job_id(job_id);
  request.set_directory(directory);
  WEIR_ASSIGN_OR_RETURN(pb::SavepointResponse response, client.savepoint(request));
  if (options.json) {
    print_json(response);
  } else {
    fmt::print("Savepoint completed. Path: {}\n", response.path());
  }
  return absl::OkStatus();
}

absl::Status take_checkpoint(JobManagerClient& client, const ClientOptions& options,
                             const std::string& job_id) {
  WEIR_ASSIGN_OR_RETURN(pb::TriggerCheckpointResponse response, client.checkpoint(job_id));
  if (options.json) {
    print_json(response);
  } else {
    fmt::print("Checkpoint completed. ID: {}\n", response.checkpoint_id());
  }
  return absl::OkStatus();
}

}  // namespace weir::cli
