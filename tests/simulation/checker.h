#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "proto/checkpoint.pb.h"
#include "proto/ledger.pb.h"
#include "tests/simulation/event_queue.h"
#include "tests/simulation/kafka_model.h"

namespace weir::simulation {

// How the job ended, as its users were told.
enum class JobEnd { kRunning, kFinished, kCanceled, kFailed };

// Compares the input with the committed output, while it happens and at the end. It looks at
// nothing but durable facts: the recovery point in the metadata store, the partitions' logs, the
// transactions' fates, what the job told its users.
//
// It does not verify: the contents of ledger entries beyond COMMITTED and LOST, the age of
// transactions against their budget, metrics and history, how long a recovery takes (only that it
// ends), or that resources of cancelled tasks are given back.
class Checker {
 public:
  Checker(EventQueue& events, KafkaModel& kafka, int splits);
  Checker(const Checker&) = delete;
  Checker& operator=(const Checker&) = delete;

  // --- what is observed ---
  // `manifest` is what the pointer in the metadata store names from now on.
  void recovery_point(const pb::CheckpointManifest& manifest);
  // Where reading begins, from the first durable decision on.
  void start_offset(int split, int64_t offset);
  // EndTxn(commit) is about to be sent for this transaction.
  void commit_sent(const std::string& transaction);
  // The job says that these records of a completed checkpoint are lost.
  void reported_lost(const std::string& transaction);
  void reported_committed(const std::string& transaction);
  // Somebody was told that the job will be cancelled.
  void cancel_promised() { cancel_promised_ = true; }
  bool cancel_is_promised() const { return cancel_promised_; }
  // From then on what isn't in the durable ledger can't be known.
  void ledger_written(const pb::TransactionLedger& ledger);
  void ids_forgotten() { ids_forgotten_ = true; }

  // --- the verdict ---
  // After everything has come to rest. `end_offsets`: the input's size by split,
  // -1 where it has none.
  // `left_open`: transactions that should have been fenced or swept by then.
  void at_end(JobEnd end, const std::string& cause, const std::vector<int64_t>& end_offsets,
              const std::vector<std::string>& left_open);
  bool failed() const { return !violation_.empty(); }
  // The first one.
  const std::string& violation() const { return violation_; }
  void fail(const std::string& what);

  uint64_t committed_records() const { return committed_.size(); }
  uint64_t lost_reports() const { return lost_.size(); }

 private:
  struct Fate {
    bool committed = false;
    std::optional<AbortCause> aborted;
    std::vector<OutputRecord> records;
  };

  void on_commit(const WatchedTransaction& transaction);
  void on_abort(const WatchedTransaction& transaction, AbortCause cause);
  void check_order();
  void check_counts();
  static std::string name(const WatchedTransaction& transaction);
  static std::string text(const RecordId& record);

  EventQueue& events_;
  KafkaModel& kafka_;
  std::vector<std::optional<int64_t>> start_;
  std::vector<int64_t> covered_;     // by split: the recovery point's positions
  std::set<std::string> permitted_;  // transactions of recovery points
  std::set<RecordId> committed_;
  std::map<std::string, Fate> fates_;  // by "<id>/<producer id>/<epoch>": the last one
  std::set<std::string> lost_;
  std::set<std::string> known_committed_;  // by the durable ledger
  bool cancel_promised_ = false;
  bool ids_forgotten_ = false;
  std::string violation_;
};

}  // namespace weir::simulation
