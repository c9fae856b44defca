#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/ids.h"
#include "proto/checkpoint.pb.h"
#include "taskmanager/commit/commit_tracker.h"
#include "taskmanager/task/barrier_aligner.h"
#include "tests/simulation/key_counts.h"
#include "tests/simulation/sink.h"
#include "tests/simulation/world.h"

namespace weir::simulation {

struct SplitPosition {
  int split = 0;
  int64_t next = 0;
  int64_t stop = -1;  // exclusive; -1: unbounded
};

// What a task tells its TaskManager.
struct TaskReports {
  std::function<void()> running;
  std::function<void()> drained;
  std::function<void(const std::string& cause)> failed;
  std::function<void(CheckpointId, std::vector<pb::OperatorState>)> acknowledged;
  std::function<void(CheckpointId)> declined;
  std::function<void(const Committable&, const CommitResult&)> commit_result;
};

// One subtask of one attempt: a source half that reads splits, a sink half that writes
// transactions. In between either a call; or records go by key through a channel from every source
// half to every sink half, which counts each key's. A real BarrierAligner aligns the channels'
// barriers, a real CommitTracker decides about committables.
class SimulatedTask {
 public:
  // `restored`: what the checkpoint holds for the sink half.
  SimulatedTask(World& world, Process& process, int subtask, pb::OperatorState restored,
                TaskReports reports);

  // `peers`: the attempt's tasks by subtask, this one among them.
  void start(uint64_t generation, std::vector<SimulatedTask*> peers);
  void add_splits(const std::vector<SplitPosition>& splits);
  void no_more_splits() { no_more_splits_ = true; }
  void trigger(CheckpointId checkpoint, bool stop_sources);
  void notify_complete(CheckpointId checkpoint);
  void notify_aborted(CheckpointId checkpoint);
  // Of another attempt, taken for its own: wrong.
  void notify_foreign();
  // Only sent by JobManagers that are broken on purpose.
  void notify_savepoint(CheckpointId savepoint);
  // Leaves prepared transactions alone.
  void cancel();
  bool closed() const { return closed_; }
  Process& process() { return process_; }

 private:
  struct Item {
    std::optional<CheckpointId> barrier;
    RecordId record;
  };

  int partition_of(int key) const { return key % world_.scenario.kafka.partitions; }
  int key_of(const RecordId& record) const;
  void write(const RecordId& record);
  void poll();
  bool congested() const;
  void report_drained();
  void take_barrier(CheckpointId checkpoint, bool stop_sources);
  pb::OperatorState source_state() const;
  void deliver(int channel, Item item);
  void pump();
  bool writable() const { return !tracker_.is_behind() && writer_->writable(); }
  void apply(const BarrierAligner::Decision& decision);
  void prepare(CheckpointId checkpoint);
  void prepared(CheckpointId checkpoint, pb::OperatorState sink,
                std::vector<Committable> committables);
  void apply(const CommitTracker::Decision& decision);
  void release_early(CheckpointId complete, bool savepoint);
  void fail(const std::string& cause);

  World& world_;
  Process& process_;
  const int subtask_;
  const pb::OperatorState restored_;
  const TaskReports reports_;
  bool closed_ = false;

  // source half
  std::map<int, SplitPosition> splits_;
  bool no_more_splits_ = false;
  bool reading_ = true;
  bool drained_ = false;
  std::deque<std::pair<CheckpointId, bool>> barriers_;  // wait for the flush of the one before
  std::map<CheckpointId, pb::OperatorState> source_states_;
  std::vector<Connection*> outgoing_;
  std::vector<SimulatedTask*> peers_;

  // sink half
  std::vector<std::deque<Item>> channels_;
  std::unique_ptr<BarrierAligner> aligner_;
  std::optional<KeyCounts> counts_;
  std::unique_ptr<SimulatedWriter> writer_;
  SimulatedCommitter committer_;
  CommitTracker tracker_;
  bool flushing_ = false;
  CheckpointId last_barrier_{0};
  // What broken tasks need to know to break the rules.
  struct Carried {
    Committable committable;
    CheckpointId last_carrier;
    bool committed = false;
  };
  std::map<std::string, Carried> carried_;
};

}  // namespace weir::simulation
