// A source that makes its records, for trying things out and for tests.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weir/codec.h"
#include "weir/error.h"
#include "weir/source.h"

namespace weir {

namespace internal {

// The records first, first + stride, … below `end`; `next` is the one to come.
struct GeneratorSplit {
  std::uint8_t version = 1;
  std::uint64_t next = 0;
  std::uint64_t stride = 1;
  std::uint64_t end = 0;
};
WEIR_FIELDS(GeneratorSplit, version, next, stride, end)

std::unique_ptr<SourceCoordinator> create_generator_coordinator(std::uint64_t count);

// Lets `rate` records a second pass, from its start on; 0: any number.
class RateLimiter {
 public:
  using Clock = std::chrono::steady_clock;

  explicit RateLimiter(double records_per_second) : rate_(records_per_second) {}

  void start(Clock::time_point now) { start_ = now; }
  // How many records may pass now, at most `records_max`.
  std::uint64_t take(Clock::time_point now, std::uint64_t records_max);
  // When the next one may.
  Clock::time_point next() const;

 private:
  const double rate_;
  Clock::time_point start_{};
  std::uint64_t passed_ = 0;
};

// Sleeps that another thread can end.
class WakeUp {
 public:
  void wait_until(std::chrono::steady_clock::time_point deadline) {
    std::unique_lock lock(mutex_);
    woken_.wait_until(lock, deadline, [this] { return is_woken_; });
    is_woken_ = false;
  }
  void wake_up() {
    const std::lock_guard lock(mutex_);
    is_woken_ = true;
    woken_.notify_one();
  }

 private:
  std::mutex mutex_;
  std::condition_variable woken_;
  bool is_woken_ = false;
};

template <typename T>
class GeneratorReader final : public SourceReader<T> {
 public:
  using Function = std::function<T(std::uint64_t)>;
  using Clock = RateLimiter::Clock;

  GeneratorReader(Function function, double records_per_second)
      : function_(std::move(function)), records_per_second_(records_per_second) {}

  void open(SourceReaderContext& context) override {
    limiter_.emplace(records_per_second_ / context.parallelism());
    limiter_->start(Clock::now());
  }

  void add_splits(std::span<const Split> splits) override {
    for (const Split& split : splits) {
      const auto state = decode<GeneratorSplit>(split.state);
      if (state.version != 1) throw FatalError("the generator's state has an unknown version");
      splits_.push_back({split.id, state});
    }
  }

  void no_more_splits() override { no_more_splits_ = true; }

  PollStatus poll(std::chrono::milliseconds wait) override {
    if (is_at_end()) {
      if (no_more_splits_) return PollStatus::kEndOfInput;
      wake_up_.wait_until(Clock::now() + wait);
      return PollStatus::kIdle;
    }
    constexpr std::uint64_t kBatch = 1024;
    std::uint64_t records = limiter_->take(Clock::now(), kBatch);
    if (records == 0) {
      wake_up_.wait_until(std::min(limiter_->next(), Clock::now() + wait));
      records = limiter_->take(Clock::now(), kBatch);
      if (records == 0) return PollStatus::kIdle;
    }
    generate(records);
    return PollStatus::kMoreAvailable;
  }

  std::vector<Split> snapshot(std::int64_t /*checkpoint_id*/) override {
    std::vector<Split> splits;
    for (const Owned& owned : splits_) splits.push_back({owned.id, encode(owned.state)});
    return splits;
  }

  IoCounts io_counts() const override { return counts_; }
  void wake_up() override { wake_up_.wake_up(); }

 private:
  struct Owned {
    std::string id;
    GeneratorSplit state;
  };

  bool is_at_end() const {
    for (const Owned& owned : splits_) {
      if (owned.state.next < owned.state.end) return false;
    }
    return true;
  }

  // One record of each split in turn. The batch lives until the next one.
  void generate(std::uint64_t records) {
    batch_.clear();
    while (records > 0 && !is_at_end()) {
      for (Owned& owned : splits_) {
        GeneratorSplit& split = owned.state;
        if (records == 0 || split.next >= split.end) continue;
        this->output().collect(batch_.emplace_back(function_(split.next)), kNoTimestamp);
        split.next = split.end - split.next > split.stride ? split.next + split.stride : split.end;
        --records;
        ++counts_.records;
      }
    }
  }

  const Function function_;
  const double records_per_second_;
  std::optional<RateLimiter> limiter_;
  std::vector<Owned> splits_;
  bool no_more_splits_ = false;
  std::deque<T> batch_;  // of stable addresses
  IoCounts counts_;
  WakeUp wake_up_;
};

}  // namespace internal

// Makes the records function(0), function(1), … in as many splits as the source has subtasks when
// the job first starts; split i of n makes every n-th record from the i-th on. The positions are in
// the checkpoint, so a restarted job goes on exactly where it was, at any parallelism.
//
//   GeneratorSource<std::string>([](std::uint64_t i) { return "line " + std::to_string(i); })
//       .count(1000).records_per_second(100)
template <typename T>
class GeneratorSource : public Source<T> {
 public:
  using Function = std::function<T(std::uint64_t)>;

  // `function` must return the same for the same index, each time.
  explicit GeneratorSource(Function function) : function_(std::move(function)) {}

  // Ends after this many records; without it, never.
  GeneratorSource& count(std::uint64_t count) { return count_ = count, *this; }
  // Of the whole source.
  GeneratorSource& records_per_second(double rate) {
    if (!(rate > 0)) throw FatalError("the generator's rate must be above 0 records a second");
    return records_per_second_ = rate, *this;
  }

  std::unique_ptr<SourceReader<T>> create_reader() const override {
    return std::make_unique<internal::GeneratorReader<T>>(function_, records_per_second_);
  }
  std::unique_ptr<SourceCoordinator> create_coordinator() const override {
    return internal::create_generator_coordinator(count_);
  }

 private:
  Function function_;
  std::uint64_t count_ = std::numeric_limits<std::uint64_t>::max();
  double records_per_second_ = 0;
};

}  // namespace weir
