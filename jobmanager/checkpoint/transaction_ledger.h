#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "common/ids.h"
#include "proto/checkpoint.pb.h"
#include "proto/ledger.pb.h"

namespace weir {

// What became of every transaction that a retained checkpoint or savepoint carries. Pure. Written
// down before the checkpoint is published, and lazily after commits: a commit that isn't written
// down is done again by the next recovery, which is harmless as long as its checkpoint is the
// recovery point; the next publication, which ends that, writes it down first.
class TransactionLedger {
 public:
  explicit TransactionLedger(std::string job_id);
  explicit TransactionLedger(const pb::TransactionLedger& stored);

  // The checkpoint is about to be published: its committables become PREPARED, or are carried on.
  void add_checkpoint(const pb::CheckpointManifest& manifest, int64_t now_ms);
  // A commit's result. False: no such entry. A known outcome is only changed by hand.
  bool record_outcome(const std::string& sink_uid, const std::string& transaction,
                      pb::LedgerEntry::State state, const std::string& message, int64_t now_ms);
  absl::Status record_by_hand(const std::string& sink_uid, const std::string& transaction,
                              pb::LedgerEntry::State state, const std::string& message,
                              int64_t now_ms);

  // Forgets entries with a known outcome that none of these checkpoints and savepoints carries. Of
  // lost ones the youngest thousand are kept all the same: somebody will ask.
  void retain(const std::vector<CheckpointId>& checkpoints);
  // A recovery from `restored` (none: from nothing) has fenced everything that it doesn't carry:
  // what is PREPARED and was carried only later can't be committed any more. With `concerns` the
  // recovery was only for what that accepts.
  void on_recovered(std::optional<CheckpointId> restored, int64_t now_ms,
                    const std::function<bool(const pb::LedgerEntry&)>& concerns = nullptr);
  // At load: what was written down for a publication that never happened.
  void drop_unpublished(const std::vector<CheckpointId>& published);

  std::optional<pb::LedgerEntry> find(const std::string& sink_uid,
                                      const std::string& transaction) const;
  bool known_committed(const std::string& sink_uid, const std::string& transaction) const;
  // Transactions that `checkpoint` carries and whose outcome isn't known.
  size_t open_of(CheckpointId checkpoint) const;
  // Of the PREPARED ones.
  std::optional<pb::LedgerEntry> oldest_prepared() const;

  void raise_generation(Generation generation);
  Generation generation_max() const { return generation_max_; }
  // `writer`: of the JobManager that will write it down.
  pb::TransactionLedger to_proto(LeaderEpoch writer = {}) const;

 private:
  using Key = std::pair<std::string, std::string>;  // sink uid, transaction

  std::string job_id_;
  Generation generation_max_;
  std::map<Key, pb::LedgerEntry> entries_;
};

}  // namespace weir
