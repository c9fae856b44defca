#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir {

// What the job's checkpointing promises; sinks check their own timeouts against it.
struct CheckpointSettings {
  std::chrono::milliseconds interval{0};  // 0: no periodic checkpoints
  std::chrono::milliseconds timeout{0};
  // How long the job may be down (sink.restart-budget).
  std::chrono::milliseconds restart_budget{0};
};

// Who and where a running operator, source reader, sink writer or coordinator is. Lives as long as
// what it was given to. Thread-safe.
class RuntimeContext {
 public:
  virtual ~RuntimeContext() = default;

  virtual const std::string& job_id() const = 0;
  virtual const std::string& job_name() const = 0;
  // Of the operator, unique in its job and the same in every attempt.
  virtual const std::string& uid() const = 0;
  // 0 … parallelism - 1; -1 for a coordinator.
  virtual int subtask() const = 0;
  virtual int parallelism() const = 0;
  virtual int attempt() const = 0;
  // Of the attempt: durable before any of its tasks starts, larger than that of every earlier one.
  virtual std::uint64_t generation() const = 0;
  virtual const CheckpointSettings& checkpoint_settings() const = 0;

  // True once the task is being cancelled: whoever waits must give up soon.
  virtual bool cancelled() const = 0;
  // Shown among the task's metrics.
  virtual void set_gauge(std::string_view name, std::int64_t value) = 0;
};

}  // namespace weir
