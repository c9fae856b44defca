#pragma once

#include "jobmanager/job/dispatcher.h"
#include "proto/jobmanager_service.grpc.pb.h"

namespace weir {

// What `weir` calls. Only enqueues; the dispatcher outlives it.
class ClientService final : public pb::JobManagerService::CallbackService {
 public:
  explicit ClientService(Dispatcher& dispatcher) : dispatcher_(dispatcher) {}

  grpc::ServerReadReactor<pb::LibraryUpload>* UploadLibrary(grpc::CallbackServerContext* context,
                                                            pb::LibraryUploaded* response) override;
  grpc::ServerUnaryReactor* SubmitJob(grpc::CallbackServerContext* context,
                                      const pb::SubmitJobRequest* request,
                                      pb::SubmitJobResponse* response) override;
  grpc::ServerWriteReactor<pb::JobStatus>* WatchJob(grpc::CallbackServerContext* context,
                                                    const pb::WatchJobRequest* request) override;
  grpc::ServerUnaryReactor* ListJobs(grpc::CallbackServerContext* context,
                                     const pb::ListJobsRequest* request,
                                     pb::ListJobsResponse* response) override;
  grpc::ServerUnaryReactor* GetJob(grpc::CallbackServerContext* context,
                                   const pb::GetJobRequest* request,
                                   pb::JobDetails* response) override;
  grpc::ServerUnaryReactor* CancelJob(grpc::CallbackServerContext* context,
                                      const pb::CancelJobRequest* request,
                                      pb::CancelJobResponse* response) override;
  grpc::ServerUnaryReactor* StopJob(grpc::CallbackServerContext* context,
                                    const pb::StopJobRequest* request,
                                    pb::SavepointResponse* response) override;
  grpc::ServerUnaryReactor* TriggerSavepoint(grpc::CallbackServerContext* context,
                                             const pb::TriggerSavepointRequest* request,
                                             pb::SavepointResponse* response) override;
  grpc::ServerUnaryReactor* TriggerCheckpoint(grpc::CallbackServerContext* context,
                                              const pb::TriggerCheckpointRequest* request,
                                              pb::TriggerCheckpointResponse* response) override;
  grpc::ServerUnaryReactor* RescaleJob(grpc::CallbackServerContext* context,
                                       const pb::RescaleJobRequest* request,
                                       pb::RescaleJobResponse* response) override;
  grpc::ServerUnaryReactor* ListTransactions(grpc::CallbackServerContext* context,
                                             const pb::ListTransactionsRequest* request,
                                             pb::ListTransactionsResponse* response) override;
  grpc::ServerUnaryReactor* RecordTransaction(grpc::CallbackServerContext* context,
                                              const pb::RecordTransactionRequest* request,
                                              pb::RecordTransactionResponse* response) override;

 private:
  Dispatcher& dispatcher_;
};

}  // namespace weir
