#include "taskmanager/commit/commit_runner.h"

#include <algorithm>
#include <utility>

#include "common/log.h"

namespace weir {

CommitRunner::CommitRunner(std::unique_ptr<Committer> committer, RuntimeContext& context,
                           Callbacks callbacks, Backoff backoff)
    : committer_(std::move(committer)),
      context_(context),
      callbacks_(std::move(callbacks)),
      backoff_(backoff),
      mailbox_({.name = "commit " + context.uid()}) {
  mailbox_.post([this] {
    if (auto failure = run_user_code([&] { committer_->open(context_); })) {
      fail(*std::move(failure));
    }
  });
  mailbox_.start();
}

CommitRunner::~CommitRunner() {
  stopping_ = true;
  mailbox_.shutdown(Mailbox::Pending::kDrop);
}

void CommitRunner::submit(std::vector<Committable> committables) {
  for (Committable& committable : committables) {
    mailbox_.post([this, committable = std::move(committable)]() mutable {
      commit(std::move(committable), backoff_.first);
    });
  }
}

void CommitRunner::commit(Committable committable, std::chrono::milliseconds backoff) {
  if (failed_ || stopping_) return;
  CommitResult result;
  if (auto failure = run_user_code([&] { result = committer_->commit(committable); })) {
    fail(*std::move(failure));
    return;
  }
  if (result.status == CommitStatus::kRetry) {
    retry_later(std::move(committable), result, backoff);
    return;
  }
  callbacks_.on_result(committable, result);
}

void CommitRunner::retry_later(Committable committable, const CommitResult& result,
                               std::chrono::milliseconds backoff) {
  if (backoff == backoff_.first || backoff == backoff_.max) {
    WEIR_LOG_WARN({}, "sink '{}' can't commit transaction {} yet, retrying: {}", context_.uid(),
                  committable.transaction, result.message);
  }
  const auto next = std::min(backoff * 2, backoff_.max);
  mailbox_.post_after(backoff, [this, committable = std::move(committable), next]() mutable {
    commit(std::move(committable), next);
  });
}

void CommitRunner::fail(Failure failure) {
  failed_ = true;
  callbacks_.on_failure(std::move(failure));
}

}  // namespace weir
