#include "weir/state/keyed_state.h"

#include <algorithm>
#include <limits>
#include <string>

#include "weir/error.h"

namespace weir {
namespace {

// Steps in which tables that have no other place tell what they take.
constexpr std::size_t kMemoryStepBytes = 4 << 20;

// Below the budget eviction starts early, and takes a bit more than it must.
std::size_t soft_limit(const StateBackend& backend) {
  const std::size_t budget = backend.memory_budget_bytes();
  return budget == StateBackend::kUnbounded ? budget : budget - budget / 4;
}

// What can't leave memory, such as timers of one time, may go beyond the budget for a while.
constexpr std::size_t kBeyondBudgetMax = 64 << 20;

void refuse_if_hopeless(std::size_t memory_bytes, std::size_t budget) {
  if (memory_bytes <= budget || memory_bytes - budget <= std::max(budget, kBeyondBudgetMax)) return;
  throw Error("keyed state that must be in memory at once has " + std::to_string(memory_bytes) +
              " bytes, its budget is " + std::to_string(budget) +
              ": raise taskmanager.memory.managed.size or the parallelism, or keep fewer timers "
              "of the same time and smaller lists and maps for one key");
}

}  // namespace

KeyedStateBase::KeyedStateBase(StateBackend& backend, KeyGroupRange range, int max_parallelism)
    : core_{.backend = backend,
            .range = range,
            .max_parallelism = max_parallelism,
            .clock = {},
            .make_room = {},
            .key_bytes = {},
            .value_bytes = {}},
      eviction_bytes_(backend.holds_entries() ? soft_limit(backend) : kMemoryStepBytes) {
  core_.clock.tracks_changes = backend.holds_entries();
  core_.make_room = [this] { make_room_if_needed(); };
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
  core_.clock.applied = core_.backend.applied_cut();
  if (core_.backend.take_lost_cuts()) change_again();
  const bool shrunk = core_.clock.memory_bytes + kMemoryStepBytes < eviction_bytes_;
  if (!core_.backend.holds_entries() && shrunk) take_memory();
  core_.output = &output;
  core_.clock.cut_open = true;
  ++core_.clock.epoch;
  for (const auto& table : tables_) table->begin_cut();
  return core_.clock.epoch;
}

bool KeyedStateBase::snapshot_some(std::size_t entries) {
  if (!core_.clock.cut_open) return true;
  const CutNumber applied = core_.clock.applied = core_.backend.applied_cut();
  for (const auto& table : tables_) table->free_absent(applied, entries);
  for (const auto& table : tables_) {
    if (!table->emit_some(entries)) return false;
  }
  for (const auto& table : tables_) table->finish_cut();
  core_.clock.cut_open = false;
  core_.clock.base = core_.clock.epoch;
  std::exchange(core_.output, nullptr)->finish();
  return true;
}

void KeyedStateBase::change_again() {
  for (const auto& table : tables_) table->change_again(core_.clock.applied);
  core_.clock.base = std::min(core_.clock.base, core_.clock.applied);
}

void KeyedStateBase::abandon_snapshot() {
  if (!core_.clock.cut_open) return;
  for (const auto& table : tables_) table->abandon_cut();
  core_.clock.cut_open = false;
  core_.output = nullptr;
}

void KeyedStateBase::restore(int table, std::string_view key, std::string_view value) {
  tables_.at(static_cast<std::size_t>(table))->restore(key, value);
  make_room_if_needed();
}

void KeyedStateBase::attach_backend() {
  for (const auto& table : tables_) table->attach_backend();
}

void KeyedStateBase::evict(std::size_t target_bytes, bool write) {
  const CutNumber applied = core_.backend.applied_cut();
  for (const auto& table : tables_) table->evict(target_bytes, applied, write);
}

void KeyedStateBase::take_memory() {
  core_.backend.take_memory(core_.clock.memory_bytes);
  eviction_bytes_ = core_.clock.memory_bytes + kMemoryStepBytes;
}

void KeyedStateBase::make_room() {
  if (!core_.backend.holds_entries()) return take_memory();
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
  refuse_if_hopeless(clock.memory_bytes, budget);
  // While that isn't enough, not for every record again.
  eviction_bytes_ =
      std::max(soft, clock.memory_bytes + std::max(budget / 64, clock.memory_bytes / 16));
  if (clock.memory_bytes < budget) eviction_bytes_ = std::min(eviction_bytes_, budget);
}

}  // namespace weir
