#include "jobmanager/checkpoint/transaction_ledger.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace weir {

namespace {

constexpr size_t kLostKept = 1000;

bool carried_by_any(const pb::LedgerEntry& entry, const std::vector<CheckpointId>& checkpoints) {
  return std::any_of(checkpoints.begin(), checkpoints.end(), [&](CheckpointId checkpoint) {
    return checkpoint.value() >= entry.carried_first() &&
           checkpoint.value() <= entry.carried_last();
  });
}

}  // namespace

TransactionLedger::TransactionLedger(std::string job_id) : job_id_(std::move(job_id)) {}

TransactionLedger::TransactionLedger(const pb::TransactionLedger& stored)
    : job_id_(stored.job_id()), generation_max_(stored.generation_max()) {
  for (const pb::LedgerEntry& entry : stored.entries()) {
    entries_[{entry.sink_uid(), entry.committable().transaction()}] = entry;
  }
}

void TransactionLedger::add_checkpoint(const pb::CheckpointManifest& manifest, int64_t now_ms) {
  raise_generation(Generation(manifest.generation()));
  for (const pb::OperatorState& state : manifest.operators()) {
    for (const pb::Committable& committable : state.committables()) {
      auto [it, is_new] = entries_.try_emplace({state.uid(), committable.transaction()});
      pb::LedgerEntry& entry = it->second;
      if (is_new) {
        entry.set_sink_uid(state.uid());
        entry.set_subtask(state.subtask());
        *entry.mutable_committable() = committable;
        entry.set_state(pb::LedgerEntry::PREPARED);
        entry.set_carried_first(manifest.checkpoint_id());
        entry.set_changed_time_ms(now_ms);
      }
      // Publications may overtake each other only downwards: a savepoint is written when it is.
      entry.set_carried_first(std::min(entry.carried_first(), manifest.checkpoint_id()));
      entry.set_carried_last(std::max(entry.carried_last(), manifest.checkpoint_id()));
    }
  }
}

bool TransactionLedger::record_outcome(const std::string& sink_uid, const std::string& transaction,
                                       pb::LedgerEntry::State state, const std::string& message,
                                       int64_t now_ms) {
  const auto it = entries_.find({sink_uid, transaction});
  if (it == entries_.end() || it->second.state() != pb::LedgerEntry::PREPARED) return false;
  it->second.set_state(state);
  it->second.set_message(message);
  it->second.set_changed_time_ms(now_ms);
  return true;
}

absl::Status TransactionLedger::record_by_hand(const std::string& sink_uid,
                                               const std::string& transaction,
                                               pb::LedgerEntry::State state,
                                               const std::string& message, int64_t now_ms) {
  const auto it = entries_.find({sink_uid, transaction});
  if (it == entries_.end()) {
    return absl::NotFoundError(absl::StrCat("the ledger has no transaction ", transaction,
                                            " of sink '", sink_uid,
                                            "': `weir transactions list` shows all"));
  }
  it->second.set_state(state);
  it->second.set_message(message);
  it->second.set_changed_time_ms(now_ms);
  return absl::OkStatus();
}

void TransactionLedger::retain(const std::vector<CheckpointId>& checkpoints) {
  std::vector<std::pair<int64_t, Key>> lost;
  std::erase_if(entries_, [&](const auto& item) {
    const pb::LedgerEntry& entry = item.second;
    if (entry.state() == pb::LedgerEntry::PREPARED || carried_by_any(entry, checkpoints)) {
      return false;
    }
    if (entry.state() != pb::LedgerEntry::LOST) return true;
    lost.emplace_back(entry.changed_time_ms(), item.first);
    return false;
  });
  if (lost.size() <= kLostKept) return;
  std::sort(lost.begin(), lost.end());
  lost.resize(lost.size() - kLostKept);
  for (const auto& [time_ms, key] : lost) entries_.erase(key);
}

void TransactionLedger::on_recovered(std::optional<CheckpointId> restored, int64_t now_ms,
                                     const std::function<bool(const pb::LedgerEntry&)>& concerns) {
  for (auto& [key, entry] : entries_) {
    if (concerns && !concerns(entry)) continue;
    if (entry.state() != pb::LedgerEntry::PREPARED) continue;
    if (restored && carried_by_any(entry, {*restored})) continue;
    if (restored && entry.carried_last() < restored->value()) continue;
    entry.set_state(pb::LedgerEntry::LOST);
    entry.set_changed_time_ms(now_ms);
    entry.set_message(
        absl::StrCat("fenced by the recovery from ",
                     restored ? absl::StrCat("checkpoint ", restored->value()) : "the job's start",
                     ", which doesn't carry it and writes its records again"));
  }
}

void TransactionLedger::drop_unpublished(const std::vector<CheckpointId>& published) {
  int64_t newest = 0;
  for (CheckpointId checkpoint : published) newest = std::max(newest, checkpoint.value());
  std::erase_if(entries_, [&](const auto& item) { return item.second.carried_first() > newest; });
  for (auto& [key, entry] : entries_) {
    entry.set_carried_last(std::min(entry.carried_last(), newest));
  }
}

std::optional<pb::LedgerEntry> TransactionLedger::find(const std::string& sink_uid,
                                                       const std::string& transaction) const {
  const auto it = entries_.find({sink_uid, transaction});
  if (it == entries_.end()) return std::nullopt;
  return it->second;
}

bool TransactionLedger::known_committed(const std::string& sink_uid,
                                        const std::string& transaction) const {
  const auto it = entries_.find({sink_uid, transaction});
  return it != entries_.end() && it->second.state() == pb::LedgerEntry::COMMITTED;
}

size_t TransactionLedger::open_of(CheckpointId checkpoint) const {
  return static_cast<size_t>(std::count_if(entries_.begin(), entries_.end(), [&](const auto& item) {
    return item.second.state() == pb::LedgerEntry::PREPARED &&
           carried_by_any(item.second, {checkpoint});
  }));
}

std::optional<pb::LedgerEntry> TransactionLedger::oldest_prepared() const {
  const pb::LedgerEntry* oldest = nullptr;
  for (const auto& [key, entry] : entries_) {
    if (entry.state() != pb::LedgerEntry::PREPARED) continue;
    if (oldest == nullptr || entry.changed_time_ms() < oldest->changed_time_ms()) oldest = &entry;
  }
  return oldest == nullptr ? std::nullopt : std::optional(*oldest);
}

void TransactionLedger::raise_generation(Generation generation) {
  generation_max_ = std::max(generation_max_, generation);
}

pb::TransactionLedger TransactionLedger::to_proto(LeaderEpoch writer) const {
  pb::TransactionLedger proto;
  proto.set_format_version(1);
  proto.set_leader_epoch(writer.value());
  proto.set_job_id(job_id_);
  proto.set_generation_max(generation_max_.value());
  for (const auto& [key, entry] : entries_) *proto.add_entries() = entry;
  return proto;
}

}  // namespace weir
