#pragma once

#include <memory>
#include <span>
#include <utility>

#include "common/mailbox.h"
#include "taskmanager/state/hashmap_memory.h"
#include "taskmanager/state/keyed_state_backend.h"
#include "taskmanager/state/local_copies.h"
#include "weir/state/backend.h"

namespace weir {

// All state in memory; each snapshot is of everything, in canonical files. While the slices come,
// what is handed out is sorted and written by a thread of the backend's own; the slices wait for it
// when they are two files ahead.
class HashMapBackend final : public KeyedStateBackend {
 public:
  // `copies`: of its checkpoints' files on this machine, or null.
  explicit HashMapBackend(std::shared_ptr<HashMapMemory> memory = std::make_shared<HashMapMemory>(),
                          std::shared_ptr<LocalCopies> copies = nullptr);
  ~HashMapBackend() override;

  StateBackend& state_backend() override { return in_memory_; }
  absl::Status restore(KeyedStateBase& state, std::span<const RestoreSource> sources,
                       bool allow_non_restored_state) override;
  void begin_snapshot(KeyedStateBase& state, SnapshotTarget target, SnapshotDone done) override;
  void abandon_snapshot(KeyedStateBase& state) override;
  void checkpoint_completed(std::int64_t checkpoint_id) override;
  void checkpoint_aborted(std::int64_t checkpoint_id) override;

 private:
  class Snapshot;

  class InMemory final : public NoBackend {
   public:
    explicit InMemory(std::shared_ptr<HashMapMemory> memory) : memory_(std::move(memory)) {}
    ~InMemory() override { memory_->give_back(bytes_); }
    void take_memory(std::size_t bytes) override {
      memory_->replace(std::exchange(bytes_, bytes), bytes);
    }

   private:
    const std::shared_ptr<HashMapMemory> memory_;
    std::size_t bytes_ = 0;
  };

  const std::shared_ptr<LocalCopies> copies_;
  InMemory in_memory_;
  std::shared_ptr<Snapshot> snapshot_;  // the last one
  Mailbox writer_;
};

}  // namespace weir
