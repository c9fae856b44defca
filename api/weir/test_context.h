// For tests of operators, sources and sinks without a cluster.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weir/context.h"
#include "weir/output.h"
#include "weir/source.h"

namespace weir {

// A context whose answers are plain members. `Base` is one of the contexts.
template <typename Base>
class TestContextBase : public Base {
 public:
  const std::string& job_id() const override { return job_id_value; }
  const std::string& job_name() const override { return job_name_value; }
  const std::string& uid() const override { return uid_value; }
  int subtask() const override { return subtask_value; }
  int parallelism() const override { return parallelism_value; }
  int attempt() const override { return attempt_value; }
  std::uint64_t generation() const override { return generation_value; }
  const CheckpointSettings& checkpoint_settings() const override { return settings_value; }
  bool cancelled() const override { return cancelled_value; }
  void set_gauge(std::string_view name, std::int64_t value) override {
    gauges[std::string(name)] = value;
  }

  std::string job_id_value = "00000000000000000000000000000001";
  std::string job_name_value = "test";
  std::string uid_value = "uid";
  int subtask_value = 0;
  int parallelism_value = 1;
  int attempt_value = 0;
  std::uint64_t generation_value = 1;
  CheckpointSettings settings_value;
  bool cancelled_value = false;
  std::map<std::string, std::int64_t> gauges;
};

class TestContext final : public TestContextBase<RuntimeContext> {};

class TestReaderContext final : public TestContextBase<SourceReaderContext> {
 public:
  void send_to_coordinator(std::string event) override { sent.push_back(std::move(event)); }

  std::vector<std::string> sent;
};

class TestCoordinatorContext final : public TestContextBase<SourceCoordinatorContext> {
 public:
  void assign_splits(int subtask, std::vector<Split> splits) override {
    for (Split& split : splits) assigned[subtask].push_back(std::move(split));
  }
  void signal_no_more_splits(int subtask) override { no_more_splits.push_back(subtask); }
  void send_to_reader(int subtask, std::string event) override {
    sent.emplace_back(subtask, std::move(event));
  }

  std::map<int, std::vector<Split>> assigned;
  std::vector<int> no_more_splits;
  std::vector<std::pair<int, std::string>> sent;
};

// Keeps what it's given.
template <typename T>
class TestOutput final : public Output<T> {
 public:
  void collect(ViewOf<T> value, Timestamp timestamp) override {
    values.emplace_back(value);
    timestamps.push_back(timestamp);
  }

  std::vector<T> values;
  std::vector<Timestamp> timestamps;
};

}  // namespace weir
