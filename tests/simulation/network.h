#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "tests/simulation/event_queue.h"
#include "tests/simulation/random.h"

namespace weir::simulation {

// A TCP connection: what is sent arrives in order, or the connection breaks and the rest of it
// doesn't arrive at all. Each end learns of a break at its own time, after what arrived before.
class Connection {
 public:
  enum End { kClient = 0, kServer = 1 };

  // Runs `work` in the process at the other end.
  void send(End from, std::function<void()> work);
  void close(End from);
  bool open(End end) const { return open_[end]; }
  void on_closed(End end, std::function<void()> handler) { closed_[end] = std::move(handler); }
  Process& process(End end) { return *processes_[end]; }

 private:
  friend class Network;
  Connection(class Network& network, Process& client, Process& server)
      : network_(network), processes_{&client, &server} {}
  void tell_closed(End end, int64_t delay_us);

  class Network& network_;
  Process* processes_[2];
  bool open_[2] = {true, true};
  bool broken_ = false;  // nothing sent from now on arrives
  int64_t last_arrival_us_[2] = {0, 0};
  std::function<void()> closed_[2];
};

// Delays, cuts and breaks. Nothing is lost silently, as TCP has it: during a cut things wait.
class Network {
 public:
  Network(EventQueue& events, Random& random, double slow_probability)
      : events_(events), random_(random), slow_probability_(slow_probability) {}
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  Connection* connect(Process& client, Process& server);
  // Nothing passes between the two until then; a null process stands for Kafka.
  void cut(const Process* a, const Process* b, int64_t until_us);
  int64_t cut_until_us(const Process* a, const Process* b) const;
  // The kernel closes the connections of a killed process.
  void process_died(const Process& process);
  // Breaks a connection of the process as a router in between would.
  void break_connections(const Process& process);

  int64_t delay_us();
  void calm_down() { slow_probability_ = 0; }
  EventQueue& events() { return events_; }

 private:
  using Link = std::pair<const Process*, const Process*>;
  static Link link(const Process* a, const Process* b) {
    return std::less<const Process*>()(a, b) ? Link(a, b) : Link(b, a);
  }

  EventQueue& events_;
  Random& random_;
  double slow_probability_;
  std::map<Link, int64_t> cuts_;
  std::vector<std::unique_ptr<Connection>> connections_;
};

}  // namespace weir::simulation
