#include "cli/jobmanager_client.h"

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <fstream>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "proto/jobmanager_service.grpc.pb.h"

namespace weir::cli {

namespace {

constexpr absl::Duration kCallTimeout = absl::Seconds(15);
// A savepoint or a stop lasts as long as the checkpoint timeout lets it; the JobManager ends it.
constexpr absl::Duration kSavepointTimeout = absl::Hours(2);
// Submitting reads the savepoint to start from.
constexpr absl::Duration kSubmitTimeout = absl::Minutes(5);

}  // namespace

struct JobManagerClient::Stub {
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<pb::JobManagerService::Stub> service;
  std::string address;

  absl::Status to_status(const grpc::Status& status) const {
    if (status.ok()) return absl::OkStatus();
    if (status.error_code() == grpc::StatusCode::UNAVAILABLE) {
      return absl::UnavailableError(
          absl::StrCat("no JobManager answers at ", address,
                       ": start one (deploy/cluster start) or name it with -m host:port"));
    }
    if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) {
      return absl::DeadlineExceededError(
          absl::StrCat("the JobManager at ", address, " didn't answer in time"));
    }
    return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
  }

  template <typename Request, typename Response>
  absl::StatusOr<Response> call(grpc::Status (pb::JobManagerService::Stub::*method)(
                                    grpc::ClientContext*, const Request&, Response*),
                                const Request& request, absl::Duration timeout = kCallTimeout) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(timeout));
    Response response;
    const grpc::Status status = ((*service).*method)(&context, request, &response);
    if (!status.ok()) return to_status(status);
    return response;
  }
};

JobManagerClient::JobManagerClient(std::string address)
    : address_(std::move(address)), stub_(std::make_unique<Stub>()) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 50);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 5000);  // how long connecting may take
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  arguments.SetMaxReceiveMessageSize(-1);
  stub_->address = address_;
  stub_->channel =
      grpc::CreateCustomChannel(address_, grpc::InsecureChannelCredentials(), arguments);
  stub_->service = pb::JobManagerService::NewStub(stub_->channel);
}

JobManagerClient::~JobManagerClient() = default;

absl::Status JobManagerClient::upload_library(const std::string& path, const std::string& sha256) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return absl::NotFoundError(absl::StrCat("can't read the job library ", path));

  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       absl::ToChronoMilliseconds(kSubmitTimeout));
  pb::LibraryUploaded response;
  auto writer = stub_->service->UploadLibrary(&context, &response);
  pb::LibraryUpload chunk;
  chunk.set_sha256(sha256);
  chunk.set_name(path.substr(path.rfind('/') + 1));
  std::vector<char> buffer(256 * 1024);
  while (file.read(buffer.data(), static_cast<std::streamsize>(buffer.size())), file.gcount() > 0) {
    chunk.set_data(buffer.data(), static_cast<std::size_t>(file.gcount()));
    if (!writer->Write(chunk)) break;  // the JobManager has it already, or failed: Finish() says
    chunk.Clear();
  }
  writer->WritesDone();
  return stub_->to_status(writer->Finish());
}

absl::StatusOr<pb::SubmitJobResponse> JobManagerClient::submit(
    const pb::SubmitJobRequest& request) {
  return stub_->call(&pb::JobManagerService::Stub::SubmitJob, request, kSubmitTimeout);
}

absl::Status JobManagerClient::watch(const std::string& job_id, absl::Duration patience,
                                     const std::function<bool(const pb::JobStatus&)>& on_status,
                                     absl::Time until) {
  pb::WatchJobRequest request;
  request.set_job_id(job_id);
  absl::Time give_up = absl::Now() + patience;
  while (true) {
    stub_->channel->WaitForConnected(absl::ToChronoTime(give_up));
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(until));
    auto reader = stub_->service->WatchJob(&context, request);
    pb::JobStatus status;
    while (reader->Read(&status)) {
      give_up = absl::Now() + patience;
      if (!on_status(status)) {
        context.TryCancel();
        reader->Finish();
        return absl::OkStatus();
      }
    }
    const grpc::Status end = reader->Finish();
    if (end.ok()) return absl::OkStatus();
    if (end.error_code() != grpc::StatusCode::UNAVAILABLE || absl::Now() > give_up) {
      return stub_->to_status(end);
    }
  }
}

absl::StatusOr<pb::ListJobsResponse> JobManagerClient::list() {
  return stub_->call(&pb::JobManagerService::Stub::ListJobs, pb::ListJobsRequest());
}

absl::StatusOr<pb::JobDetails> JobManagerClient::get(const std::string& job_id) {
  pb::GetJobRequest request;
  request.set_job_id(job_id);
  return stub_->call(&pb::JobManagerService::Stub::GetJob, request);
}

absl::Status JobManagerClient::cancel(const std::string& job_id) {
  pb::CancelJobRequest request;
  request.set_job_id(job_id);
  return stub_->call(&pb::JobManagerService::Stub::CancelJob, request).status();
}

absl::StatusOr<pb::SavepointResponse> JobManagerClient::stop(const pb::StopJobRequest& request) {
  return stub_->call(&pb::JobManagerService::Stub::StopJob, request, kSavepointTimeout);
}

absl::StatusOr<pb::SavepointResponse> JobManagerClient::savepoint(
    const pb::TriggerSavepointRequest& request) {
  return stub_->call(&pb::JobManagerService::Stub::TriggerSavepoint, request, kSavepointTimeout);
}

absl::StatusOr<pb::TriggerCheckpointResponse> JobManagerClient::checkpoint(
    const std::string& job_id) {
  pb::TriggerCheckpointRequest request;
  request.set_job_id(job_id);
  return stub_->call(&pb::JobManagerService::Stub::TriggerCheckpoint, request, kSavepointTimeout);
}

absl::StatusOr<pb::RescaleJobResponse> JobManagerClient::rescale(
    const pb::RescaleJobRequest& request) {
  return stub_->call(&pb::JobManagerService::Stub::RescaleJob, request, kSavepointTimeout);
}

absl::StatusOr<pb::TransactionLedger> JobManagerClient::transactions(const std::string& job_id) {
  pb::ListTransactionsRequest request;
  request.set_job_id(job_id);
  auto response = stub_->call(&pb::JobManagerService::Stub::ListTransactions, request);
  if (!response.ok()) return response.status();
  return std::move(*response->mutable_ledger());
}

absl::Status JobManagerClient::record_transaction(const pb::RecordTransactionRequest& request) {
  return stub_->call(&pb::JobManagerService::Stub::RecordTransaction, request).status();
}

}  // namespace weir::cli
