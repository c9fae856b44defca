#include "cli/rescale_command.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "cli/print.h"
#include "common/status.h"

namespace weir::cli {

namespace {

// How long a JobManager that went away is waited for.
constexpr absl::Duration kPatience = absl::Minutes(5);

int widest_vertex(const pb::JobDetails& job) {
  int parallelism = 1;
  for (const pb::VertexDetails& vertex : job.vertices()) {
    parallelism = std::max(parallelism, vertex.parallelism());
  }
  return parallelism;
}

template <typename... Arguments>
void say(const ClientOptions& options, fmt::format_string<Arguments...> text,
         Arguments&&... arguments) {
  if (options.json) return;
  fmt::print("{}\n", fmt::format(text, std::forward<Arguments>(arguments)...));
  std::fflush(stdout);  // progress, also in a pipe
}

// Until an attempt after this one runs.
absl::Status wait_for_attempt_after(JobManagerClient& client, const ClientOptions& options,
                                    const std::string& job_id, int attempt) {
  pb::JobStatus last;
  std::string shown;
  WEIR_RETURN_IF_ERROR(client.watch(job_id, kPatience, [&](const pb::JobStatus& status) {
    last = status;
    const bool runs = status.state() == "RUNNING" && status.attempt() > attempt;
    if (!runs && status.detail() != shown && isatty(STDOUT_FILENO) != 0) {
      say(options, "{}{}{}", status.state(), status.detail().empty() ? "" : ": ", status.detail());
    }
    shown = status.detail();
    return !runs;
  }));
  if (last.state() == "RUNNING") return absl::OkStatus();
  return absl::AbortedError(absl::StrCat(
      "the job is ", last.state(),
      last.has_last_fault() ? absl::StrCat(": ", last.last_fault().cause()) : std::string()));
}

absl::StatusOr<pb::RescaleJobResponse> rescale(JobManagerClient& client,
                                               const ClientOptions& options,
                                               const std::string& job_id, int parallelism) {
  pb::RescaleJobRequest request;
  request.set_job_id(job_id);
  request.set_parallelism(parallelism);
  auto response = client.rescale(request);
  // Whether it was done nobody knows; asked again it changes nothing if it was.
  while (absl::IsUnavailable(response.status())) {
    say(options, "The JobManager went away: waiting for it.");
    WEIR_RETURN_IF_ERROR(wait_for_attempt_after(client, options, job_id, -1));
    response = client.rescale(request);
  }
  return response;
}

}  // namespace

absl::Status rescale_job(JobManagerClient& client, const ClientOptions& options,
                         const std::string& job_id, int parallelism) {
  WEIR_ASSIGN_OR_RETURN(const pb::JobDetails before, client.get(job_id));
  say(options, "Rescaling job {} from parallelism {} to {}: a checkpoint first.", job_id,
      widest_vertex(before), parallelism);
  WEIR_ASSIGN_OR_RETURN(const pb::RescaleJobResponse response,
                        rescale(client, options, job_id, parallelism));
  if (response.changed()) {
    say(options, "Checkpoint {} is complete: the job goes on from it.", response.checkpoint_id());
    WEIR_RETURN_IF_ERROR(wait_for_attempt_after(client, options, job_id, response.attempt()));
  }
  say(options, "Job {} runs at parallelism {}.", job_id, parallelism);
  if (options.json) print_json(response);
  return absl::OkStatus();
}

}  // namespace weir::cli
