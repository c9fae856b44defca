// The part of the JobController that takes its job to another parallelism: a checkpoint first,
// which becomes the recovery point in the same write that changes the graph, then a new attempt.
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "jobmanager/job/job_controller.h"
#include "jobmanager/plan/rescale.h"

namespace weir {

namespace {

absl::Status too_few_slots(int32_t needed, int32_t slots) {
  return absl::FailedPreconditionError(
      absl::StrCat("parallelism ", needed, " needs ", needed, " slots and the job can have ", slots,
                   ": start more TaskManagers, or raise taskmanager.numberOfTaskSlots; the job "
                   "goes on as it is"));
}

}  // namespace

void JobController::rescale(const pb::RescaleJobRequest& request, int32_t slots,
                            Reply<pb::RescaleJobResponse> reply) {
  if (machine_.step() != AttemptStep::kRunning || machine_.settling()) {
    return reply(absl::FailedPreconditionError(absl::StrCat("job ", job_id_, " is ",
                                                            std::string(machine_.job_state()),
                                                            ": only a running job is rescaled")));
  }
  if (rescale_) {
    return reply(
        absl::FailedPreconditionError(absl::StrCat("job ", job_id_, " is being rescaled already")));
  }
  const auto graph = rescale_graph(record_.graph(), plan(), request, record_.max_parallelism());
  if (!graph.ok()) return reply(graph.status());
  pb::RescaleJobResponse begun;
  begun.set_attempt(attempt_.attempt.value());
  if (same_parallelism(*graph, record_.graph())) return reply(begun);
  auto plan = JobPlan::make(*graph);
  if (!plan.ok()) return reply(plan.status());
  if (plan->slots_needed() > slots) return reply(too_few_slots(plan->slots_needed(), slots));

  CheckpointDecisions decisions;
  const auto id = checkpoints_.request(CheckpointKind::kRescale, "", now(), decisions);
  if (!id.ok()) return reply(id.status());
  rescale_ = Rescale{*id, *graph, *std::move(plan), {}};
  begun.set_changed(true);
  if (request.detached()) {
    reply(begun);
  } else {
    rescale_->reply = std::move(reply);
  }
  execute(std::move(decisions));
}

void JobController::rescale_completed() {
  Rescale done = *std::exchange(rescale_, std::nullopt);
  WEIR_LOG_INFO(log_context(), "goes on from checkpoint {} with parallelism {} instead of {}",
                done.checkpoint, done.plan.slots_needed(), plan().slots_needed());
  if (done.reply) {
    pb::RescaleJobResponse response;
    response.set_changed(true);
    response.set_attempt(attempt_.attempt.value());
    response.set_checkpoint_id(done.checkpoint.value());
    done.reply(response);
  }
  rescaled_ = std::move(done.plan);
}

void JobController::rescale_failed(const std::string& cause) {
  Rescale failed = *std::exchange(rescale_, std::nullopt);
  if (failed.reply) {
    failed.reply(absl::AbortedError(absl::StrCat(
        "the checkpoint failed: ", cause, ": the job keeps parallelism ", plan().slots_needed())));
  }
}

}  // namespace weir
