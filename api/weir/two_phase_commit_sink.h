#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "weir/codec.h"
#include "weir/error.h"
#include "weir/sink.h"

namespace weir {

// Thrown by commit(): the transaction can't be committed any more, its records are lost.
class TransactionLost : public Error {
 public:
  using Error::Error;
};

// An exactly-once sink to any system that can prepare a transaction, and then commit it from
// another process: begin, write, pre-commit, commit. Derive and pass to DataStream::sink_to().
//
//   struct Renamed { std::string temporary, final; };
//   WEIR_FIELDS(Renamed, temporary, final)
//   class FileSink : public TwoPhaseCommitSink<std::string, Renamed> { … };
//
// Txn is what names one transaction, with a Codec: it goes into checkpoints, and from there to
// other processes, so it holds no handle. Handles are members of the derived class, made in open().
//
// The sink is copied into each writer, committer and coordinator; each copy is opened, used on one
// thread, and closed. An exception from any method but commit and the recover ones fails the task.
template <typename In, typename Txn>
class TwoPhaseCommitSink {
 public:
  using Element = In;
  using Transaction = Txn;
  virtual ~TwoPhaseCommitSink() = default;

  virtual void open(RuntimeContext& /*context*/) {}

  // Begins a transaction. `id` is unique among all transactions of all jobs, ever, and begins with
  // "<job id>-<uid>-": a good name for what is written.
  virtual Txn begin(std::string_view id) = 0;
  virtual void write(Txn& transaction, ViewOf<In> value) = 0;
  // Makes what was written durable, yet invisible. After it returns, commit() must be able to
  // succeed, from any process, for as long as the job may be down.
  virtual void pre_commit(Txn& transaction) = 0;
  // Makes it visible. Called again until it doesn't throw, also after it has succeeded: a committed
  // transaction is no error. Throws TransactionLost when no repetition can help.
  virtual void commit(const Txn& transaction) = 0;
  // Drops a transaction that wasn't pre-committed.
  virtual void abort(Txn& transaction) = 0;

  // The same after a restore, from a process that didn't write the data.
  virtual void recover_and_commit(const Txn& transaction) { commit(transaction); }
  // The transaction may have been pre-committed since the checkpoint, aborted, or never heard of by
  // the external system; none is an error. Called again until it doesn't throw.
  virtual void recover_and_abort(const Txn& transaction) {
    Txn copy = transaction;
    abort(copy);
  }
  // All transactions whose id begins with `id_prefix` and that are neither committed nor aborted.
  // Without this, those begun after the restored checkpoint are left to the external system's own
  // timeout: no checkpoint names them.
  virtual std::vector<Txn> find_unfinished(std::string_view /*id_prefix*/) { return {}; }

  virtual void close() {}
};

namespace internal {

// "<job id>-<uid>-": before the generation, subtask and number of each transaction.
std::string transaction_id_prefix(const RuntimeContext& context);

// Calls `action` until it doesn't throw, with growing waits. TransactionLost passes; a cancelled
// task ends it by an Error with the last cause.
void retry_until_cancelled(RuntimeContext& context, const std::string& what,
                           const std::function<void()>& action);

// Bytes of a Txn in committables and writer states: a version, then the codec's.
template <typename Txn>
std::string encode_transaction(const Txn& transaction) {
  std::string out = "\x01";
  Codec<Txn>::encode(transaction, out);
  return out;
}
template <typename Txn>
Txn decode_transaction(std::string_view bytes) {
  if (!bytes.starts_with('\x01')) {
    throw FatalError(
        "a transaction in the checkpoint has an unknown format: it was written by "
        "another version");
  }
  return decode<Txn>(bytes.substr(1));
}

template <typename S>
class TwoPhaseCommitWriter final : public SinkWriter<typename S::Element> {
 public:
  using Txn = typename S::Transaction;

  explicit TwoPhaseCommitWriter(S sink) : sink_(std::move(sink)) {}

  void open(RuntimeContext& context) override {
    id_prefix_ = transaction_id_prefix(context) + std::to_string(context.generation()) + "-" +
                 std::to_string(context.subtask()) + "-";
    sink_.open(context);
    begin();
  }

  void collect(ViewOf<typename S::Element> value, Timestamp /*timestamp*/) override {
    sink_.write(transaction_, value);
    ++records_;
    ++counts_.records;
    if constexpr (std::is_same_v<typename S::Element, std::string>) counts_.bytes += value.size();
  }

  std::vector<Committable> prepare_commit(std::int64_t checkpoint_id) override {
    if (records_ == 0) return {};
    sink_.pre_commit(transaction_);
    Committable prepared;
    prepared.transaction = id_;
    prepared.checkpoint_id = checkpoint_id;
    prepared.records = records_;
    prepared.payload = encode_transaction(transaction_);
    is_open_ = false;  // from here on only a commit or a recovery touches it
    begin();
    return {std::move(prepared)};
  }

