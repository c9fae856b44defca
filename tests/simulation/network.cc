#include "tests/simulation/network.h"

#include <algorithm>

namespace weir::simulation {

void Connection::send(End from, std::function<void()> work) {
  if (!open_[from] || broken_) return;
  const End to = from == kClient ? kServer : kClient;
  const int64_t ready_us =
      std::max(network_.events().now_us(), network_.cut_until_us(processes_[0], processes_[1]));
  const int64_t arrival_us = std::max(last_arrival_us_[to] + 1, ready_us + network_.delay_us());
  last_arrival_us_[to] = arrival_us;
  processes_[to]->at(arrival_us, [this, to, work = std::move(work)] {
    if (open_[to]) work();
  });
}

void Connection::close(End from) {
  if (!open_[from]) return;
  open_[from] = false;
  if (broken_) return;
  broken_ = true;
  tell_closed(from == kClient ? kServer : kClient, network_.delay_us());
}

void Connection::tell_closed(End end, int64_t delay_us) {
  const int64_t ready_us =
      std::max(network_.events().now_us(), network_.cut_until_us(processes_[0], processes_[1]));
  processes_[end]->at(std::max(last_arrival_us_[end] + 1, ready_us + delay_us), [this, end] {
    if (!open_[end]) return;
    open_[end] = false;
    if (closed_[end]) closed_[end]();
  });
}

Connection* Network::connect(Process& client, Process& server) {
  connections_.emplace_back(new Connection(*this, client, server));
  return connections_.back().get();
}

void Network::cut(const Process* a, const Process* b, int64_t until_us) {
  cuts_[link(a, b)] = until_us;
}

int64_t Network::cut_until_us(const Process* a, const Process* b) const {
  const auto cut = cuts_.find(link(a, b));
  return cut == cuts_.end() ? 0 : cut->second;
}

void Network::process_died(const Process& process) {
  for (auto& connection : connections_) {
    for (const auto end : {Connection::kClient, Connection::kServer}) {
      if (connection->processes_[end] == &process) connection->close(end);
    }
  }
}

void Network::break_connections(const Process& process) {
  for (auto& connection : connections_) {
    if (connection->broken_) continue;
    if (connection->processes_[0] != &process && connection->processes_[1] != &process) continue;
    connection->broken_ = true;
    connection->tell_closed(Connection::kClient, delay_us());
    connection->tell_closed(Connection::kServer, delay_us());
  }
}

int64_t Network::delay_us() {
  if (random_.chance(slow_probability_)) return random_.between(2, 60) * kMillisecond;
  return random_.between(50, 800);
}

}  // namespace weir::simulation
