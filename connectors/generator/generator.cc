#include "weir/generator.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace weir::internal {
namespace {

// Deals the splits out round robin once per attempt. Its own state is the list it began with.
class GeneratorCoordinator final : public SourceCoordinator {
 public:
  explicit GeneratorCoordinator(std::uint64_t count) : count_(count) {}

  void open(SourceCoordinatorContext& context) override { context_ = &context; }
  void validate() override {}

  std::string resolve() override {
    return encode(static_cast<std::uint32_t>(context_->parallelism()));
  }

  void restore(std::string_view state, std::span<const Split> splits) override {
    const auto split_count = decode<std::uint32_t>(state);
    state_ = state;
    std::map<std::string, std::string> positions;
    for (const Split& split : splits) positions[split.id] = split.state;
    splits_.clear();
    for (std::uint32_t i = 0; i < split_count; ++i) {
      const std::string id = std::to_string(i);
      const auto found = positions.find(id);
      splits_.push_back({id, found != positions.end()
                                 ? found->second
                                 : encode(GeneratorSplit{1, std::min<std::uint64_t>(i, count_),
                                                         split_count, count_})});
    }
  }

  void start() override {
    const auto readers = static_cast<std::size_t>(context_->parallelism());
    std::vector<std::vector<Split>> assigned(readers);
    for (std::size_t i = 0; i < splits_.size(); ++i) assigned[i % readers].push_back(splits_[i]);
    for (std::size_t reader = 0; reader < readers; ++reader) {
      const int subtask = static_cast<int>(reader);
      if (!assigned[reader].empty()) context_->assign_splits(subtask, std::move(assigned[reader]));
      context_->signal_no_more_splits(subtask);
    }
  }

  std::string snapshot(std::int64_t /*checkpoint_id*/) override { return state_; }

 private:
  const std::uint64_t count_;
  SourceCoordinatorContext* context_ = nullptr;
  std::string state_;
  std::vector<Split> splits_;
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
