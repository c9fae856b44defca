#pragma once

#include <chrono>
#include <cstdint>

#include "common/clock.h"
#include "common/ids.h"
#include "weir/output.h"
#include "weir/source.h"

namespace weir {

namespace pb {
class AcknowledgeCheckpoint;
}  // namespace pb

// Where a task's records come from: a source, or other tasks. It feeds the head of the chain.
//
// Confined to its task's thread, but for wake_up(). Methods throw what the reader, or the chain,
// throws.
class TaskInput {
 public:
  virtual ~TaskInput() = default;

  virtual void open(uint64_t generation) = 0;
  // Whether all that was in flight in the restored checkpoint has been fed.
  virtual bool restored() const { return true; }
  // Feeds one batch, or handles one barrier that kept its place, waiting at most `wait` for it.
  // kEndOfInput once: the chain was told by kMaxWatermark.
  virtual PollStatus poll(std::chrono::milliseconds wait) = 0;
  // Handles barriers that came ahead of records, and alignments that take too long. Reads nothing.
  virtual void poll_events() {}
  // When poll_events() should be called even if nothing comes.
  virtual MonotonicTime next_timeout() const { return MonotonicTime::max(); }
  // The chain needs nothing of the batch any more.
  virtual void end_batch() {}
  // Adds what it holds itself.
  virtual void snapshot(CheckpointId checkpoint, pb::AcknowledgeCheckpoint& acknowledge) = 0;
  virtual void on_checkpoint_complete(CheckpointId checkpoint) = 0;
  virtual void on_checkpoint_aborted(CheckpointId checkpoint) = 0;
  virtual IoCounts io_counts() const = 0;
  // Makes a poll that waits return soon. Any thread.
  virtual void wake_up() = 0;
  virtual void close() {}
};

}  // namespace weir
