#pragma once

// The tasks of a whole job in one process, connected by real channels. For tests.

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/mutex.h"
#include "taskmanager/network/network_environment.h"
#include "taskmanager/runtime/control_sender.h"
#include "taskmanager/state/keyed_state_backends.h"
#include "taskmanager/task/task.h"

namespace weir {

// Thread-safe as Task is. The sender outlives it.
class WiredTasks {
 public:
  struct Vertex {
    std::vector<int> chain;
    int parallelism = 1;
  };
  struct Options {
    StreamGraph graph;
    std::vector<Vertex> vertices;  // upstream first
    ControlSender* sender = nullptr;
    std::function<void(TaskSpec&)> adjust = [](TaskSpec&) {};
  };
  static constexpr char kJob[] = "00112233445566778899aabbccddeeff";

  explicit WiredTasks(Options options) : options_(std::move(options)) {
    number_edges();
    for (int vertex = 0; vertex < static_cast<int>(options_.vertices.size()); ++vertex) {
      for (int subtask = 0; subtask < options_.vertices[vertex].parallelism; ++subtask) {
        deploy(vertex, subtask);
      }
    }
  }
  ~WiredTasks() {
    for (auto& [key, task] : tasks_) task->cancel();
  }

  // When all are DEPLOYED.
  void start() {
    for (auto& [key, task] : tasks_) task->start(Generation(7));
  }
  Task& task(int vertex, int subtask = 0) { return *tasks_.at({vertex, subtask}); }
  size_t size() const { return tasks_.size(); }
  NetworkEnvironment& network() { return *network_; }

  // Nothing of them runs any more; false after 10 s.
  bool end() {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    MutexLock lock(mutex_);
    while (ended_ < tasks_.size() && changed_.wait_until(mutex_, deadline)) {
    }
    return ended_ == tasks_.size();
  }

 private:
  void number_edges() {
    for (const Vertex& vertex : options_.vertices) {
      for (const int to : vertex.chain) {
        for (const StreamEdge& edge : options_.graph.nodes[to].inputs) {
          if (vertex_of(edge.from) == vertex_of(to)) continue;
          edges_.push_back({.edge = static_cast<int>(edges_.size()),
                            .from = edge.from,
                            .output = edge.output,
                            .to = to,
                            .partitioning = edge.partitioning});
        }
      }
    }
  }

  int vertex_of(int node) const {
    for (size_t i = 0; i < options_.vertices.size(); ++i) {
      const std::vector<int>& chain = options_.vertices[i].chain;
      if (std::find(chain.begin(), chain.end(), node) != chain.end()) return static_cast<int>(i);
    }
    return -1;
  }

  void deploy(int vertex, int subtask) {
    TaskSpec spec;
    spec.attempt.job_id = kJob;
    spec.attempt.attempt = 3;
    spec.vertex = vertex;
    spec.subtask = subtask;
    spec.parallelism = options_.vertices[vertex].parallelism;
    spec.name = "vertex " + std::to_string(vertex) + " (" + std::to_string(subtask + 1) + "/" +
                std::to_string(spec.parallelism) + ")";
    spec.chain = options_.vertices[vertex].chain;
    spec.key_groups = key_group_range(subtask, spec.parallelism, spec.max_parallelism);
    spec.buffer_timeout = std::chrono::milliseconds(0);
    for (const CutEdge& edge : edges_) {
      if (vertex_of(edge.to) == vertex) spec.gates.push_back({edge, channels_of(edge, subtask)});
      if (vertex_of(edge.from) == vertex) {
        const int readers = options_.vertices[vertex_of(edge.to)].parallelism;
        spec.outputs.push_back({edge, edge.partitioning == Partitioning::kForward ? 1 : readers});
      }
    }
    options_.adjust(spec);
    tasks_[{vertex, subtask}] =
        std::make_unique<Task>(Task::Options{.spec = std::move(spec),
                                             .build_graph = [this] { return options_.graph; },
                                             .sender = options_.sender,
                                             .network = network_.get(),
                                             .state_backends = &state_backends_,
                                             .on_ended = [this] { on_ended(); },
                                             .commit_backoff = {}});
  }

  std::vector<InputChannel> channels_of(const CutEdge& edge, int subtask) const {
    const bool forward = edge.partitioning == Partitioning::kForward;
    std::vector<InputChannel> channels;
    const int producer = vertex_of(edge.from);
    for (int from = 0; from < options_.vertices[producer].parallelism; ++from) {
      if (forward && from != subtask) continue;
      channels.push_back({.partition = partition_id_of(kJob, 3, producer, edge.edge, from),
                          .channel = forward ? 0 : subtask,
                          .address = network_->address()});
    }
    return channels;
  }

  void on_ended() {
    MutexLock lock(mutex_);
    ++ended_;
    changed_.notify_all();
  }

  const Options options_;
  std::vector<CutEdge> edges_;
  const std::unique_ptr<NetworkEnvironment> network_ =
      *NetworkEnvironment::start({.memory_bytes = 8 << 20});
  KeyedStateBackends state_backends_{"", {}};  // hashmap only
  Mutex mutex_;
  CondVar changed_;
  size_t ended_ WEIR_GUARDED_BY(mutex_) = 0;
  std::map<std::pair<int, int>, std::unique_ptr<Task>> tasks_;  // by vertex and subtask
};

}  // namespace weir
