#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <string_view>

#include "absl/status/status.h"
#include "common/mailbox.h"
#include "common/mutex.h"
#include "taskmanager/state/entry_buffer.h"
#include "weir/state/backend.h"

namespace weir {

// Takes a cut's entries on the task's thread, and has the backend's write them, a file's worth at a
// time, in the order of the cuts:
//
//   put, erase ─▶ EntryBuffer ── full ──▶ write, write, … end
//   task's thread                         backend's thread
//
// While two files wait to be written no slice is to come (ready()); what records change first
// comes all the same, and waits only when twice as much is waiting.
class SnapshotWriter : public SnapshotOutput, public std::enable_shared_from_this<SnapshotWriter> {
 public:
  // `thread` may run on after the snapshot is destroyed. About `file_bytes` go to a file.
  SnapshotWriter(Mailbox& thread, std::size_t file_bytes)
      : thread_(thread), file_bytes_(file_bytes) {}

  void put(int table, std::string_view key, std::string_view value) final;
  void erase(int table, std::string_view key) final;
  bool ready() final;
  void finish() final;
  // Instead of finish(): nothing more is written, and end() isn't called.
  void abandon();

 private:
  static constexpr int kWaitingForSlices = 2;
  static constexpr int kWaitingMax = 4;

  // On the backend's thread. After an error there are no more writes.
  virtual absl::Status write(EntryBuffer entries) = 0;
  // All is written, or couldn't be.
  virtual void end(absl::Status written) = 0;
  virtual void clean_up() = 0;  // of an abandoned snapshot

  void add(const StateEntry& entry);
  void hand_over();
  void write_next(EntryBuffer entries);

  Mailbox& thread_;
  const std::size_t file_bytes_;
  EntryBuffer buffer_;    // the task's thread
  absl::Status written_;  // the backend's thread

  std::atomic<bool> abandoned_{false};
  Mutex mutex_;
  CondVar taken_;
  int waiting_ WEIR_GUARDED_BY(mutex_) = 0;  // buffers handed over and not written
};

}  // namespace weir
