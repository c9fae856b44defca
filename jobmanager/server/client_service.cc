#include "jobmanager/server/client_service.h"

#include <openssl/evp.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/mutex.h"
#include "common/rpc/status_conversion.h"
#include "common/rpc/write_queue.h"

namespace weir {

namespace {

constexpr size_t kMaxLibraryBytes = 1ull << 30;

// The reply that finishes a unary call.
template <typename Response>
Reply<Response> answer(grpc::ServerUnaryReactor* reactor, Response* response) {
  return Reply<Response>([reactor, response](absl::StatusOr<Response> result) {
    if (result.ok()) *response = std::move(*result);
    reactor->Finish(rpc::to_grpc(result.status()));
  });
}

std::string sha256_hex(const std::string& data) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_Digest(data.data(), data.size(), digest, &size, EVP_sha256(), nullptr);
  return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(digest), size));
}

// Collects a library and stores it if it is what it says; deletes itself.
class LibraryReceiver final : public grpc::ServerReadReactor<pb::LibraryUpload> {
 public:
  LibraryReceiver(Dispatcher& dispatcher, pb::LibraryUploaded* response)
      : dispatcher_(dispatcher), response_(response) {
    StartRead(&chunk_);
  }
  void OnReadDone(bool ok) override {
    if (!ok) return store();
    if (!chunk_.sha256().empty()) sha256_ = chunk_.sha256();
    data_ += chunk_.data();
    if (data_.size() > kMaxLibraryBytes) {
      return Finish(rpc::to_grpc(absl::InvalidArgumentError("the job library is over 1 GiB")));
    }
    StartRead(&chunk_);
  }
  void OnDone() override { delete this; }

 private:
  void store() {
    const std::string actual = sha256_hex(data_);
    if (actual != sha256_) {
      return Finish(rpc::to_grpc(absl::DataLossError(absl::StrCat(
          "the job library came with SHA-256 ", actual, " instead of ", sha256_, ": try again"))));
    }
    dispatcher_.put_library(sha256_, std::move(data_),
                            Reply<pb::LibraryUploaded>([this](auto result) {
                              if (result.ok()) *response_ = *result;
                              Finish(rpc::to_grpc(result.status()));
                            }));
  }

  Dispatcher& dispatcher_;
  pb::LibraryUploaded* const response_;
  pb::LibraryUpload chunk_;
  std::string sha256_;
  std::string data_;
};

// Sends every status until the job's end; keeps itself alive until gRPC is done with it.
class StatusSender final : public grpc::ServerWriteReactor<pb::JobStatus> {
 public:
  static StatusSender* start(Dispatcher& dispatcher, const std::string& job_id) {
    auto sender = std::make_shared<StatusSender>();
    sender->self_ = sender;
    dispatcher.watch(
        job_id, [sender](const pb::JobStatus& status) { return sender->send(status); },
        Reply<bool>([sender](const absl::StatusOr<bool>& end) { sender->end(end.status()); }));
    return sender.get();
  }

  void OnWriteDone(bool ok) override {
    MutexLock lock(mutex_);
    queue_.written();
    if (!ok) {
      ended_ = true;
      queue_.drop_waiting();
    }
    advance();
  }
  void OnCancel() override { end(absl::CancelledError("the client is gone")); }
  void OnDone() override { const auto last = std::move(self_); }

 private:
  // False: nobody listens any more.
  bool send(const pb::JobStatus& status) {
    MutexLock lock(mutex_);
    if (ended_) return false;
    if (!queue_.push(status)) {  // a client that doesn't read
      ended_ = true;
      queue_.drop_waiting();
    }
    advance();
    return !ended_;
  }
  void end(const absl::Status& status) {
    MutexLock lock(mutex_);
    if (ended_) return;
    ended_ = true;
    end_status_ = status;
    advance();
  }
  void advance() WEIR_REQUIRES(mutex_) {
    if (finished_) return;
    if (const pb::JobStatus* next = queue_.start_next()) {
      StartWrite(next);
    } else if (ended_ && queue_.empty()) {
      finished_ = true;
      Finish(rpc::to_grpc(end_status_));
    }
  }

  std::shared_ptr<StatusSender> self_;
  Mutex mutex_;
  rpc::WriteQueue<pb::JobStatus> queue_ WEIR_GUARDED_BY(mutex_){1000};
  absl::Status end_status_ WEIR_GUARDED_BY(mutex_);
  bool ended_ WEIR_GUARDED_BY(mutex_) = false;
  bool finished_ WEIR_GUARDED_BY(mutex_) = false;
};

}  // namespace

