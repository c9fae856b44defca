#include "taskmanager/task/sink_driver.h"

#include <utility>

#include "api/library/convert.h"
#include "common/clock.h"
#include "common/fault_point.h"
#include "common/log.h"
#include "proto/control.pb.h"
#include "weir/error.h"

namespace weir {

SinkDriver::SinkDriver(TaskChain::Sink& sink, AttemptInfo attempt, int subtask, int parallelism,
                       const std::atomic<bool>& cancelled, Gauges& gauges, ControlSender& sender,
                       PostToTask post, CommitRunner::Backoff backoff)
    : sink_(sink),
      context_(std::move(attempt), sink.uid, subtask, parallelism, cancelled, gauges),
      sender_(sender),
      post_(std::move(post)),
      backoff_(backoff) {}

void SinkDriver::open(uint64_t generation) {
  context_.set_generation(generation);
  sink_.writer->open(context_);
  if (sink_.committer != nullptr) start_runner();
}

void SinkDriver::start_runner() {
  CommitRunner::Callbacks callbacks;
  callbacks.on_result = [this](const Committable& committable, const CommitResult& result) {
    report(committable, result);
    post_([this, transaction = committable.transaction, status = result.status] {
      execute(tracker_.on_commit_result(transaction, status));
    });
  };
  callbacks.on_failure = [this](Failure failure) {
    post_([failure = std::move(failure)] {
      if (failure.fatal) throw FatalError(failure.cause);
      throw Error(failure.cause);
    });
  };
  runner_ = std::make_unique<CommitRunner>(std::move(sink_.committer), context_,
                                           std::move(callbacks), backoff_);
}

void SinkDriver::snapshot(CheckpointId checkpoint, pb::OperatorState& state) {
  std::vector<Committable> prepared = sink_.writer->prepare_commit(checkpoint.value());
  if (!prepared.empty() && runner_ == nullptr) {
    throw FatalError("the sink prepares transactions but has no committer");
  }
  auto carried = tracker_.on_barrier(checkpoint, std::move(prepared));
  if (!carried.ok()) throw Error(std::string(carried.status().message()));
  state.set_uid(sink_.uid);
  state.set_subtask(context_.subtask());
  for (const Committable& committable : *carried) *state.add_committables() = to_proto(committable);
  state.set_writer_state(sink_.writer->snapshot(checkpoint.value()));
  show_commits();
}

void SinkDriver::notify_checkpoint_complete(CheckpointId checkpoint) {
  execute(tracker_.on_notify(checkpoint));
}

void SinkDriver::execute(CommitTracker::Decision decision) {
  for (const Committable& committable : decision.to_release) sink_.writer->release(committable);
  if (!decision.to_commit.empty()) runner_->submit(std::move(decision.to_commit));
  show_commits();
}

void SinkDriver::show_commits() {
  context_.set_gauge("uncommittedTransactions", static_cast<int64_t>(tracker_.unsettled()));
  context_.set_gauge("waitsForCommits", tracker_.is_behind() ? 1 : 0);
  const std::optional<CommitWait::Change> change = commit_wait_.check(tracker_, unix_now_ms());
  if (!change) return;
  const LogContext log_context = {.job = JobId::parse(context_.job_id()),
                                  .attempt = Attempt(context_.attempt()),
                                  .checkpoint = std::nullopt,
                                  .subtask = std::nullopt};
  WEIR_LOG(change->begins ? LogLevel::kWarn : LogLevel::kInfo, log_context, "sink '{}' ({}/{}) {}",
           sink_.uid, context_.subtask() + 1, context_.parallelism(), change->message);
}

void SinkDriver::report(const Committable& committable, const CommitResult& result) {
  WEIR_FAULT_POINT("task.committed_not_reported");
  pb::FromTaskManager message;
  pb::CommitReported& reported = *message.mutable_commit_reported();
  reported.set_job_id(context_.job_id());
  reported.set_attempt(context_.attempt());
  reported.set_sink_uid(sink_.uid);
  reported.set_subtask(context_.subtask());
  *reported.mutable_committable() = to_proto(committable);
  reported.set_state(result.status == CommitStatus::kCommitted ? pb::LedgerEntry::COMMITTED
                                                               : pb::LedgerEntry::LOST);
  reported.set_message(result.message);
  sender_.send(std::move(message));
  WEIR_FAULT_POINT("task.commit_reported");
}

}  // namespace weir
