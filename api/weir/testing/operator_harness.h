// Runs one operator in memory, with any parallelism, from its input edge to its outputs.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "weir/graph.h"
#include "weir/state/keyed_state.h"
#include "weir/state/state_key.h"
#include "weir/state/testing/map_backend.h"
#include "weir/test_context.h"
#include "weir/testing/vector_channels.h"

namespace weir::testing {

// Keeps records and what happens between them.
template <typename T>
class HarnessOutput final : public Output<T> {
 public:
  void collect(ViewOf<T> value, Timestamp timestamp) override {
    values.emplace_back(value);
    timestamps.push_back(timestamp);
  }
  void watermark(Timestamp watermark) override { watermarks.push_back(watermark); }
  void idle(bool idle) override { idles.push_back(idle); }

  std::vector<T> values;
  std::vector<Timestamp> timestamps;
  std::vector<Timestamp> watermarks;
  std::vector<bool> idles;
};

// What a snapshot of all subtasks holds; restored at any parallelism.
struct HarnessSnapshot {
  struct Entry {
    std::string table;  // by name: numbers belong to one operator's life
    std::string key;
    std::string value;
  };
  std::vector<Entry> entries;
  std::vector<OperatorList> lists;
};

// Where the operator's state is besides its tables.
enum class HarnessBackend {
  kHeap,    // nowhere: a snapshot holds everything
  kStored,  // in a backend that has all entries; the tables may keep but a few
};

// The subtasks of a graph's operator, fed as in a job: records are encoded, partitioned by the
// operator's first input edge and received in batches.
//
//   OperatorHarness<std::string, std::int64_t> harness(env.graph(), /*node=*/1, /*parallelism=*/2);
//   harness.open();
//   harness.push("a", 5);
//   harness.watermark(10);
//   EXPECT_THAT(harness.output().values, ElementsAre(…));
//   const HarnessSnapshot snapshot = harness.snapshot();
//
// The outputs of all subtasks are one. Records are delivered at the latest by the next call that
// isn't push().
template <typename In, typename Out>
class OperatorHarness {
 public:
  static constexpr int kMaxParallelism = 128;

  OperatorHarness(const StreamGraph& graph, int node, int parallelism,
                  HarnessBackend backend = HarnessBackend::kHeap)
      : node_(graph.nodes[static_cast<std::size_t>(node)]),
        parallelism_(parallelism),
        stored_(backend == HarnessBackend::kStored),
        channels_(parallelism, 4096),
        sender_(node_.inputs[0].factory->create_sender(channels_, kMaxParallelism)) {}

  // Before open(). Records of a tag that isn't asked for are dropped.
  template <typename Side>
  HarnessOutput<Side>& side_output(const OutputTag<Side>& tag) {
    auto output = std::make_shared<HarnessOutput<Side>>();
    side_outputs_.push_back({tag.id(), typeid(Side).name(), output.get()});
    side_output_owners_.push_back(output);
    return *output;
  }

  void open(const HarnessSnapshot& snapshot = {}) {
    for (int subtask = 0; subtask < parallelism_; ++subtask) open_subtask(subtask, snapshot);
  }

  void push(ViewOf<In> value, Timestamp timestamp = kNoTimestamp) {
    static_cast<Output<In>&>(*sender_).collect(value, timestamp);
  }
  void watermark(Timestamp watermark) {
    sender_->watermark(watermark);
    deliver();
  }
  void idle(bool idle) {
    sender_->idle(idle);
    deliver();
  }
  // To all subtasks.
  void processing_time(Timestamp now) {
    deliver();
    for (auto& subtask : subtasks_) subtask->op->advance_processing_time(now);
  }
  // Of all subtasks.
  Timestamp next_processing_timer() const {
    Timestamp next = kMaxWatermark;
    for (const auto& subtask : subtasks_) {
      next = std::min(next, subtask->op->next_processing_timer());
    }
    return next;
  }
  // What was pushed since, as one batch to each subtask.
  void deliver() {
    for (std::size_t i = 0; i < subtasks_.size(); ++i) {
      deliver_to(*subtasks_[i], channels_.take(static_cast<int>(i)));
      subtasks_[i]->op->end_batch();
    }
  }

  // `between` runs while the snapshot is open, after each slice of it.
  HarnessSnapshot snapshot(const std::function<void()>& between = {}) {
    deliver();
    HarnessSnapshot result;
    for (auto& subtask : subtasks_) {
      for (OperatorList& list : subtask->op->snapshot_lists()) result.lists.push_back(list);
    }
    for (auto& subtask : subtasks_) {
      if (subtask->state != nullptr) begin_cut(*subtask, result);
    }
    for (auto& subtask : subtasks_) {
      if (subtask->state == nullptr) continue;
      while (!subtask->state->snapshot_some(3)) {
        if (between) between();
      }
      take_cut(*subtask, result);
    }
    return result;
  }

