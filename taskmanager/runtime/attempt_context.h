#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "taskmanager/runtime/gauges.h"
#include "weir/context.h"

namespace weir {

// The job's side of every context in an attempt.
struct AttemptInfo {
  std::string job_id;
  std::string job_name;
  int attempt = 0;
  CheckpointSettings checkpoint_settings;
};

// RuntimeContext's methods for any of the interfaces derived from it. The cancelled flag and the
// gauges outlive it.
template <typename Interface>
class AttemptContext : public Interface {
 public:
  AttemptContext(AttemptInfo attempt, std::string uid, int subtask, int parallelism,
                 const std::atomic<bool>& cancelled, Gauges& gauges)
      : attempt_(std::move(attempt)),
        uid_(std::move(uid)),
        subtask_(subtask),
        parallelism_(parallelism),
        cancelled_(cancelled),
        gauges_(gauges) {}

  const std::string& job_id() const override { return attempt_.job_id; }
  const std::string& job_name() const override { return attempt_.job_name; }
  const std::string& uid() const override { return uid_; }
  int subtask() const override { return subtask_; }
  int parallelism() const override { return parallelism_; }
  int attempt() const override { return attempt_.attempt; }
  std::uint64_t generation() const override { return generation_; }
  const CheckpointSettings& checkpoint_settings() const override {
    return attempt_.checkpoint_settings;
  }
  bool cancelled() const override { return cancelled_; }
  void set_gauge(std::string_view name, std::int64_t value) override {
    gauges_.set(uid_, name, value);
  }

  // A coordinator is opened before the generation is decided.
  void set_generation(std::uint64_t generation) { generation_ = generation; }

 private:
  const AttemptInfo attempt_;
  const std::string uid_;
  const int subtask_;
  const int parallelism_;
  const std::atomic<bool>& cancelled_;
  Gauges& gauges_;
  std::atomic<std::uint64_t> generation_{0};
};

}  // namespace weir
