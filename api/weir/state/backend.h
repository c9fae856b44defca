// What keyed state keeps in memory, and what stands behind it. Bytes only, so that a job's library
// and the backends know nothing of each other's types.
//
//   handles (state.h) ─▶ tables in memory (keyed_state.h) ─┬─ misses, evictions ─▶ StateBackend
//                                                          └─ snapshots ─▶ SnapshotOutput
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <string_view>

namespace weir {

enum class StateKind {
  kValue = 1,
  kList = 2,
  kMap = 3,
  kReducing = 4,
  kAggregating = 5,
  kTimers = 6
};

// A table of an operator's state: what it is called, and what its bytes are. Tables are numbered in
// the order in which the operator declares them; names carry over between snapshots, numbers don't.
// Types are named by how they are encoded (type_name.h).
struct StateTable {
  std::string name;
  StateKind kind = StateKind::kValue;
  bool namespaced = false;  // by an int64: a window's end, a timer's time
  std::string key_type;
  std::string user_key_type;  // of maps
  std::string value_type;
  bool operator==(const StateTable&) const = default;
};

// Takes what a cut of the state holds, in no order; every entry once. The bytes are valid during
// the call. Key: state_key.h.
class SnapshotOutput {
 public:
  virtual ~SnapshotOutput() = default;
  virtual void put(int table, std::string_view key, std::string_view value) = 0;
  // Gone since the last cut. Only of a backend that holds_entries().
  virtual void erase(int table, std::string_view key) = 0;
  // Whether a slice of the cut may come: false while what came isn't stored fast enough. An entry
  // that is about to change comes all the same.
  virtual bool ready() { return true; }
  // All entries of the cut were given. Not called when the snapshot is abandoned.
  virtual void finish() = 0;
};

// Numbers the cuts of one KeyedState: what was written before cut n is in it.
using CutNumber = std::uint32_t;

// Where state is that isn't in memory.
//
// Thread rule: called on the task's thread. Errors are thrown as weir::Error.
class StateBackend {
 public:
  using Visitor = std::function<bool(std::string_view key, std::string_view value)>;
  static constexpr std::size_t kUnbounded = std::numeric_limits<std::size_t>::max();

  virtual ~StateBackend() = default;

  // False: all state is in memory, each snapshot is of everything, and of what is below only
  // take_memory() is called.
  // True: the backend holds a copy; each snapshot tells it what changed since the last one.
  virtual bool holds_entries() const = 0;

  // Memory that the tables may take. Over it they give up entries, changed ones after put().
  virtual std::size_t memory_budget_bytes() const { return kUnbounded; }

  // found(i, value) for each of `keys` that the backend has. Keys needn't be sorted.
  virtual void multi_get(int table, std::span<const std::string_view> keys,
                         const std::function<void(std::size_t, std::string_view)>& found) = 0;
  // All entries with first <= key < last in their order, while the visitor returns true.
  virtual void scan(int table, std::string_view first, std::string_view last,
                    const Visitor& visitor) = 0;

  // Writes single entries at once, outside a snapshot. REQUIRES: applied_cut() is the last cut.
  virtual void put(int table, std::string_view key, std::string_view value) = 0;
  virtual void erase(int table, std::string_view key) = 0;

  // The last cut of which the backend holds every entry, and which no later put() can change any
  // more: 1 before the first. Entries younger than it stay in memory.
  virtual CutNumber applied_cut() const = 0;
  // True, once, after finished cuts were lost: they won't be applied, the next has what they had.
  virtual bool take_lost_cuts() { return false; }
  // Blocks until applied_cut() >= cut.
  virtual void wait_until_applied(CutNumber cut) = 0;

  // Told what tables that nothing stands behind take: when that is some MB more, and when a
  // snapshot begins and it is less. Throws Error if there is no more.
  virtual void take_memory(std::size_t /*bytes*/) {}
};

// Behind state that is wholly in memory.
class NoBackend : public StateBackend {
 public:
  bool holds_entries() const override { return false; }
  void multi_get(int, std::span<const std::string_view>,
                 const std::function<void(std::size_t, std::string_view)>&) override {}
  void scan(int, std::string_view, std::string_view, const Visitor&) override {}
  void put(int, std::string_view, std::string_view) override {}
  void erase(int, std::string_view) override {}
  CutNumber applied_cut() const override { return std::numeric_limits<CutNumber>::max(); }
  void wait_until_applied(CutNumber) override {}
};

}  // namespace weir