  // The open transaction, for a recovery to abort.
  std::string snapshot(std::int64_t /*checkpoint_id*/) override {
    return encode_transaction(transaction_);
  }

  IoCounts io_counts() const override { return counts_; }

  void close() override {
    if (std::exchange(is_open_, false)) sink_.abort(transaction_);
    sink_.close();
  }

 private:
  void begin() {
    id_ = id_prefix_ + std::to_string(begun_++);
    records_ = 0;
    transaction_ = sink_.begin(id_);
    is_open_ = true;
  }

  S sink_;
  std::string id_prefix_;
  std::uint64_t begun_ = 0;
  bool is_open_ = false;  // transaction_ is begun and not pre-committed
  std::string id_;
  Txn transaction_{};
  std::uint64_t records_ = 0;  // in the open transaction
  IoCounts counts_;
};

template <typename S>
class TwoPhaseCommitter final : public Committer {
 public:
  using Txn = typename S::Transaction;

  explicit TwoPhaseCommitter(S sink) : sink_(std::move(sink)) {}
  ~TwoPhaseCommitter() override {
    if (is_open_) sink_.close();
  }

  void open(RuntimeContext& context) override {
    sink_.open(context);
    is_open_ = true;
  }

  CommitResult commit(const Committable& committable) override {
    try {
      sink_.commit(decode_transaction<Txn>(committable.payload));
      return {CommitStatus::kCommitted, ""};
    } catch (const TransactionLost& lost) {
      return {CommitStatus::kLost, lost.what()};
    } catch (const std::exception& error) {
      return {CommitStatus::kRetry, error.what()};
    } catch (...) {
      return {CommitStatus::kRetry, "commit() threw something that isn't a std::exception"};
    }
  }

 private:
  S sink_;
  bool is_open_ = false;
};

template <typename S>
class TwoPhaseCommitCoordinator final : public SinkCoordinator {
 public:
  using Txn = typename S::Transaction;

  explicit TwoPhaseCommitCoordinator(S sink) : sink_(std::move(sink)) {}

  void open(RuntimeContext& context) override {
    context_ = &context;
    sink_.open(context);
  }

  SinkValidation validate() override { return {}; }

  void recover(const SinkRecovery& recovery, const CommitReport& report) override {
    std::set<std::string> covered;  // by the checkpoint: never to be aborted
    for (const RecoveredCommittable& recovered : recovery.committables) {
      covered.insert(recovered.committable.payload);
      if (!recovered.known_committed) commit(recovered.committable, report);
    }
    for (const std::string& state : recovery.writer_states) {
      if (!state.empty()) abort_unless_covered(decode_transaction<Txn>(state), covered);
    }
    retry_until_cancelled(*context_, "finding unfinished transactions", [&] {
      for (const Txn& found : sink_.find_unfinished(transaction_id_prefix(*context_))) {
        abort_unless_covered(found, covered);
      }
    });
  }

  void close() override { sink_.close(); }

 private:
  void commit(const Committable& committable, const CommitReport& report) {
    const Txn transaction = decode_transaction<Txn>(committable.payload);
    CommitResult result;
    try {
      retry_until_cancelled(*context_, "committing transaction " + committable.transaction,
                            [&] { sink_.recover_and_commit(transaction); });
    } catch (const TransactionLost& lost) {
      result = {CommitStatus::kLost, lost.what()};
    }
    report(committable, result);
  }

  void abort_unless_covered(const Txn& transaction, const std::set<std::string>& covered) {
    if (covered.contains(encode_transaction(transaction))) return;
    retry_until_cancelled(*context_, "aborting an unfinished transaction",
                          [&] { sink_.recover_and_abort(transaction); });
  }

  S sink_;
  RuntimeContext* context_ = nullptr;
};

// A Sink<In> around a TwoPhaseCommitSink.
template <typename S>
class TwoPhaseCommitAdapter final : public Sink<typename S::Element> {
 public:
  explicit TwoPhaseCommitAdapter(S sink) : sink_(std::move(sink)) {}
  std::unique_ptr<SinkWriter<typename S::Element>> create_writer() const override {
    return std::make_unique<TwoPhaseCommitWriter<S>>(sink_);
  }
  std::unique_ptr<Committer> create_committer() const override {
    return std::make_unique<TwoPhaseCommitter<S>>(sink_);
  }
  std::unique_ptr<SinkCoordinator> create_coordinator() const override {
    return std::make_unique<TwoPhaseCommitCoordinator<S>>(sink_);
  }

 private:
  const S sink_;
};

}  // namespace internal
}  // namespace weir
