#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "common/ids.h"
#include "proto/client.pb.h"

namespace weir {

// What a job's controller asks of the dispatcher. Thread-safe: calls only enqueue, answers come
// into the job's mailbox.
class JobServices {
 public:
  virtual ~JobServices() = default;

  // Answered by JobController::slots_granted() or slots_refused().
  virtual void request_slots(const std::string& job_id, Attempt attempt, int32_t count,
                             std::chrono::milliseconds timeout) = 0;
  // Those that were granted to this attempt or one before it.
  virtual void release_slots(const std::string& job_id, Attempt attempt,
                             const std::string& taskmanager) = 0;
  virtual void release_all_slots(const std::string& job_id, Attempt attempt) = 0;
  // Those of exactly this attempt: it isn't interested any more.
  virtual void return_slots(const std::string& job_id, Attempt attempt) = 0;
  // Answered by JobController::resources_granted() or resources_refused().
  virtual void claim_resources(const std::string& job_id, std::vector<std::string> resources) = 0;
  // The job's end is durable: nobody needs its controller any more.
  virtual void job_terminated(const std::string& job_id, pb::JobDetails details) = 0;
};

}  // namespace weir
