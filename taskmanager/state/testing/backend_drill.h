#pragma once

#include <functional>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/checkpoint.pb.h"
#include "taskmanager/state/keyed_state_backend.h"
#include "taskmanager/state/testing/memory_storage.h"
#include "weir/state/keyed_state.h"

namespace weir {

// A job of several subtasks with keyed state, beside a model of it: random writes, checkpoints in
// slices while writes go on, some of them aborted or not stored, then failures and restores at
// another parallelism. Files are deleted as a JobManager does: those of aborted and of replaced
// checkpoints.
class BackendDrill {
 public:
  using Factory = std::function<std::unique_ptr<KeyedStateBackend>(int subtask)>;
  static constexpr int kMaxParallelism = 32;

  BackendDrill(int seed, Factory factory, int keys = 500);
  ~BackendDrill();

  // Failures of expectations are GoogleTest's.
  void run(int rounds);
  // A savepoint, and everything begins anew from it with another factory.
  void move_to(Factory factory);

 private:
  struct Model;
  struct Subtask;
  struct Done;

  std::size_t pick(std::size_t below) { return random_() % below; }
  void open(int parallelism);
  void write();
  void checkpoint(bool savepoint);
  void complete(const std::vector<std::shared_ptr<Done>>& parts, std::unique_ptr<Model> at_barrier);
  void restart(int parallelism);
  void delete_files();
  void check();
  Subtask& subtask_of_key(std::int64_t key);

  std::mt19937 random_;
  Factory factory_;
  const int keys_;
  MemoryStorage storage_;
  std::vector<std::unique_ptr<Subtask>> subtasks_;
  std::unique_ptr<Model> model_, durable_;
  std::vector<pb::KeyedStateHandle> handles_;  // of the last completed checkpoint
  std::int64_t checkpoint_id_ = 0;
  int attempt_ = 0;
};

}  // namespace weir
