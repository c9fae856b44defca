#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "weir/context.h"
#include "weir/source.h"

namespace weir::kafka {

// A runtime that does nothing by itself: tests set what the connector sees and read what it says.
template <typename Base = RuntimeContext>
class FakeContext : public Base {
 public:
  const std::string& job_id() const override { return job_id_; }
  const std::string& job_name() const override { return job_id_; }
  const std::string& uid() const override { return uid_; }
  int subtask() const override { return subtask_; }
  int parallelism() const override { return parallelism_; }
  int attempt() const override { return attempt_; }
  std::uint64_t generation() const override { return generation_; }
  const CheckpointSettings& checkpoint_settings() const override { return settings_; }
  bool cancelled() const override { return cancelled_; }
  void set_gauge(std::string_view name, std::int64_t value) override {
    const std::lock_guard lock(gauges_mutex_);
    gauges_[std::string(name)] = value;
  }
  std::int64_t gauge(const std::string& name) const {
    const std::lock_guard lock(gauges_mutex_);
    const auto found = gauges_.find(name);
    return found == gauges_.end() ? -1 : found->second;
  }

  std::string uid_ = "out";
  int subtask_ = 0;
  int parallelism_ = 1;
  int attempt_ = 0;
  std::uint64_t generation_ = 1;
  CheckpointSettings settings_{std::chrono::seconds(1), std::chrono::seconds(10),
                               std::chrono::seconds(10)};
  std::atomic<bool> cancelled_{false};

 private:
  std::string job_id_ = "0123456789abcdef0123456789abcdef";
  mutable std::mutex gauges_mutex_;
  std::map<std::string, std::int64_t> gauges_;
};

class FakeReaderContext : public FakeContext<SourceReaderContext> {
 public:
  void send_to_coordinator(std::string /*event*/) override {}
};

class FakeCoordinatorContext : public FakeContext<SourceCoordinatorContext> {
 public:
  void assign_splits(int subtask, std::vector<Split> splits) override {
    std::vector<Split>& assigned = assigned_[subtask];
    for (Split& split : splits) assigned.push_back(std::move(split));
  }
  void signal_no_more_splits(int subtask) override { ended_.insert(subtask); }
  void send_to_reader(int /*subtask*/, std::string /*event*/) override {}

  std::map<int, std::vector<Split>> assigned_;
  std::set<int> ended_;
};

}  // namespace weir::kafka
