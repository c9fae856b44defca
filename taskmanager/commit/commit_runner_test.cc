#include "taskmanager/commit/commit_runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>

#include "common/mutex.h"
#include "taskmanager/runtime/attempt_context.h"
#include "weir/error.h"

namespace weir {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

Committable committable(std::string transaction) {
  Committable result;
  result.transaction = std::move(transaction);
  return result;
}

// Answers as told for each transaction; kCommitted when nothing is told.
class ScriptedCommitter final : public Committer {
 public:
  explicit ScriptedCommitter(std::map<std::string, std::vector<CommitStatus>> script)
      : script_(std::move(script)) {}
  void open(RuntimeContext&) override {}
  CommitResult commit(const Committable& committable) override {
    auto& answers = script_[committable.transaction];
    if (answers.empty()) return {};
    const CommitStatus status = answers.front();
    answers.erase(answers.begin());
    return {status, "as told"};
  }

 private:
  std::map<std::string, std::vector<CommitStatus>> script_;
};

class ThrowingCommitter final : public Committer {
 public:
  void open(RuntimeContext&) override {}
  CommitResult commit(const Committable&) override { throw FatalError("not authorised"); }
};

class CommitRunnerTest : public testing::Test {
 protected:
  void start(std::unique_ptr<Committer> committer) {
    CommitRunner::Callbacks callbacks;
    callbacks.on_result = [this](const Committable& done, const CommitResult& result) {
      MutexLock lock(mutex_);
      results_.push_back(done.transaction + (result.status == CommitStatus::kLost ? " lost" : ""));
      changed_.notify_all();
    };
    callbacks.on_failure = [this](Failure failure) {
      MutexLock lock(mutex_);
      failure_ = std::move(failure);
      changed_.notify_all();
    };
    runner_ = std::make_unique<CommitRunner>(std::move(committer), context_, std::move(callbacks),
                                             CommitRunner::Backoff{1ms, 4ms});
  }

  std::vector<std::string> wait_for_results(size_t count) {
    const auto deadline = std::chrono::steady_clock::now() + 10s;
    MutexLock lock(mutex_);
    while (results_.size() < count && changed_.wait_until(mutex_, deadline)) {
    }
    return results_;
  }

  Failure wait_for_failure() {
    const auto deadline = std::chrono::steady_clock::now() + 10s;
    MutexLock lock(mutex_);
    while (!failure_ && changed_.wait_until(mutex_, deadline)) {
    }
    return failure_.value_or(Failure{"none came"});
  }

  Mutex mutex_;
  CondVar changed_;
  std::vector<std::string> results_;
  std::optional<Failure> failure_;
  std::atomic<bool> cancelled_{false};
  Gauges gauges_;
  AttemptContext<RuntimeContext> context_{{}, "out", 0, 1, cancelled_, gauges_};
  std::unique_ptr<CommitRunner> runner_;
};

TEST_F(CommitRunnerTest, CommitsInTheOrderOfSubmission) {
  start(std::make_unique<ScriptedCommitter>(std::map<std::string, std::vector<CommitStatus>>{}));
  runner_->submit({committable("a"), committable("b")});
  runner_->submit({committable("c")});
  EXPECT_THAT(wait_for_results(3), ElementsAre("a", "b", "c"));
}

TEST_F(CommitRunnerTest, RetriesOneWithoutHoldingUpTheOthers) {
  const std::vector<CommitStatus> busy(6, CommitStatus::kRetry);
  start(std::make_unique<ScriptedCommitter>(
      std::map<std::string, std::vector<CommitStatus>>{{"a", busy}}));
  runner_->submit({committable("a"), committable("b")});
  EXPECT_THAT(wait_for_results(2), ElementsAre("b", "a"));
}

TEST_F(CommitRunnerTest, ReportsWhatIsLostAndGoesOn) {
  start(std::make_unique<ScriptedCommitter>(
      std::map<std::string, std::vector<CommitStatus>>{{"a", {CommitStatus::kLost}}}));
  runner_->submit({committable("a"), committable("b")});
  EXPECT_THAT(wait_for_results(2), ElementsAre("a lost", "b"));
}

TEST_F(CommitRunnerTest, AThrowingCommitterFailsWithItsText) {
  start(std::make_unique<ThrowingCommitter>());
  runner_->submit({committable("a")});
  const Failure failure = wait_for_failure();
  EXPECT_EQ(failure.cause, "not authorised");
  EXPECT_TRUE(failure.fatal);
}

TEST_F(CommitRunnerTest, EndsWhileACommitIsRetriedForEver) {
  start(std::make_unique<ScriptedCommitter>(std::map<std::string, std::vector<CommitStatus>>{
      {"a", std::vector<CommitStatus>(100000, CommitStatus::kRetry)}}));
  runner_->submit({committable("a")});
  runner_.reset();
  EXPECT_TRUE(results_.empty());
}

}  // namespace
}  // namespace weir
