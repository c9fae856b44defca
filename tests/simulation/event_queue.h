#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <queue>
#include <string>
#include <utility>
#include <vector>

#include "common/clock.h"

namespace weir::simulation {

inline constexpr int64_t kMillisecond = 1000;  // virtual time is in microseconds
inline constexpr int64_t kSecond = 1000 * kMillisecond;

// Virtual time, what happens in it, and the story of it. Events of one instant run in the order in
// which they were scheduled.
class EventQueue {
 public:
  explicit EventQueue(bool tracing) : tracing_(tracing) {}
  EventQueue(const EventQueue&) = delete;
  EventQueue& operator=(const EventQueue&) = delete;

  int64_t now_us() const { return now_us_; }
  // For cores that take a time.
  MonotonicTime now() const {
    return MonotonicTime(std::chrono::hours(1) + std::chrono::microseconds(now_us_));
  }
  int64_t now_ms() const { return now_us_ / kMillisecond; }

  void at(int64_t time_us, std::function<void()> work);
  void after(int64_t delay_us, std::function<void()> work) {
    at(now_us_ + delay_us, std::move(work));
  }
  // Runs the next event; false if there is none.
  bool step();
  uint64_t steps() const { return steps_; }

  // A trace costs more than the run, so it is kept only when a seed is run again to be looked at.
  bool tracing() const { return tracing_; }
  void trace(const std::string& who, const std::string& what);
  const std::deque<std::string>& story() const { return story_; }

 private:
  struct Event {
    int64_t time_us;
    uint64_t order;
    std::function<void()> work;
  };
  struct Later {
    bool operator()(const Event& a, const Event& b) const {
      return a.time_us != b.time_us ? a.time_us > b.time_us : a.order > b.order;
    }
  };

  const bool tracing_;
  int64_t now_us_ = 0;
  uint64_t order_ = 0;
  uint64_t steps_ = 0;
  std::vector<Event> heap_;
  std::deque<std::string> story_;
};

// An operating-system process: it can be killed for good, or stopped and continued (a zombie, if
// the others gave it up meanwhile). What a killed process scheduled never runs; what becomes due
// while it is stopped runs in the same order when it is continued.
class Process {
 public:
  Process(EventQueue& events, std::string name) : events_(events), name_(std::move(name)) {}
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  const std::string& name() const { return name_; }
  EventQueue& events() { return events_; }
  bool alive() const { return alive_; }
  bool stopped() const { return stopped_; }

  void after(int64_t delay_us, std::function<void()> work);
  void at(int64_t time_us, std::function<void()> work);

  void kill();
  void stop();
  void resume();

 private:
  void run(std::function<void()> work);
  void drain();

  EventQueue& events_;
  const std::string name_;
  bool alive_ = true;
  bool stopped_ = false;
  bool draining_ = false;
  std::deque<std::function<void()>> due_;
};

}  // namespace weir::simulation

// Builds the text only when somebody will read it.
#define WEIR_TRACE(events, who, what)                      \
  do {                                                     \
    if ((events).tracing()) (events).trace((who), (what)); \
  } while (false)
