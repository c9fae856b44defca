#pragma once

// A source and a sink in memory, steered by the test from outside: to be corked, to block, to
// throw. For tests.

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "weir/environment.h"
#include "weir/error.h"

namespace weir {

// What the test and the running parts share. All members are guarded by `mutex`.
struct MemoryJob {
  std::mutex mutex;
  std::condition_variable changed;

  // Source.
  std::deque<std::vector<std::string>> batches;
  bool end_of_input = false;
  bool no_more_splits = false;
  int records_read = 0;
  int polls = 0;
  bool woken = false;
  bool ignore_wake_ups = false;  // the reader hangs in poll() until cancelled
  std::vector<std::string> splits;
  std::vector<std::string> reader_events;
  std::vector<int64_t> reader_notified;
  std::function<void()> on_poll;  // may throw

  // Sink.
  bool writable = true;
  bool hang_in_collect = false;  // until cancelled, or let go
  bool hanging = false;
  std::vector<std::string> written;
  int written_since_barrier = 0;
  std::function<void()> on_prepare;  // may throw
  std::vector<std::string> released;
  std::map<std::string, std::vector<CommitStatus>> commit_script;
  std::vector<std::string> committed;
  bool cork_commits = false;
  std::vector<std::string> closed;
  uint64_t generation = 0;

  template <typename Predicate>
  bool wait(Predicate predicate) {
    std::unique_lock<std::mutex> lock(mutex);
    return changed.wait_for(lock, std::chrono::seconds(10), predicate);
  }
  template <typename F>
  void with(F function) {
    {
      const std::lock_guard<std::mutex> lock(mutex);
      function(*this);
    }
    changed.notify_all();
  }
};

class MemoryReader final : public SourceReader<std::string> {
 public:
  explicit MemoryReader(std::shared_ptr<MemoryJob> job) : job_(std::move(job)) {}

  void open(SourceReaderContext& context) override { context_ = &context; }
  void add_splits(std::span<const Split> splits) override {
    job_->with([&](MemoryJob& job) {
      for (const Split& split : splits) job.splits.push_back(split.id);
    });
    context_->send_to_coordinator("got splits");
  }
  void no_more_splits() override {
    job_->with([](MemoryJob& job) { job.no_more_splits = true; });
  }

  PollStatus poll(std::chrono::milliseconds wait) override {
    {
      std::unique_lock<std::mutex> lock(job_->mutex);
      ++job_->polls;
      job_->changed.notify_all();
      const auto something = [&] {
        return !job_->batches.empty() || job_->end_of_input || job_->woken || job_->on_poll;
      };
      if (job_->ignore_wake_ups) {
        job_->hanging = true;
        job_->changed.notify_all();
        while (!context_->cancelled()) job_->changed.wait_for(lock, std::chrono::milliseconds(1));
        throw Error("gave up");
      }
      job_->changed.wait_for(lock, wait, something);
      job_->woken = false;
      if (job_->on_poll) job_->on_poll();
      if (job_->batches.empty()) {
        return job_->end_of_input ? PollStatus::kEndOfInput : PollStatus::kIdle;
      }
      batch_ = std::move(job_->batches.front());
      job_->batches.pop_front();
      job_->records_read += static_cast<int>(batch_.size());
      job_->changed.notify_all();
    }
    for (const std::string& record : batch_) output().collect(record, kNoTimestamp);
    return PollStatus::kMoreAvailable;
  }

  std::vector<Split> snapshot(int64_t) override {
    const std::lock_guard<std::mutex> lock(job_->mutex);
    return {{"split", std::to_string(job_->records_read)}};
  }
  void notify_checkpoint_complete(int64_t checkpoint) override {
    job_->with([&](MemoryJob& job) { job.reader_notified.push_back(checkpoint); });
  }
  void on_coordinator_event(std::string_view event) override {
    job_->with([&](MemoryJob& job) { job.reader_events.emplace_back(event); });
  }
  IoCounts io_counts() const override {
    const std::lock_guard<std::mutex> lock(job_->mutex);
    return {static_cast<uint64_t>(job_->records_read), 0};
  }
  void wake_up() override {
    job_->with([](MemoryJob& job) { job.woken = true; });
  }
  void close() override {
    job_->with([](MemoryJob& job) { job.closed.push_back("reader"); });
  }

