// What a sink connector implements.
//
// Exactly-once is two-phase commit. At a barrier the writer prepares what it wrote since the last
// one and describes it by committables, which go into the checkpoint. When the checkpoint is
// durable the committer commits them, from the committable alone: in a normal run exactly as after
// a crash, in another process. The runtime carries every committable on from checkpoint to
// checkpoint until its commit is known, and retries.
//
// TwoPhaseCommitSink (two_phase_commit_sink.h) is the easy way to write one.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "weir/context.h"
#include "weir/output.h"

namespace weir {

// Records written to one place by one transaction, for the report when it is lost.
struct WrittenRange {
  std::string resource;    // e.g. "orders-3"
  std::int64_t first = 0;  // offsets, both inclusive
  std::int64_t last = 0;
  std::uint64_t records = 0;
};

// A prepared transaction: all it takes to commit it from any process.
struct Committable {
  // Unique for the sink's whole life, e.g. "<transactional id>/<pid>/<epoch>".
  std::string transaction;
  std::int64_t checkpoint_id = 0;  // the barrier that prepared it
  std::vector<WrittenRange> ranges;
  std::uint64_t records = 0;
  std::string payload;  // the connector's own, versioned format
};

enum class CommitStatus {
  kCommitted,  // now or already
  kRetry,      // not known: the external system is away or busy
  kLost,       // can't be committed any more
};

struct CommitResult {
  CommitStatus status = CommitStatus::kCommitted;
  std::string message;  // why, unless committed
};

// Writes the records of one subtask. Confined to its task's thread. When the task ends, for
// whatever reason, prepared transactions must be left alone: only a recovery decides about them.
class SinkWriterBase {
 public:
  virtual ~SinkWriterBase() = default;

  virtual void open(RuntimeContext& context) = 0;
  // False while no record can be taken, e.g. because commits are stuck: the task then stops polling
  // its source (backpressure), but goes on with barriers and notifications.
  virtual bool writable() { return true; }
  // After each batch of records.
  virtual void end_batch() {}
  // At the barrier: makes all that was written since the last barrier durable but invisible, and
  // says how to commit it. Nothing written, nothing returned. Throws if anything may be missing.
  virtual std::vector<Committable> prepare_commit(std::int64_t checkpoint_id) = 0;
  // The writer's own state, after prepare_commit() of the same barrier.
  virtual std::string snapshot(std::int64_t /*checkpoint_id*/) { return {}; }
  // The committable is committed or lost, and a later recovery can't ask for it any more: what it
  // holds (a transactional id) may be used again.
  virtual void release(const Committable& /*committable*/) {}
  // For the task's metrics; asked between two batches.
  virtual IoCounts io_counts() const { return {}; }
  virtual void close() {}
};

template <typename In>
class SinkWriter : public SinkWriterBase, public Output<In> {};

// Commits prepared transactions. Has a thread of its own; shares nothing with the writer.
class Committer {
 public:
  virtual ~Committer() = default;
  virtual void open(RuntimeContext& context) = 0;
  // Must be idempotent. kRetry is called again later, with backoff, for ever.
  virtual CommitResult commit(const Committable& committable) = 0;
};

// One committable of the restored checkpoint.
struct RecoveredCommittable {
  Committable committable;
  bool known_committed = false;  // by the ledger: nothing to commit, but its id must be left alone
};

struct SinkRecovery {
  std::uint64_t generation = 0;  // of the attempt that recovers
  std::vector<RecoveredCommittable> committables;
  std::vector<std::string> writer_states;  // of the restored checkpoint, one per subtask
  // None: all. Else the writers of these have ended and begin anew while the others go on: nothing
  // of the others may be touched, nor of generations below `generation_from`, which are settled.
  std::vector<int> subtasks = {};
  std::uint64_t generation_from = 0;
};

struct SinkValidation {
  // What must not be shared with another running job, e.g. "kafka-prefix:<cluster id>/<prefix>".
  std::vector<std::string> exclusive_resources;
  // The largest generation that the external system shows; 0 if none.
  std::uint64_t generation_max = 0;
  // How long a transaction may stay open before the external system aborts it; 0: for ever.
  std::chrono::milliseconds transaction_timeout{0};
};

using CommitReport = std::function<void(const Committable&, const CommitResult&)>;

// Recovers a sink once per attempt, before any of its writers opens and any source polls. All calls
// come from one thread, in this order: open, validate, recover, then sweep() now and then, and
// recover() again for some subtasks, if it can.
class SinkCoordinator {
 public:
  virtual ~SinkCoordinator() = default;

  virtual void open(RuntimeContext& context) = 0;
  // Throws FatalError when the sink can't keep its promise.
  virtual SinkValidation validate() = 0;
  // Commits every committable, reports each result as it is known, then aborts and fences all other
  // transactions of smaller generations. Retries what may still succeed until context.cancelled().
  // A lost committable is reported and doesn't stop the others.
  virtual void recover(const SinkRecovery& recovery, const CommitReport& report) = 0;
  // Whether recover() may be called for some subtasks while the others write; else all of the job
  // restarts when one fails.
  virtual bool recovers_subtasks() const { return false; }
  // Fences what a zombie of a smaller generation may have opened since recover().
  virtual void sweep() {}
  virtual void close() {}
};

// A sink as the job's author holds it: a description, cheap to copy.
template <typename In>
class Sink {
 public:
  using Element = In;
  virtual ~Sink() = default;
  virtual std::unique_ptr<SinkWriter<In>> create_writer() const = 0;
  // nullptr: the sink has nothing to commit.
  virtual std::unique_ptr<Committer> create_committer() const { return nullptr; }
  virtual std::unique_ptr<SinkCoordinator> create_coordinator() const { return nullptr; }
};

}  // namespace weir
