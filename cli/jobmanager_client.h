#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "proto/client.pb.h"

namespace weir::cli {

// The JobManager as the command line sees it: one blocking call each. Every error names the address
// and what to do. Not thread-safe.
class JobManagerClient {
 public:
  // `address` is host:port; nothing is sent yet.
  explicit JobManagerClient(std::string address);
  ~JobManagerClient();

  const std::string& address() const { return address_; }

  // Sends the file unless the JobManager has it already.
  absl::Status upload_library(const std::string& path, const std::string& sha256);
  // → job id, of a job whose record is durable. Its sources and sinks aren't validated yet.
  absl::StatusOr<pb::SubmitJobResponse> submit(const pb::SubmitJobRequest& request);
  // Calls on_status for every change until the job has ended; on_status returns false to stop
  // watching. A JobManager that goes away is waited for, up to `patience`. DeadlineExceeded at
  // `until`.
  absl::Status watch(const std::string& job_id, absl::Duration patience,
                     const std::function<bool(const pb::JobStatus&)>& on_status,
                     absl::Time until = absl::InfiniteFuture());

  absl::StatusOr<pb::ListJobsResponse> list();
  absl::StatusOr<pb::JobDetails> get(const std::string& job_id);
  absl::Status cancel(const std::string& job_id);
  absl::StatusOr<pb::SavepointResponse> stop(const pb::StopJobRequest& request);
  absl::StatusOr<pb::SavepointResponse> savepoint(const pb::TriggerSavepointRequest& request);
  absl::StatusOr<pb::TriggerCheckpointResponse> checkpoint(const std::string& job_id);
  absl::StatusOr<pb::RescaleJobResponse> rescale(const pb::RescaleJobRequest& request);
  absl::StatusOr<pb::TransactionLedger> transactions(const std::string& job_id);
  absl::Status record_transaction(const pb::RecordTransactionRequest& request);

 private:
  struct Stub;

  const std::string address_;
  const std::unique_ptr<Stub> stub_;
};

}  // namespace weir::cli