 private:
  const std::shared_ptr<MemoryJob> job_;
  SourceReaderContext* context_ = nullptr;
  std::vector<std::string> batch_;
};

// Each barrier with records makes a transaction "t<checkpoint>".
class MemoryWriter final : public SinkWriter<std::string> {
 public:
  explicit MemoryWriter(std::shared_ptr<MemoryJob> job) : job_(std::move(job)) {}

  void open(RuntimeContext& context) override {
    context_ = &context;
    job_->with([&](MemoryJob& job) { job.generation = context.generation(); });
  }
  bool writable() override {
    const std::lock_guard<std::mutex> lock(job_->mutex);
    return job_->writable;
  }
  void collect(std::string_view record, Timestamp) override {
    std::unique_lock<std::mutex> lock(job_->mutex);
    if (job_->hang_in_collect) {
      job_->hanging = true;
      job_->changed.notify_all();
      while (job_->hang_in_collect && !context_->cancelled()) {
        job_->changed.wait_for(lock, std::chrono::milliseconds(1));
      }
      if (context_->cancelled()) throw Error("gave up");
    }
    job_->written.emplace_back(record);
    ++job_->written_since_barrier;
    job_->changed.notify_all();
  }
  std::vector<Committable> prepare_commit(int64_t checkpoint) override {
    std::unique_lock<std::mutex> lock(job_->mutex);
    if (const auto on_prepare = job_->on_prepare) {
      lock.unlock();  // it may block, and the reader must still be woken
      on_prepare();
      lock.lock();
    }
    if (job_->written_since_barrier == 0) return {};
    Committable committable;
    committable.transaction = "t" + std::to_string(checkpoint);
    committable.records = job_->written_since_barrier;
    job_->written_since_barrier = 0;
    return {committable};
  }
  void release(const Committable& committable) override {
    job_->with([&](MemoryJob& job) { job.released.push_back(committable.transaction); });
  }
  void close() override {
    job_->with([](MemoryJob& job) { job.closed.push_back("writer"); });
  }

 private:
  const std::shared_ptr<MemoryJob> job_;
  RuntimeContext* context_ = nullptr;
};

class MemoryCommitter final : public Committer {
 public:
  explicit MemoryCommitter(std::shared_ptr<MemoryJob> job) : job_(std::move(job)) {}
  void open(RuntimeContext& context) override { context_ = &context; }
  CommitResult commit(const Committable& committable) override {
    std::unique_lock<std::mutex> lock(job_->mutex);
    while (job_->cork_commits && !context_->cancelled()) {
      job_->changed.wait_for(lock, std::chrono::milliseconds(1));
    }
    auto& script = job_->commit_script[committable.transaction];
    CommitStatus status = CommitStatus::kCommitted;
    if (!script.empty()) {
      status = script.front();
      script.erase(script.begin());
    }
    if (status == CommitStatus::kCommitted) job_->committed.push_back(committable.transaction);
    job_->changed.notify_all();
    return {status, "as told"};
  }

 private:
  const std::shared_ptr<MemoryJob> job_;
  RuntimeContext* context_ = nullptr;
};

class MemorySource final : public Source<std::string> {
 public:
  explicit MemorySource(std::shared_ptr<MemoryJob> job) : job_(std::move(job)) {}
  std::unique_ptr<SourceReader<std::string>> create_reader() const override {
    return std::make_unique<MemoryReader>(job_);
  }
  std::unique_ptr<SourceCoordinator> create_coordinator() const override { return nullptr; }

 private:
  std::shared_ptr<MemoryJob> job_;
};

class MemorySink final : public Sink<std::string> {
 public:
  explicit MemorySink(std::shared_ptr<MemoryJob> job) : job_(std::move(job)) {}
  std::unique_ptr<SinkWriter<std::string>> create_writer() const override {
    return std::make_unique<MemoryWriter>(job_);
  }
  std::unique_ptr<Committer> create_committer() const override {
    return std::make_unique<MemoryCommitter>(job_);
  }

 private:
  std::shared_ptr<MemoryJob> job_;
};

}  // namespace weir
