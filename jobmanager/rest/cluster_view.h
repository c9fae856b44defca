#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "jobmanager/job/reply.h"
#include "proto/client.pb.h"

namespace weir {

// A registered TaskManager, for clients.
struct TaskManagerInfo {
  std::string id;
  std::string host;
  int64_t pid = 0;
  int32_t slots = 0;
  int32_t slots_free = 0;
  int64_t last_heartbeat_ms = 0;
  uint64_t memory_bytes = 0;
};

// What REST sees of the cluster; the Dispatcher implements it. Thread-safe: every call only
// enqueues, and answers on any thread. NotFound: no job has this id. FailedPrecondition: the job
// has ended, or can't do this now.
class ClusterView {
 public:
  virtual ~ClusterView() = default;

  virtual void describe(const std::string& job_id, Reply<pb::JobDetails> reply) = 0;
  // Jobs that have ended are among them.
  virtual void describe_all(Reply<std::vector<pb::JobDetails>> reply) = 0;
  virtual void list_taskmanagers(Reply<std::vector<TaskManagerInfo>> reply) = 0;
  virtual void transactions(const std::string& job_id,
                            Reply<pb::ListTransactionsResponse> reply) = 0;

  virtual void cancel(const std::string& job_id, Reply<pb::CancelJobResponse> reply) = 0;
  // Answers when the job has finished.
  virtual void stop(const pb::StopJobRequest& request, Reply<pb::SavepointResponse> reply) = 0;
  virtual void trigger_savepoint(const pb::TriggerSavepointRequest& request,
                                 Reply<pb::SavepointResponse> reply) = 0;
  virtual void trigger_checkpoint(const std::string& job_id,
                                  Reply<pb::TriggerCheckpointResponse> reply) = 0;
  virtual void rescale(const pb::RescaleJobRequest& request,
                       Reply<pb::RescaleJobResponse> reply) = 0;
};

}  // namespace weir
