#include "weir/generator.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace weir::internal {
namespace {

// As the first version of the state is: the number of splits, none of them begun.
constexpr std::size_t kStateOfOneNumber = sizeof(std::uint32_t);

// Deals the splits out round robin. Its own state is where they began in this attempt.
class GeneratorCoordinator final : public SourceCoordinator {
 public:
  explicit GeneratorCoordinator(std::uint64_t count) : count_(count) {}

  void open(SourceCoordinatorContext& context) override { context_ = &context; }
  void validate() override {}

  std::string resolve() override {
    return encode(unbegun(static_cast<std::uint32_t>(context_->parallelism())));
  }

  void restore(std::string_view state, std::span<const Split> splits) override {
    splits_ = state.size() == kStateOfOneNumber ? unbegun(decode<std::uint32_t>(state))
                                                : decode<std::vector<GeneratorSplit>>(state);
    set_positions(splits);
  }

  void start() override {
    std::vector<int> all(static_cast<std::size_t>(context_->parallelism()));
    std::iota(all.begin(), all.end(), 0);
    assign(all);
  }

  bool restarts_readers() const override { return true; }
  void restart_readers(std::span<const int> subtasks, std::span<const Split> positions) override {
    set_positions(positions);
    assign(subtasks);
  }

  std::string snapshot(std::int64_t /*checkpoint_id*/) override { return encode(splits_); }

 private:
  std::vector<GeneratorSplit> unbegun(std::uint32_t split_count) const {
    std::vector<GeneratorSplit> splits;
    for (std::uint32_t i = 0; i < split_count; ++i) {
      splits.push_back({1, std::min<std::uint64_t>(i, count_), split_count, count_});
    }
    return splits;
  }

  void set_positions(std::span<const Split> positions) {
    for (const Split& split : positions) {
      splits_.at(std::stoul(split.id)) = decode<GeneratorSplit>(split.state);
    }
  }

  // Split i is always the same subtask's.
  void assign(std::span<const int> subtasks) {
    const auto readers = static_cast<std::size_t>(context_->parallelism());
    for (const int subtask : subtasks) {
      std::vector<Split> assigned;
      for (auto i = static_cast<std::size_t>(subtask); i < splits_.size(); i += readers) {
        assigned.push_back({std::to_string(i), encode(splits_[i])});
      }
      if (!assigned.empty()) context_->assign_splits(subtask, std::move(assigned));
      context_->signal_no_more_splits(subtask);
    }
  }

  const std::uint64_t count_;
  SourceCoordinatorContext* context_ = nullptr;
  std::vector<GeneratorSplit> splits_;
};

}  // namespace

std::unique_ptr<SourceCoordinator> create_generator_coordinator(std::uint64_t count) {
  return std::make_unique<GeneratorCoordinator>(count);
}

std::uint64_t RateLimiter::take(Clock::time_point now, std::uint64_t records_max) {
  if (rate_ == 0) return records_max;
  const double elapsed_s = std::chrono::duration<double>(now - start_).count();
  const auto allowed = static_cast<std::uint64_t>(std::max(0.0, std::floor(elapsed_s * rate_)));
  const std::uint64_t records =
      std::min(records_max, allowed > passed_ ? allowed - passed_ : std::uint64_t{0});
  passed_ += records;
  return records;
}

RateLimiter::Clock::time_point RateLimiter::next() const {
  if (rate_ == 0) return start_;
  const std::chrono::duration<double> after(static_cast<double>(passed_ + 1) / rate_);
  // Rounded up: waiting until then is enough.
  return start_ + std::chrono::ceil<Clock::duration>(after);
}

}  // namespace weir::internal
