#include "common/mailbox.h"

#include <pthread.h>

#include <algorithm>

#include "common/check.h"

namespace weir {
namespace {

int64_t nanoseconds_of(MonotonicTime time) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}

}  // namespace

Mailbox::Mailbox(Options options) : options_(std::move(options)) {
  WEIR_CHECK(options_.capacity > 0) << options_.name;
}

Mailbox::~Mailbox() {
  shutdown(Pending::kDrop);
  MutexLock lock(join_mutex_);
  WEIR_CHECK(!thread_.joinable()) << "mailbox " << options_.name << " destroyed on its own thread";
}

void Mailbox::start() {
  MutexLock lock(join_mutex_);
  WEIR_CHECK(!thread_.joinable()) << "mailbox " << options_.name << " started twice";
  thread_ = std::thread([this] { run_thread(); });
}

bool Mailbox::post(Task task) {
  const absl::Status status = enqueue(std::move(task), options_.capacity);
  WEIR_CHECK(!absl::IsResourceExhausted(status)) << status.ToString();
  return status.ok();
}

absl::Status Mailbox::try_post(Task task) {
  return enqueue(std::move(task), options_.capacity - options_.capacity / 4);
}

absl::Status Mailbox::enqueue(Task task, size_t capacity) {
  {
    MutexLock lock(mutex_);
    if (shut_down_) return absl::UnavailableError("mailbox " + options_.name + " is shut down");
    if (queue_.size() >= capacity) {
      return absl::ResourceExhaustedError("mailbox " + options_.name + " is full: " +
                                          std::to_string(queue_.size()) + " tasks wait");
    }
    queue_.push_back(std::move(task));
    publish_hints_locked();
    changed_.notify_one();
  }
  if (options_.wakeup) options_.wakeup();
  return absl::OkStatus();
}

Mailbox::TimerId Mailbox::post_after(std::chrono::nanoseconds delay, Task task) {
  const MonotonicTime due =
      options_.clock->now() + std::max(delay, std::chrono::nanoseconds::zero());
  MutexLock lock(mutex_);
  if (shut_down_) return 0;
  WEIR_CHECK(timers_.size() < options_.capacity)
      << "mailbox " << options_.name << " has " << timers_.size() << " timers";
  const TimerId timer = ++last_timer_;
  timers_.emplace(TimerKey(due, timer), std::move(task));
  timer_due_.emplace(timer, due);
  publish_hints_locked();
  changed_.notify_one();  // the waiter may be waiting for a later timer
  return timer;
}

bool Mailbox::cancel_timer(TimerId timer) {
  Task cancelled;  // destroyed outside the lock
  MutexLock lock(mutex_);
  const auto due = timer_due_.find(timer);
  if (due == timer_due_.end()) return false;
  const auto entry = timers_.find(TimerKey(due->second, timer));
  cancelled = std::move(entry->second);
  timers_.erase(entry);
  timer_due_.erase(due);
  publish_hints_locked();
  return true;
}

void Mailbox::shutdown(Pending pending) {
  std::deque<Task> dropped;  // destroyed outside the lock: a destructor may post
  std::map<TimerKey, Task> dropped_timers;
  {
    MutexLock lock(mutex_);
    shut_down_ = true;
    dropped_timers.swap(timers_);
    timer_due_.clear();
    if (pending == Pending::kDrop) dropped.swap(queue_);
    publish_hints_locked();
    changed_.notify_all();
  }
  dropped.clear();
  dropped_timers.clear();
  if (on_mailbox_thread()) return;
  MutexLock lock(join_mutex_);
  if (thread_.joinable()) thread_.join();
}

size_t Mailbox::run_pending() {
  bind_thread();
  if (!has_queued_.load(std::memory_order_acquire)) {
    const int64_t first_timer_ns = first_timer_ns_.load(std::memory_order_acquire);
    if (first_timer_ns == INT64_MAX || first_timer_ns > nanoseconds_of(options_.clock->now())) {
      return 0;
    }
  }
  size_t waiting = 0;  // a task that posts itself again must not keep us here
  {
    MutexLock lock(mutex_);
    move_due_timers_locked();
    waiting = queue_.size();
  }
  size_t ran = 0;
  while (ran < waiting) {
    Task task;
    {
      MutexLock lock(mutex_);
      task = take_locked();
    }
    if (!task) break;  // dropped meanwhile by a shutdown
    task();
    ++ran;
  }
  return ran;
}

bool Mailbox::run_one(std::chrono::nanoseconds wait) {
  bind_thread();
  const MonotonicTime give_up = SystemClock::instance().now() + wait;
  Task task;
  {
    MutexLock lock(mutex_);
    while (!(task = take_locked())) {
      const MonotonicTime now = SystemClock::instance().now();
      if (shut_down_ || now >= give_up) return false;
      MonotonicTime until = give_up;
      if (!timers_.empty()) {
        // A manual clock may never get there, so its distance is only a bound on the sleep.
        until = std::min(until, now + (timers_.begin()->first.first - options_.clock->now()));
      }
      changed_.wait_until(mutex_, until);
    }
  }
  task();
  return true;
}

void Mailbox::run_thread() {
  pthread_setname_np(pthread_self(), options_.name.substr(0, 15).c_str());
  bind_thread();
  while (true) {
    Task task;
    {
      MutexLock lock(mutex_);
      while (!(task = take_locked())) {
        if (shut_down_) return;
        if (timers_.empty()) {
          changed_.wait(mutex_);
        } else {
          changed_.wait_until(mutex_, SystemClock::instance().now() +
                                          (timers_.begin()->first.first - options_.clock->now()));
        }
      }
    }
    task();
  }
}

Mailbox::Task Mailbox::take_locked() {
  move_due_timers_locked();
  if (queue_.empty()) return nullptr;
  Task task = std::move(queue_.front());
  queue_.pop_front();
  publish_hints_locked();
  return task;
}

void Mailbox::move_due_timers_locked() {
  if (timers_.empty()) return;
  const MonotonicTime now = options_.clock->now();
  while (!timers_.empty() && timers_.begin()->first.first <= now) {
    const auto first = timers_.begin();
    queue_.push_back(std::move(first->second));
    timer_due_.erase(first->first.second);
    timers_.erase(first);
  }
  publish_hints_locked();
}

void Mailbox::publish_hints_locked() {
  has_queued_.store(!queue_.empty(), std::memory_order_release);
  first_timer_ns_.store(timers_.empty() ? INT64_MAX : nanoseconds_of(timers_.begin()->first.first),
                        std::memory_order_release);
}

std::chrono::nanoseconds Mailbox::time_to_next_timer() const {
  const int64_t first_timer_ns = first_timer_ns_.load(std::memory_order_acquire);
  if (first_timer_ns == INT64_MAX) return std::chrono::nanoseconds::max();
  const int64_t now_ns = nanoseconds_of(options_.clock->now());
  return std::chrono::nanoseconds(std::max<int64_t>(0, first_timer_ns - now_ns));
}

bool Mailbox::on_mailbox_thread() const {
  return owner_.load(std::memory_order_acquire) == std::this_thread::get_id();
}

void Mailbox::bind_thread() {
  std::thread::id none;
  if (owner_.compare_exchange_strong(none, std::this_thread::get_id())) return;
  WEIR_CHECK(none == std::this_thread::get_id())
      << "mailbox " << options_.name << " is run by two threads";
}

}  // namespace weir
