#include "weir/state/keyed_state.h"

#include <algorithm>
#include <limits>

#include "weir/error.h"

namespace weir {
namespace {

// Below the budget eviction starts early, and takes a bit more than it must.
std::size_t soft_limit(const StateBackend& backend) {
  const std::size_t budget = backend.memory_budget_bytes();
  return budget == StateBackend::kUnbounded ? budget : budget - budget / 4;
}

}  // namespace

KeyedStateBase::KeyedStateBase(StateBackend& backend, KeyGroupRange range, int max_parallelism)
    : core_{.backend = backend,
            .range = range,
            .max_parallelism = max_parallelism,
            .clock = {},
            .key_bytes = {},
            .value_bytes = {}},
      eviction_bytes_(backend.holds_entries() ? soft_limit(backend) : StateBackend::kUnbounded) {
  core_.clock.tracks_changes = backend.holds_entries();
}

KeyedStateBase::~KeyedStateBase() = default;

std::vector<StateTable> KeyedStateBase::tables() const {
  std::vector<StateTable> tables;
  for (const auto& table : tables_) tables.push_back(table->description());
  return tables;
}

int KeyedStateBase::next_table(const std::string& name) const {
  for (const auto& table : tables_) {
    if (table->description().name == name) {
      throw FatalError("two states of one operator are called '" + name +
                       "': give each its own name");
    }
  }
  return static_cast<int>(tables_.size());
}

void KeyedStateBase::add_table(std::unique_ptr<internal::TableBase> table) {
  tables_.push_back(std::move(table));
}

CutNumber KeyedStateBase::begin_snapshot(SnapshotOutput& output) {
  if (core_.clock.cut_open) snapshot_some(std::numeric_limits<std::size_t>::max());
  const CutNumber applied = core_.backend.applied_cut();
  for (const auto& table : tables_) table->free_absent(applied);
  core_.output = &output;
  core_.clock.cut_open = true;
  ++core_.clock.epoch;
  for (const auto& table : tables_) table->begin_cut();
  return core_.clock.epoch;
}

bool KeyedStateBase::snapshot_some(std::size_t entries) {
  if (!core_.clock.cut_open) return true;
  for (const auto& table : tables_) {
    if (!table->emit_some(entries)) return false;
  }
  for (const auto& table : tables_) table->finish_cut();
  core_.clock.cut_open = false;
  core_.clock.base = core_.clock.epoch;
  std::exchange(core_.output, nullptr)->finish();
  return true;
}

void KeyedStateBase::abandon_snapshot() {
  if (!core_.clock.cut_open) return;
  for (const auto& table : tables_) table->abandon_cut();
  core_.clock.cut_open = false;
  core_.output = nullptr;
}

void KeyedStateBase::restore(int table, std::string_view key, std::string_view value) {
  tables_.at(static_cast<std::size_t>(table))->restore(key, value);
}

void KeyedStateBase::attach_backend() {
  for (const auto& table : tables_) table->attach_backend();
}

void KeyedStateBase::evict(std::size_t target_bytes, bool write) {
  const CutNumber applied = core_.backend.applied_cut();
  for (const auto& table : tables_) table->evict(target_bytes, applied, write);
}

void KeyedStateBase::make_room() {
  const std::size_t budget = core_.backend.memory_budget_bytes();
  const std::size_t soft = soft_limit(core_.backend);
  const std::size_t target = soft - soft / 16;
  const internal::StateClock& clock = core_.clock;
  ++core_.clock.cursor_version;
  evict(target, false);
  if (clock.memory_bytes > budget) {
    // Nothing more fits: what keeps changed entries in memory is finished now.
    snapshot_some(std::numeric_limits<std::size_t>::max());
    core_.backend.wait_until_applied(clock.base);
  }
  if (clock.memory_bytes > target && !clock.cut_open && core_.backend.applied_cut() >= clock.base) {
    evict(target, true);
  }
  // While that isn't enough, not for every record again.
  eviction_bytes_ = std::max(soft, clock.memory_bytes + budget / 64);
  if (clock.memory_bytes < budget) eviction_bytes_ = std::min(eviction_bytes_, budget);
}

}  // namespace weir
