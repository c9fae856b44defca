#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "weir/error.h"
#include "weir/state/backend.h"

namespace weir {

// (table, key) → value.
using StateEntries = std::map<std::pair<int, std::string>, std::string>;

// Collects a cut; an entry that comes twice throws.
class RecordingOutput : public SnapshotOutput {
 public:
  void put(int table, std::string_view key, std::string_view value) override {
    add(table, key);
    puts[{table, std::string(key)}] = value;
  }
  void erase(int table, std::string_view key) override {
    add(table, key);
    erased[{table, std::string(key)}] = "";
  }
  void finish() override { finished = true; }

  StateEntries puts;
  StateEntries erased;
  bool finished = false;

 private:
  void add(int table, std::string_view key) {
    const std::pair<int, std::string> entry(table, key);
    if (puts.contains(entry) || erased.contains(entry)) throw Error("an entry was emitted twice");
  }
};

// A backend in a std::map. A finished cut is applied when apply() is called, or waited for; it
// holds off every put() and erase() until then, as their contract says.
class MapBackend : public StateBackend {
 public:
  explicit MapBackend(std::size_t memory_budget_bytes = kUnbounded)
      : memory_budget_bytes_(memory_budget_bytes) {}

  bool holds_entries() const override { return true; }
  std::size_t memory_budget_bytes() const override { return memory_budget_bytes_; }
  void multi_get(int table, std::span<const std::string_view> keys,
                 const std::function<void(std::size_t, std::string_view)>& found) override {
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const auto entry = entries.find({table, std::string(keys[i])});
      if (entry != entries.end()) found(i, entry->second);
    }
    reads += keys.size();
  }
  void scan(int table, std::string_view first, std::string_view last,
            const Visitor& visitor) override {
    auto next = entries.lower_bound({table, std::string(first)});
    for (; next != entries.end() && next->first.first == table && next->first.second < last;
         ++next) {
      if (!visitor(next->first.second, next->second)) return;
    }
  }
  void put(int table, std::string_view key, std::string_view value) override {
    check_writable();
    entries[{table, std::string(key)}] = value;
  }
  void erase(int table, std::string_view key) override {
    check_writable();
    entries.erase({table, std::string(key)});
  }
  CutNumber applied_cut() const override { return applied_; }
  bool take_lost_cuts() override { return std::exchange(lost_, false); }
  void wait_until_applied(CutNumber cut) override {
    if (applied_ < cut && wait) wait();
    if (applied_ < cut) throw Error("a cut is waited for that nobody applies");
  }

  // As for a new KeyedState: its cuts are numbered anew.
  void reset() { applied_ = 1; }
  // A cut has begun, and holds off writes until it is applied or abandoned.
  void begin() { writable_ = false; }
  void abandon() { writable_ = true; }
  // Instead of apply().
  void lose() { lost_ = true; }
  void apply(const RecordingOutput& output, CutNumber cut) {
    for (const auto& [key, value] : output.puts) entries[key] = value;
    for (const auto& [key, value] : output.erased) entries.erase(key);
    applied_ = cut;
    writable_ = true;
  }

  StateEntries entries;
  std::size_t reads = 0;
  std::size_t writes = 0;
  std::function<void()> wait;  // applies the finished cut

 private:
  void check_writable() {
    if (!writable_) throw Error("written while a cut isn't applied");
    ++writes;
  }

  const std::size_t memory_budget_bytes_;
  CutNumber applied_ = 1;
  bool writable_ = true;
  bool lost_ = false;
};

}  // namespace weir
