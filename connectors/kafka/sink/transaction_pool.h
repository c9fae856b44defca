#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace weir::kafka {

// Which of its transactional ids one subtask may use in one attempt, and when.
//
//   FREE → PREPARING → READY → OPEN → PREPARED → FREE …
//             └→ RETIRED
//
// An id stands for one transaction at a time: it is taken again only after its release (its commit
// is known and no recovery can ask for it any more), and then only by a fresh handle whose init has
// raised the epoch. An init that was sent more than once may arrive once more later and abort what
// was opened meanwhile, so such an id is retired until the attempt ends, and a new number takes its
// place. When all ids are taken a new number joins them: were one awaited, the barrier of the
// checkpoint that frees it could stand behind records that wait for it. So there are as many ids as
// transactions await a checkpoint, their commit (CommitTracker bounds those) or their release.
//
// Pure: no I/O, no thread. Calls that no state allows are bugs and abort the process.
class TransactionPool {
 public:
  enum class State { kFree, kPreparing, kReady, kOpen, kPrepared, kRetired };

  // The slot that a fresh handle is to be made for now; nothing while one is ready or under way.
  std::optional<int> start_preparing();
  // How that ended; `init_attempts`: InitProducerId requests that were sent. False if the id is
  // retired: its handle must be dropped.
  bool init_succeeded(int slot, int init_attempts);
  void init_failed(int slot);

  // The writer has a record and no transaction: the slot to begin it with, if one is ready.
  std::optional<int> open();
  // The open transaction is flushed; its committable goes into the checkpoint.
  int prepare();
  // See SinkWriterBase::release().
  void release(int slot);

  bool has_ready() const { return count(State::kReady) > 0; }
  bool is_open() const { return count(State::kOpen) > 0; }
  int prepared_count() const { return count(State::kPrepared); }

  State state(int slot) const;
  // Slots 0 … slot_count() - 1 have been used by this attempt, retired ones among them.
  int slot_count() const { return static_cast<int>(states_.size()); }

 private:
  int count(State state) const;
  std::optional<int> find(State state) const;
  void move(int slot, State from, State to);

  std::vector<State> states_;
};

}  // namespace weir::kafka
