// The part of the JobController that follows what becomes of the sinks' transactions.
#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "jobmanager/checkpoint/checkpoint_publisher.h"
#include "jobmanager/job/job_controller.h"

namespace weir {

namespace {

// Outcomes that no publication writes down; a recovery finds them out again if they are lost.
constexpr std::chrono::seconds kLedgerFlushDelay{1};

// As many exceptions as Flink shows of a job.
constexpr int kAcceptedLossesKept = 16;

}  // namespace

void JobController::on_commit(const pb::CommitReported& report) {
  if (!machine_.live_attempts().contains(Attempt(report.attempt()))) return;
  const std::string& transaction = report.committable().transaction();
  const bool unknown = !ledger_.find(report.sink_uid(), transaction);
  const bool changed = ledger_.record_outcome(report.sink_uid(), transaction, report.state(),
                                              report.message(), wall_ms());
  if (changed) flush_ledger_soon();
  // Nothing that a checkpoint carries is unknown here; a loss is said all the same.
  if (!changed && !unknown) return;
  if (report.state() == pb::LedgerEntry::LOST) on_lost(report);
  check_final_commits();
}

void JobController::on_lost(const pb::CommitReported& report) {
  const std::string loss = describe_loss(report.sink_uid(), report.committable(), report.message());
  WEIR_LOG_ERROR(log_context(), "{}", loss);
  if (machine_.settling() && options_.on_lost_transaction != OnLostTransaction::kAccept) {
    environment_.writer.update(
        [](pb::JobRecord& record) {
          record.set_intent(pb::JobRecord::FAIL);
          return absl::OkStatus();
        },
        on_mailbox(nullptr));
    return execute(machine_.lost_while_settling("sink", loss));
  }
  switch (options_.on_lost_transaction) {
    case OnLostTransaction::kAccept:
      return accept_loss(loss);
    case OnLostTransaction::kFail:
      return fail_attempt("sink", absl::StrCat(loss, " (sink.on-lost-transaction: fail)"), true);
    case OnLostTransaction::kRewind:
      return rewind_before(report.committable().checkpoint_id(), loss);
  }
}

void JobController::accept_loss(const std::string& loss) {
  const pb::Fault entry =
      make_fault("sink", absl::StrCat(loss, " (sink.on-lost-transaction: accept)"));
  // Seen at once, durable when the writer comes to it.
  const auto apply = [entry](pb::JobRecord& record) {
    auto* losses = record.mutable_accepted_losses();
    if (losses->size() >= kAcceptedLossesKept) losses->DeleteSubrange(0, 1);
    *losses->Add() = entry;
    return absl::OkStatus();
  };
  (void)apply(record_);
  environment_.writer.update(apply, on_mailbox(nullptr));
}

void JobController::rewind_before(int64_t checkpoint, const std::string& loss) {
  const bool possible =
      record_.checkpoints_size() > 0 && record_.checkpoints(0).checkpoint_id() < checkpoint;
  if (!possible) {
    return fail_attempt("sink",
                        absl::StrCat(loss,
                                     " (no checkpoint from before it is retained: raise "
                                     "execution.checkpointing.num-retained)"),
                        true);
  }
  auto before = std::make_shared<pb::JobRecord>();
  environment_.writer.update(
      [checkpoint, before](pb::JobRecord& record) {
        *before = record;
        auto* pointers = record.mutable_checkpoints();
        while (pointers->size() > 1 &&
               pointers->Get(pointers->size() - 1).checkpoint_id() >= checkpoint) {
          pointers->RemoveLast();
        }
        return absl::OkStatus();
      },
      on_mailbox([this, before](JobRecordWriter::Result result) {
        if (!result.status.ok()) return;  // the next attempt finds the loss again
        environment_.writer.run([before, after = std::move(result.record), files = state_files_] {
          if (const absl::Status deleted = files->delete_subsumed(*before, after); !deleted.ok()) {
            WEIR_LOG_WARN(LogContext{}, "job {}: {}", after.job_id(),
                          std::string(deleted.message()));
          }
        });
      }));
  fail_attempt("sink",
               absl::StrCat(loss, " (sink.on-lost-transaction: rewind, to before checkpoint ",
                            checkpoint, ": what was committed since may repeat)"),
               false);
}

void JobController::flush_ledger_soon() {
  if (ledger_timer_ != 0) return;
  ledger_timer_ = environment_.mailbox.post_after(kLedgerFlushDelay, [this] {
    ledger_timer_ = 0;
    write_ledgers_in_turn();
  });
}

void JobController::write_ledgers_in_turn() {
  environment_.writer.run([ledger = ledger_.to_proto(environment_.leader_epoch),
                           folder = options_.checkpoint_folder, record = record_] {
    if (ledger.entries().empty()) return;
    if (const absl::Status written = write_ledgers(ledger, folder, record); !written.ok()) {
      WEIR_LOG_WARN(LogContext{}, "job {}: {}", ledger.job_id(), std::string(written.message()));
    }
  });
}

std::optional<OldestPrepared> JobController::oldest_prepared() const {
  const auto entry = ledger_.oldest_prepared();
  if (entry && (!unpublished_since_ms_ || entry->changed_time_ms() <= *unpublished_since_ms_)) {
    return OldestPrepared{entry->changed_time_ms(), entry->committable().transaction(),
                          entry->sink_uid(), entry->committable().checkpoint_id()};
  }
  if (unpublished_since_ms_) return OldestPrepared{*unpublished_since_ms_};
  return std::nullopt;
}

void JobController::check_transaction_age() {
  environment_.mailbox.cancel_timer(age_timer_);
  age_timer_ = 0;
  if (!transaction_age_.timeout() || machine_.step() == AttemptStep::kDone) return;
  const bool may_checkpoint =
      machine_.step() == AttemptStep::kRunning && checkpoints_.in_progress() == 0;
  const auto oldest = oldest_prepared();
  TransactionAge::Verdict verdict = transaction_age_.check(oldest, may_checkpoint, wall_ms());
  if (verdict.begins) {
    WEIR_LOG_WARN(log_context(), "{} ms old: {}", wall_ms() - oldest->since_ms, verdict.warning);
  } else if (verdict.ends) {
    WEIR_LOG_INFO(log_context(), "no transaction is near its timeout any more");
  }
  if (verdict.warning != age_warning_) {
    age_warning_ = std::move(verdict.warning);
    state_may_have_changed();
  }
  if (verdict.checkpoint) {
    CheckpointDecisions decisions;
    // Refused only while the job takes its last checkpoint.
    (void)checkpoints_.request(CheckpointKind::kCheckpoint, "", now(), decisions);
    execute(std::move(decisions));
  }
  age_timer_ = environment_.mailbox.post_after(transaction_age_.check_interval(),
                                               [this] { check_transaction_age(); });
}

void JobController::check_final_commits() {
  if (final_checkpoint_ && machine_.step() == AttemptStep::kFinishing &&
      ledger_.open_of(*final_checkpoint_) == 0) {
    execute(machine_.final_commits_known(attempt_.attempt));
  }
}

void JobController::record_transaction(const pb::RecordTransactionRequest& request,
                                       Reply<pb::RecordTransactionResponse> reply) {
  const absl::Status recorded = ledger_.record_by_hand(
      request.sink_uid(), request.transaction(), request.state(), request.message(), wall_ms());
  if (!recorded.ok()) return reply(recorded);
  check_final_commits();
  environment_.writer.run([ledger = ledger_.to_proto(environment_.leader_epoch),
                           folder = options_.checkpoint_folder, record = record_,
                           reply = std::move(reply)]() mutable {
    const absl::Status written = write_ledgers(ledger, folder, record);
    if (!written.ok()) return reply(written);
    reply(pb::RecordTransactionResponse());
  });
}

}  // namespace weir
