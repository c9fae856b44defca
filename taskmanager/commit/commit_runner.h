#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <vector>

#include "common/mailbox.h"
#include "taskmanager/runtime/user_code.h"
#include "weir/sink.h"

namespace weir {

// Commits the committables of one sink subtask on a thread of its own, so that a broker that is
// away stops neither records nor barriers. Each committable is retried for ever with a backoff of
// its own; one that fails doesn't hold up the others.
//
// Thread rule: submit() and the destructor from one thread; the callbacks run on the runner's. The
// destructor waits for a commit that is under way and drops the rest: a recovery commits it.
class CommitRunner {
 public:
  struct Callbacks {
    // Committed or lost; once for each committable.
    std::function<void(const Committable&, const CommitResult&)> on_result;
    // The committer threw: nothing is committed any more.
    std::function<void(Failure)> on_failure;
  };
  struct Backoff {
    std::chrono::milliseconds first{10};
    std::chrono::milliseconds max{1000};
  };

  // Opens the committer on the runner's thread. The context outlives the runner.
  CommitRunner(std::unique_ptr<Committer> committer, RuntimeContext& context, Callbacks callbacks,
               Backoff backoff);
  CommitRunner(const CommitRunner&) = delete;
  CommitRunner& operator=(const CommitRunner&) = delete;
  ~CommitRunner();

  void submit(std::vector<Committable> committables);

 private:
  void commit(Committable committable, std::chrono::milliseconds backoff);
  void retry_later(Committable committable, const CommitResult& result,
                   std::chrono::milliseconds backoff);
  void fail(Failure failure);

  const std::unique_ptr<Committer> committer_;
  RuntimeContext& context_;
  const Callbacks callbacks_;
  const Backoff backoff_;
  std::atomic<bool> stopping_{false};
  bool failed_ = false;  // the runner's thread only
  Mailbox mailbox_;
};

}  // namespace weir
