#include "tests/simulation/event_queue.h"

#include <algorithm>

#include "absl/strings/str_format.h"
#include "common/check.h"

namespace weir::simulation {
namespace {

constexpr size_t kStoryMax = 4000;

}  // namespace

void EventQueue::at(int64_t time_us, std::function<void()> work) {
  heap_.push_back({std::max(time_us, now_us_), order_++, std::move(work)});
  std::push_heap(heap_.begin(), heap_.end(), Later());
}

bool EventQueue::step() {
  if (heap_.empty()) return false;
  std::pop_heap(heap_.begin(), heap_.end(), Later());
  Event event = std::move(heap_.back());
  heap_.pop_back();
  WEIR_CHECK(event.time_us >= now_us_);
  now_us_ = event.time_us;
  ++steps_;
  event.work();
  return true;
}

void EventQueue::trace(const std::string& who, const std::string& what) {
  if (story_.size() == kStoryMax) story_.pop_front();
  story_.push_back(
      absl::StrFormat("%10.3f ms  %-14s %s", static_cast<double>(now_us_) / 1000.0, who, what));
}

void Process::after(int64_t delay_us, std::function<void()> work) {
  at(events_.now_us() + delay_us, std::move(work));
}

void Process::at(int64_t time_us, std::function<void()> work) {
  if (!alive_) return;
  events_.at(time_us, [this, work = std::move(work)]() mutable { run(std::move(work)); });
}

void Process::run(std::function<void()> work) {
  if (!alive_) return;
  if (stopped_ || draining_) {
    due_.push_back(std::move(work));
    return;
  }
  work();
}

void Process::kill() {
  if (!alive_) return;
  WEIR_TRACE(events_, name_, "is killed");
  alive_ = false;
  due_.clear();
}

void Process::stop() {
  if (!alive_ || stopped_) return;
  WEIR_TRACE(events_, name_, "is stopped");
  stopped_ = true;
}

void Process::resume() {
  if (!alive_ || !stopped_) return;
  WEIR_TRACE(events_, name_, "goes on");
  stopped_ = false;
  if (!draining_) {
    draining_ = true;
    events_.after(0, [this] { drain(); });
  }
}

// One piece of work per event, so that others may act in between.
void Process::drain() {
  if (!alive_ || stopped_ || due_.empty()) {
    draining_ = false;
    return;
  }
  std::function<void()> work = std::move(due_.front());
  due_.pop_front();
  work();
  events_.after(20, [this] { drain(); });
}

}  // namespace weir::simulation