  HarnessOutput<Out>& output() { return output_; }
  const std::map<std::string, std::int64_t>& gauges(int subtask) const {
    return subtasks_[static_cast<std::size_t>(subtask)]->context.gauges;
  }

 private:
  struct Subtask {
    TestContext context;
    NoBackend heap;
    MapBackend stored{2000};                  // little: entries come and go
    std::unique_ptr<RecordingOutput> output;  // of the open cut
    CutNumber cut = 0;
    std::unique_ptr<Operator> op;
    std::unique_ptr<RecordReceiver> receiver;
    KeyedStateBase* state = nullptr;
  };

  void open_subtask(int index, const HarnessSnapshot& snapshot) {
    subtasks_.push_back(std::make_unique<Subtask>());
    Subtask& subtask = *subtasks_.back();
    subtask.context.subtask_value = index;
    subtask.context.parallelism_value = parallelism_;
    subtask.op = node_.factory->create_operator(output_, SideOutputs(side_outputs_));
    subtask.receiver = node_.inputs[0].factory->create_receiver(subtask.op->input());
    const KeyGroupRange range = key_group_range(index, parallelism_, kMaxParallelism);
    StateBackend& backend = stored_ ? static_cast<StateBackend&>(subtask.stored) : subtask.heap;
    subtask.state = subtask.op->create_keyed_state(backend, range, kMaxParallelism);
    subtask.op->open(subtask.context);
    if (subtask.state != nullptr) restore_entries(subtask, range, snapshot);
    if (!snapshot.lists.empty()) subtask.op->restore_lists(snapshot.lists);
  }

  void restore_entries(Subtask& subtask, KeyGroupRange range, const HarnessSnapshot& snapshot) {
    std::map<std::string, int> numbers;
    for (const StateTable& table : subtask.state->tables()) {
      numbers.emplace(table.name, static_cast<int>(numbers.size()));
    }
    for (const HarnessSnapshot::Entry& entry : snapshot.entries) {
      std::string_view key = entry.key;
      if (!range.contains(weir::internal::take_key_group(key))) continue;
      const int table = numbers.at(entry.table);
      if (stored_) {
        subtask.stored.entries[{table, entry.key}] = entry.value;
      } else {
        subtask.state->restore(table, entry.key, entry.value);
      }
    }
    if (stored_) subtask.state->attach_backend();
  }

  void begin_cut(Subtask& subtask, HarnessSnapshot& result) {
    subtask.output = std::make_unique<RecordingOutput>();
    subtask.stored.begin();
    subtask.stored.wait = [this, &subtask, &result] { take_cut(subtask, result); };
    subtask.cut = subtask.state->begin_snapshot(*subtask.output);
  }

  // Once per cut: by the end of the snapshot, or when the tables need room before it.
  void take_cut(Subtask& subtask, HarnessSnapshot& result) {
    if (subtask.output == nullptr || !subtask.output->finished) return;
    const std::unique_ptr<RecordingOutput> output = std::move(subtask.output);
    if (stored_) subtask.stored.apply(*output, subtask.cut);
    const std::vector<StateTable> tables = subtask.state->tables();
    for (const auto& [key, value] : stored_ ? subtask.stored.entries : output->puts) {
      result.entries.push_back(
          {tables[static_cast<std::size_t>(key.first)].name, key.second, value});
    }
  }

  void deliver_to(Subtask& subtask, const std::vector<SentElement>& elements) {
    std::vector<ElementView> records;
    for (const SentElement& element : elements) {
      if (element.kind <= ElementKind::kTimedRecord) {
        records.push_back({element.timestamp, element.payload});
        continue;
      }
      subtask.receiver->receive(std::exchange(records, {}));
      if (element.kind == ElementKind::kWatermark) {
        subtask.op->input().watermark(element.timestamp);
      } else {
        subtask.op->input().idle(element.payload[0] == 1);
      }
    }
    subtask.receiver->receive(records);
  }

  const StreamNode& node_;
  const int parallelism_;
  const bool stored_;
  VectorChannels channels_;
  std::unique_ptr<OutputBase> sender_;
  HarnessOutput<Out> output_;
  std::vector<SideOutputs::Entry> side_outputs_;
  std::vector<std::shared_ptr<OutputBase>> side_output_owners_;
  std::vector<std::unique_ptr<Subtask>> subtasks_;
};

}  // namespace weir::testing
