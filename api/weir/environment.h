#pragma once

#include <chrono>
#include <map>
#include <string>
#include <string_view>
#include <typeinfo>
#include <utility>

#include "weir/stream.h"

namespace weir {

enum class CheckpointingMode { kExactlyOnce, kAtLeastOnce };
enum class ExternalizedCheckpointRetention { kDeleteOnCancellation, kRetainOnCancellation };

// How a job comes back after a failure.
class RestartStrategy {
 public:
  static RestartStrategy none();
  static RestartStrategy fixed_delay(int attempts, std::chrono::milliseconds delay);
  static RestartStrategy exponential_delay(std::chrono::milliseconds initial_backoff,
                                           std::chrono::milliseconds max_backoff,
                                           double backoff_multiplier = 1.5);
  static RestartStrategy failure_rate(int max_failures_per_interval,
                                      std::chrono::milliseconds interval,
                                      std::chrono::milliseconds delay);

  const std::map<std::string, std::string>& configuration() const { return configuration_; }

 private:
  std::map<std::string, std::string> configuration_;
};

// What a job's entry point builds its streams from. What is set here wins over the cluster's
// configuration and over `weir run -Dkey=value`.
//
// Not thread-safe: used in the entry point only.
class StreamExecutionEnvironment {
 public:
  StreamExecutionEnvironment() = default;
  // Streams point into it.
  StreamExecutionEnvironment(const StreamExecutionEnvironment&) = delete;
  StreamExecutionEnvironment& operator=(const StreamExecutionEnvironment&) = delete;

  void set_job_name(std::string name) { graph_.job_name = std::move(name); }
  // Of every operator that sets none itself. `weir run -p` sets it when the job doesn't.
  void set_parallelism(int parallelism);
  // The number of key groups, and so the most subtasks that keyed state can be divided among; at
  // most 32768. Fixed for the job's life when it first runs; by default 128, or 1.5 times the
  // parallelism rounded up to a power of two.
  void set_max_parallelism(int max_parallelism);

  void enable_checkpointing(std::chrono::milliseconds interval,
                            CheckpointingMode mode = CheckpointingMode::kExactlyOnce);
  void set_checkpoint_timeout(std::chrono::milliseconds timeout);
  void set_min_pause_between_checkpoints(std::chrono::milliseconds pause);
  void set_max_concurrent_checkpoints(int checkpoints);
  // How many checkpoints in a row may fail before the job does; 0: a failed one fails the job.
  void set_tolerable_checkpoint_failures(int failures);
  void set_externalized_checkpoint_retention(ExternalizedCheckpointRetention retention);
  void set_restart_strategy(const RestartStrategy& strategy);
  // Any key of the configuration page, by its name.
  void set(std::string key, std::string value);

  // S is a Source<T>, e.g. KafkaSource<T>.
  template <typename S>
  DataStream<typename S::Element> from_source(
      S source, const WatermarkStrategy<typename S::Element>& watermarks, const std::string& name) {
    using T = typename S::Element;
    static_assert(std::is_base_of_v<Source<T>, S>, "from_source() takes a Source<T>");
    const int parallelism_max = source.parallelism_max();
    std::string caveat = source.caveat();
    const int id = internal::add_node(
        graph_, NodeKind::kSource, name, {}, typeid(T).name(),
        std::make_shared<internal::SourceNode<T, S>>(std::move(source), watermarks));
    StreamNode& node = graph_.nodes[static_cast<std::size_t>(id)];
    node.parallelism_max = parallelism_max;
    node.caveat = std::move(caveat);
    return {graph_, id};
  }
  // Without event time.
  template <typename S>
  DataStream<typename S::Element> from_source(S source, const std::string& name) {
    return from_source(std::move(source), WatermarkStrategy<typename S::Element>::no_watermarks(),
                       name);
  }

  const StreamGraph& graph() const { return graph_; }

 private:
  StreamGraph graph_;
};

}  // namespace weir
