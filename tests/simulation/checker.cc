#include "tests/simulation/checker.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace weir::simulation {

Checker::Checker(EventQueue& events, KafkaModel& kafka, int splits)
    : events_(events),
      kafka_(kafka),
      start_(static_cast<size_t>(splits)),
      covered_(static_cast<size_t>(splits), 0) {
  kafka.on_commit = [this](const WatchedTransaction& transaction) { on_commit(transaction); };
  kafka.on_abort = [this](const WatchedTransaction& transaction, AbortCause cause) {
    on_abort(transaction, cause);
  };
}

std::string Checker::name(const WatchedTransaction& transaction) {
  return absl::StrCat(transaction.transactional_id, "/", transaction.producer_id, "/",
                      transaction.producer_epoch);
}

std::string Checker::text(const RecordId& record) {
  return absl::StrCat(record.split, "@", record.offset);
}

void Checker::fail(const std::string& what) {
  WEIR_TRACE(events_, "CHECKER", what);
  if (violation_.empty()) violation_ = what;
}

void Checker::recovery_point(const pb::CheckpointManifest& manifest) {
  for (const auto& operator_state : manifest.operators()) {
    for (const auto& split : operator_state.splits()) {
      const size_t index = std::stoul(split.id());
      covered_[index] = std::stoll(split.state());
    }
    for (const auto& committable : operator_state.committables()) {
      permitted_.insert(committable.transaction());
    }
  }
}

void Checker::start_offset(int split, int64_t offset) {
  auto& start = start_[static_cast<size_t>(split)];
  if (!start) start = offset;
}

void Checker::commit_sent(const std::string& transaction) {
  if (!permitted_.contains(transaction)) {
    fail(absl::StrCat("a commit is sent for ", transaction, ", which no recovery point carried"));
  }
}

void Checker::on_commit(const WatchedTransaction& transaction) {
  Fate& fate = fates_[name(transaction)];
  fate = {true, std::nullopt, transaction.records};
  for (const auto& [record, key, count] : transaction.records) {
    if (!committed_.insert(record).second) {
      fail(absl::StrCat("record ", text(record), " is committed twice, by ", name(transaction)));
      return;
    }
    if (record.offset >= covered_[static_cast<size_t>(record.split)]) {
      fail(absl::StrCat("record ", text(record),
                        " is visible before a recovery point covers it, by ", name(transaction)));
      return;
    }
  }
}

void Checker::on_abort(const WatchedTransaction& transaction, AbortCause cause) {
  fates_[name(transaction)] = {false, cause, transaction.records};
  if (cause == AbortCause::kEndTransaction) {
    fail(absl::StrCat(name(transaction), " is aborted by EndTxn, which its producer can't notice"));
  }
}

void Checker::reported_lost(const std::string& transaction) {
  if (!lost_.insert(transaction).second) return;
  const auto fate = fates_.find(transaction);
  if (fate == fates_.end()) {
    if (!ids_forgotten_) fail(absl::StrCat(transaction, " is called lost while it is open"));
    return;
  }
  if (fate->second.committed) {
    if (ids_forgotten_ && !known_committed_.contains(transaction)) return;
    fail(absl::StrCat(transaction, " is called lost although it was committed"));
  } else if (fate->second.aborted != AbortCause::kTimeout) {
    fail(absl::StrCat(transaction, " was prepared and published, then aborted without a timeout"));
  }
}

void Checker::ledger_written(const pb::TransactionLedger& ledger) {
  for (const auto& entry : ledger.entries()) {
    if (entry.state() == pb::LedgerEntry::COMMITTED) {
      known_committed_.insert(entry.committable().transaction());
    }
  }
}

void Checker::reported_committed(const std::string& transaction) {
  const auto fate = fates_.find(transaction);
  if (fate == fates_.end() || !fate->second.committed) {
    fail(absl::StrCat(transaction, " is called committed although it is not"));
  }
}

void Checker::check_order() {
  for (int partition = 0; partition < kafka_.partition_count(); ++partition) {
    std::map<std::pair<int, int32_t>, int64_t> last;  // by key and split
    for (const auto& [record, key, count] : kafka_.read_committed(partition)) {
      const auto [found, added] = last.try_emplace({key, record.split}, record.offset);
      if (!added && record.offset <= found->second) {
        fail(absl::StrCat("record ", text(record), " stands behind ", record.split, "@",
                          found->second, " in partition ", partition));
        return;
      }
      found->second = record.offset;
    }
  }
}

// State that was restored to an older or later moment than the output, or twice, or not at all.
void Checker::check_counts() {
  std::map<int, int64_t> last;  // by key
  for (int partition = 0; partition < kafka_.partition_count(); ++partition) {
    for (const auto& [record, key, count] : kafka_.read_committed(partition)) {
      if (count == 0) continue;
      int64_t& before = last[key];
      const bool follows = lost_.empty() ? count == before + 1 : count > before;
      if (!follows) {
        return fail(absl::StrCat("record ", text(record), " is counted as number ", count,
                                 " of key ", key, ", after ", before));
      }
      before = count;
    }
  }
}

void Checker::at_end(JobEnd end, const std::string& cause, const std::vector<int64_t>& end_offsets,
                     const std::vector<std::string>& left_open) {
  if (failed()) return;
  if (cancel_promised_ && (end == JobEnd::kRunning || end == JobEnd::kFinished)) {
    return fail("the job's cancel was forgotten");
  }
  if (end == JobEnd::kRunning) return fail("the job neither runs on nor ends");
  if (end == JobEnd::kFailed && lost_.empty()) {
    return fail(absl::StrCat("the job failed for good: ", cause));
  }
  if (!left_open.empty()) {
    return fail(absl::StrCat("nobody ended ", absl::StrJoin(left_open, ", ")));
  }

  std::set<RecordId> visible;
  for (int partition = 0; partition < kafka_.partition_count(); ++partition) {
    if (kafka_.last_stable_offset(partition) != kafka_.log_end_offset(partition)) {
      return fail(absl::StrCat("readers hang in partition ", partition));
    }
    for (const auto& [record, key, count] : kafka_.read_committed(partition)) {
      if (!visible.insert(record).second) {
        return fail(absl::StrCat("record ", text(record), " is in the output twice"));
      }
    }
  }
  std::set<RecordId> called_lost;
  for (const std::string& transaction : lost_) {
    if (const auto fate = fates_.find(transaction); fate != fates_.end()) {
      for (const OutputRecord& record : fate->second.records) called_lost.insert(record.id);
    }
  }
  for (size_t split = 0; split < end_offsets.size(); ++split) {
    if (!start_[split]) continue;  // never ran
    const bool to_its_end = end == JobEnd::kFinished && end_offsets[split] >= 0;
    const int64_t until = to_its_end ? end_offsets[split] : covered_[split];
    for (int64_t offset = *start_[split]; offset < until; ++offset) {
      const RecordId record{static_cast<int32_t>(split), offset};
      if (visible.erase(record) == 0 && !called_lost.contains(record)) {
        return fail(absl::StrCat("record ", text(record), " is missing, and nobody says so"));
      }
    }
  }
  if (!visible.empty()) {
    return fail(absl::StrCat("record ", text(*visible.begin()), " was never to be written"));
  }
  check_order();
  check_counts();
}

}  // namespace weir::simulation
