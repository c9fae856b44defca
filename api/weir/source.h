// What a source connector implements.
//
// A source has one coordinator in the job and one reader in each subtask. The coordinator knows the
// splits (of Kafka: the partitions) and gives them to readers; readers read them and keep their
// position in the checkpoint. On restore the coordinator gets every split state back, from
// whichever reader it came, and assigns anew: so the job may come back at another parallelism.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "weir/context.h"
#include "weir/output.h"

namespace weir {

// A part of a source that one reader reads, with the position reached in it.
struct Split {
  std::string id;     // unique in the source, e.g. "orders-3"
  std::string state;  // the connector's own, versioned format
};

enum class PollStatus {
  kMoreAvailable,  // poll again at once
  kIdle,           // nothing came within the wait
  kEndOfInput,     // all splits are read to their end and no more will come
};

class SourceReaderContext : public RuntimeContext {
 public:
  virtual void send_to_coordinator(std::string event) = 0;
};

// Reads the splits of one subtask. Confined to its task's thread, but for wake_up().
class SourceReaderBase {
 public:
  virtual ~SourceReaderBase() = default;

  virtual void open(SourceReaderContext& context) = 0;
  virtual void add_splits(std::span<const Split> splits) = 0;  // none: event time doesn't wait
  // No split will be added any more: the reader ends when its own have ended.
  virtual void no_more_splits() = 0;
  // Collects one bounded batch (thousands of records, not more) into the output, waiting at most
  // `wait` for the first record. The batch's memory stays valid until the next poll().
  virtual PollStatus poll(std::chrono::milliseconds wait) = 0;
  // The splits owned and where the next poll() would go on, between two batches.
  virtual std::vector<Split> snapshot(std::int64_t checkpoint_id) = 0;
  virtual void notify_checkpoint_complete(std::int64_t /*checkpoint_id*/) {}
  virtual void on_coordinator_event(std::string_view /*event*/) {}
  // For the task's metrics; asked between two batches.
  virtual IoCounts io_counts() const { return {}; }
  // Makes a waiting poll() return soon. Callable from any thread.
  virtual void wake_up() = 0;
  virtual void close() {}
};

// Wants to know of which split records are, because each split has its own event time. A reader
// that doesn't tell has one event time for all its records.
class SplitListener {
 public:
  virtual ~SplitListener() = default;
  // The records collected from now on are of this split; by its id in add_splits().
  virtual void begin_split(std::string_view id) = 0;
  // No record of this split will come any more.
  virtual void end_split(std::string_view id) = 0;
};

template <typename T>
class SourceReader : public SourceReaderBase {
 public:
  // Called once, before open().
  void set_output(Output<T>& output, SplitListener* splits = nullptr) {
    output_ = &output;
    splits_ = splits;
  }

 protected:
  Output<T>& output() { return *output_; }
  // nullptr: nobody listens.
  SplitListener* splits() { return splits_; }

 private:
  Output<T>* output_ = nullptr;
  SplitListener* splits_ = nullptr;
};

class SourceCoordinatorContext : public RuntimeContext {
 public:
  virtual void assign_splits(int subtask, std::vector<Split> splits) = 0;
  virtual void signal_no_more_splits(int subtask) = 0;
  virtual void send_to_reader(int subtask, std::string event) = 0;
};

// Finds and assigns the splits of a source. All calls come from one thread, in this order:
// open, validate, then resolve (first attempt) or nothing, restore, start, and from then on any of
// the rest. While a reader begins anew, what it is told is dropped.
class SourceCoordinator {
 public:
  virtual ~SourceCoordinator() = default;

  virtual void open(SourceCoordinatorContext& context) = 0;
  // Throws FatalError when the source can't work: unknown topic, no broker.
  virtual void validate() = 0;
  // Decides once for the job's life where reading starts and, if bounded, ends. The result is made
  // durable before the first record is read, so that a second attempt starts where the first did.
  virtual std::string resolve() = 0;
  // `state` is what resolve() or snapshot() returned; `splits` are the readers' of the same
  // checkpoint (none before the first). A split in both: the reader's position counts.
  virtual void restore(std::string_view state, std::span<const Split> splits) = 0;
  // Every reader is running: assign.
  virtual void start() = 0;
  // Whether readers can begin anew while the others go on; else all of the job restarts when one
  // fails.
  virtual bool restarts_readers() const { return false; }
  // The readers of these subtasks have begun anew and know of nothing: assign what they had, and
  // tell what they were told. `splits` are all readers' of the restored checkpoint, none if there
  // is none: what is in them is read on from there, else from where it began.
  virtual void restart_readers(std::span<const int> /*subtasks*/,
                               std::span<const Split> /*splits*/) {}
  virtual void on_reader_event(int /*subtask*/, std::string_view /*event*/) {}
  // Also where each assigned split began: the readers' of the same checkpoint lack those that are
  // on their way.
  virtual std::string snapshot(std::int64_t checkpoint_id) = 0;
  virtual void notify_checkpoint_complete(std::int64_t /*checkpoint_id*/) {}
  // Called every now and then (about 10 times a second): discovery.
  virtual void tick() {}
  virtual void close() {}
};

// A source as the job's author holds it: a description, cheap to copy.
template <typename T>
class Source {
 public:
  using Element = T;
  virtual ~Source() = default;
  virtual std::unique_ptr<SourceReader<T>> create_reader() const = 0;
  virtual std::unique_ptr<SourceCoordinator> create_coordinator() const = 0;
  // The most subtasks that can read it; 0: any number.
  virtual int parallelism_max() const { return 0; }
  // What a job that reads it must do without, in one line for whoever submits the job.
  virtual std::string caveat() const { return {}; }
};

}  // namespace weir
