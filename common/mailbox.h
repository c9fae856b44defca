#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "common/clock.h"
#include "common/mutex.h"

namespace weir {

// A bounded event loop of one thread: what is posted runs in the order of posting, one at a time,
// so what only mailbox tasks touch needs no lock.
//
// Two ways to run it: start() gives it a thread of its own; or a thread that has other work too
// calls run_pending() / run_one(wait) in its loop, and is the mailbox's thread from the first call
// on.
//
// Thread rule: post*, cancel_timer and shutdown from any thread; run_* from the mailbox's only. The
// posters must not outlive the mailbox. A task must not throw.
class Mailbox {
 public:
  using Task = absl::AnyInvocable<void()>;
  using TimerId = uint64_t;  // 0 is none
  enum class Pending { kDrain, kDrop };

  struct Options {
    std::string name = "mailbox";  // the thread's name; Linux shows 15 characters
    size_t capacity = 65536;       // tasks waiting; timers have the same bound of their own
    const Clock* clock =
        &SystemClock::instance();  // outlives the mailbox; decides when timers are due
    // Called after each post by the poster, outside the lock: wakes a thread that sleeps elsewhere.
    // Tells nothing of timers: bound such a sleep by time_to_next_timer().
    std::function<void()> wakeup = {};
  };

  explicit Mailbox(Options options);
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;
  ~Mailbox();  // shutdown(kDrop), and joins

  void start();

  // False once shut down: the task is dropped. More than `capacity` waiting tasks is a bug and
  // aborts: whoever takes in work from outside the process uses try_post.
  bool post(Task task);
  // Unavailable once shut down; ResourceExhausted when full, a quarter being left for post().
  absl::Status try_post(Task task);
  // Posted when `delay` has passed; 0 once shut down.
  TimerId post_after(std::chrono::nanoseconds delay, Task task);
  // False if the timer has fired already, or there is none such.
  bool cancel_timer(TimerId timer);

  // From here on nothing is accepted, timers are dropped, and what waits is run (kDrain) or
  // dropped. Waits for the mailbox's own thread to end, unless called on it. Idempotent.
  void shutdown(Pending pending);

  // Runs what is posted and due now; returns how many tasks ran. Cheap when there is nothing.
  size_t run_pending();
  // Waits at most `wait` for a task and runs it; false if none came, or the mailbox was shut down.
  bool run_one(std::chrono::nanoseconds wait);

  // How long until the next timer is due (not negative); nanoseconds::max() if there is none.
  std::chrono::nanoseconds time_to_next_timer() const;
  bool on_mailbox_thread() const;
  const std::string& name() const { return options_.name; }

 private:
  using TimerKey = std::pair<MonotonicTime, TimerId>;

  absl::Status enqueue(Task task, size_t capacity);
  // Takes the next task, moving due timers into the queue first; empty if there is none.
  Task take_locked() WEIR_REQUIRES(mutex_);
  void move_due_timers_locked() WEIR_REQUIRES(mutex_);
  void publish_hints_locked() WEIR_REQUIRES(mutex_);
  void bind_thread();
  void run_thread();

  const Options options_;

  mutable Mutex mutex_;
  CondVar changed_;
  std::deque<Task> queue_ WEIR_GUARDED_BY(mutex_);
  std::map<TimerKey, Task> timers_ WEIR_GUARDED_BY(mutex_);
  std::map<TimerId, MonotonicTime> timer_due_ WEIR_GUARDED_BY(mutex_);
  TimerId last_timer_ WEIR_GUARDED_BY(mutex_) = 0;
  bool shut_down_ WEIR_GUARDED_BY(mutex_) = false;

  // Copies of the guarded state, so that run_pending() with nothing to do takes no lock.
  std::atomic<bool> has_queued_{false};
  std::atomic<int64_t> first_timer_ns_{INT64_MAX};

  std::atomic<std::thread::id> owner_{};
  Mutex join_mutex_;
  std::thread thread_ WEIR_GUARDED_BY(join_mutex_);
};

}  // namespace weir