grpc::ServerReadReactor<pb::LibraryUpload>* ClientService::UploadLibrary(
    grpc::CallbackServerContext*, pb::LibraryUploaded* response) {
  return new LibraryReceiver(dispatcher_, response);
}

grpc::ServerUnaryReactor* ClientService::SubmitJob(grpc::CallbackServerContext* context,
                                                   const pb::SubmitJobRequest* request,
                                                   pb::SubmitJobResponse* response) {
  auto* reactor = context->DefaultReactor();
  dispatcher_.submit(*request, answer(reactor, response));
  return reactor;
}

grpc::ServerWriteReactor<pb::JobStatus>* ClientService::WatchJob(
    grpc::CallbackServerContext*, const pb::WatchJobRequest* request) {
  return StatusSender::start(dispatcher_, request->job_id());
}

grpc::ServerUnaryReactor* ClientService::ListJobs(grpc::CallbackServerContext* context,
                                                  const pb::ListJobsRequest*,
                                                  pb::ListJobsResponse* response) {
  auto* reactor = context->DefaultReactor();
  dispatcher_.describe_all(Reply<std::vector<pb::JobDetails>>([reactor, response](auto all) {
    if (all.ok()) {
      for (const pb::JobDetails& details : *all) *response->add_jobs() = details.status();
    }
    reactor->Finish(rpc::to_grpc(all.status()));
  }));
  return reactor;
}

grpc::ServerUnaryReactor* ClientService::GetJob(grpc::CallbackServerContext* context,
                                                const pb::GetJobRequest* request,
                                                pb::JobDetails* response) {
  auto* reactor = context->DefaultReactor();
  dispatcher_.describe(request->job_id(), answer(reactor, response));
  return reactor;
}

grpc::ServerUnaryReactor* ClientService::CancelJob(grpc::CallbackServerContext* context,
                                                   const pb::CancelJobRequest* request,
                                                   pb::CancelJobResponse* response) {
  auto* reactor = context->DefaultReactor();
  dispatcher_.cancel(request->job_id(), answer(reactor, response));
  return reactor;
}

grpc::ServerUnaryReactor* ClientService::StopJob(grpc::CallbackServerContext* context,
                                                 const pb::StopJobRequest* request,
                                                 pb::SavepointResponse* response) {
  auto* reactor = context->DefaultReactor();
  dispatcher_.stop(*request, answer(reactor, response));
  return reactor;
}

grpc::ServerUnaryReactor* ClientService::TriggerSavepoint(
    grpc::CallbackServerContext* context, const pb::TriggerSavepointRequest* request,
    pb::SavepointResponse* response) {
  auto* reactor = context->DefaultReactor();
  dispatcher_.trigger_savepoint(*request, answer(reactor, response));
  return reactor;
}

grpc::ServerUnaryReactor* ClientService::TriggerCheckpoint(
    grpc::CallbackServerContext* context, const pb::TriggerCheckpointRequest* request,
    pb::TriggerCheckpointResponse* response) {
  auto* reactor = context->DefaultReactor();
  dispatcher_.trigger_checkpoint(request->job_id(), answer(reactor, response));
  return reactor;
}

grpc::ServerUnaryReactor* ClientService::RescaleJob(grpc::CallbackServerContext* context,
                                                    const pb::RescaleJobRequest* request,
                                                    pb::RescaleJobResponse* response) {
  auto* reactor = context->DefaultReactor();
  dispatcher_.rescale(*request, answer(reactor, response));
  return reactor;
}

grpc::ServerUnaryReactor* ClientService::ListTransactions(
    grpc::CallbackServerContext* context, const pb::ListTransactionsRequest* request,
    pb::ListTransactionsResponse* response) {
  auto* reactor = context->DefaultReactor();
  dispatcher_.transactions(request->job_id(), answer(reactor, response));
  return reactor;
}

grpc::ServerUnaryReactor* ClientService::RecordTransaction(
    grpc::CallbackServerContext* context, const pb::RecordTransactionRequest* request,
    pb::RecordTransactionResponse* response) {
  auto* reactor = context->DefaultReactor();
  dispatcher_.record_transaction(*request, answer(reactor, response));
  return reactor;
}

}  // namespace weir
