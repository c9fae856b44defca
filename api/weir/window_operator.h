// The operator behind KeyedStream::window().
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "weir/event_time_windows.h"
#include "weir/key_group_watermarks.h"
#include "weir/keyed_operator.h"

namespace weir::internal {

// What a window keeps of its records for each key, as an Accumulator, and what it makes of it.

template <typename T, typename F>
struct ReducedContents {
  using Accumulator = T;
  F function;

  void add(ViewOf<T> value, T& reduced, bool is_new) {
    reduced = is_new ? T(value) : T(function(ViewOf<T>(reduced), value));
  }
  void merge(const T& later, T& reduced) {
    reduced = T(function(ViewOf<T>(reduced), ViewOf<T>(later)));
  }
  const T& result(const T& reduced) { return reduced; }
};

template <typename T, typename A>
struct AggregatedContents {
  using Accumulator = typename A::Accumulator;
  static constexpr bool kMerges = requires(const A& aggregate, Accumulator& accumulator) {
    aggregate.merge(accumulator, accumulator);
  };
  A aggregate;

  void add(ViewOf<T> value, Accumulator& accumulator, bool is_new) {
    if (is_new) accumulator = aggregate.create_accumulator();
    aggregate.add(value, accumulator);
  }
  void merge(const Accumulator& later, Accumulator& accumulator) {
    if constexpr (kMerges) aggregate.merge(later, accumulator);  // needed for slices only
  }
  typename A::Result result(const Accumulator& accumulator) {
    return aggregate.get_result(accumulator);
  }
};

template <typename T>
struct ListedContents {
  using Accumulator = std::vector<T>;

  void add(ViewOf<T> value, std::vector<T>& values, bool /*is_new*/) { values.emplace_back(value); }
  void merge(const std::vector<T>& later, std::vector<T>& values) {
    values.insert(values.end(), later.begin(), later.end());
  }
  const std::vector<T>& result(const std::vector<T>& values) { return values; }
};

// Hands on what a window comes to as it is.
struct EmitResult {
  template <typename Key, typename Result, typename Out>
  void operator()(const Key&, const TimeWindow&, const Result& result, Collector<Out>& out) {
    out.collect(result);
  }
};

template <typename T, typename Contents, typename Emit>
struct WindowFunction {
  EventTimeWindows windows;
  Timestamp allowed_lateness = 0;
  std::optional<OutputTag<T>> late_data;
  Contents contents;
  Emit emit;
};

[[noreturn]] void refuse_timestamp(Timestamp timestamp);

// Keeps each record in its slice, a namespace of the state. When the watermark comes to the end of
// a window, the window's slices are merged for each key; when it comes to the end of the last one
// that is allowed to a slice, the slice is dropped. So a record costs one update, however many
// windows it is in.
//
// A record that comes after its window has fired makes it fire again for the record's key, within
// the allowed lateness.
template <typename T, typename Selector, typename Contents, typename Emit, typename Out>
class WindowOperator final
    : public KeyedOperator<WindowOperator<T, Selector, Contents, Emit, Out>, T, Selector> {
 public:
  using Base = KeyedOperator<WindowOperator, T, Selector>;
  using Key = typename Base::Key;
  using Accumulator = typename Contents::Accumulator;
  using Function = WindowFunction<T, Contents, Emit>;

  WindowOperator(KeyedFunction<Selector, Function> parts, Output<Out>& next,
                 const SideOutputs& side_outputs)
      : Base(std::move(parts.selector), next),
        function_(std::move(parts.function)),
        windows_(function_.windows),
        out_(next, side_outputs) {}

  void open(RuntimeContext& context) override {
    context_ = &context;
    slices_ = this->state().template namespaced_state<Accumulator>("window-slices");
  }

  void process(ViewOf<T> value, Timestamp timestamp) {
    if (timestamp < slice_start_ || timestamp >= slice_end_) select_slice(timestamp);
    if (first_end_ > last_end_) return;  // between two windows
    const Timestamp time = time_of_current_key();
    if (last_end_ - 1 <= over_until(time)) return late(value, timestamp);
    slices_.update(slice_end_, [&](Accumulator& accumulator, bool is_new) {
      function_.contents.add(value, accumulator, is_new);
    });
    if (first_end_ - 1 <= time) [[unlikely]]
      fire_again(time);
  }
  void prefetch(std::span<const Record<T>> records, std::span<const StoredKeyView<Key>> keys,
                std::span<const std::uint64_t> hashes) {
    if (records.empty()) return;
    const Timestamp first = records.front().timestamp;
    if (first >= slice_start_ && first < slice_end_) slices_.prefetch(slice_end_, keys, hashes);
  }

  void watermark(Timestamp watermark) override {
    if (watermark > watermark_) {
      fire_until(watermark);
      watermark_ = watermark;
      drop_what_is_over();
    }
    out_.side_outputs().watermark(watermark);
    Base::watermark(watermark);
  }
  void idle(bool idle) override {
    out_.side_outputs().idle(idle);
    Base::idle(idle);
  }

  std::vector<OperatorList> snapshot_lists() override {
    return {{kWatermarks, OperatorList::Redistribution::kUnion,
             restored_.snapshot(this->state().key_groups(), watermark_)}};
  }
  void restore_lists(std::span<const OperatorList> lists) override {
    std::vector<std::string> items;
    for (const OperatorList& list : lists) {
      if (list.name == kWatermarks) items.insert(items.end(), list.items.begin(), list.items.end());
    }
    restored_.restore(items, this->state().key_groups());
  }

  void end_batch() override {
    out_.arena().reset();
    if (dropped_ == dropped_shown_) return;
    dropped_shown_ = dropped_;
    context_->set_gauge("numLateRecordsDropped", dropped_);
  }

 private:
  static constexpr const char* kWatermarks = "window-watermarks";
  static constexpr Timestamp kNever = KeyGroupWatermarks::kNone;
  static constexpr Timestamp kTimestampMax = std::numeric_limits<Timestamp>::max() / 4;

  void select_slice(Timestamp timestamp) {
    if (timestamp < -kTimestampMax || timestamp > kTimestampMax) refuse_timestamp(timestamp);
    slice_end_ = windows_.slice_end(timestamp);
    slice_start_ = slice_end_ - windows_.slice();
    first_end_ = windows_.first_window_end(slice_end_);
    last_end_ = windows_.last_window_end(slice_end_);
  }

  Timestamp restored_time(const Key& key) const {
    return restored_.of(key_group_of(hash_key<Key>(key), this->state().max_parallelism()));
  }
  Timestamp time_of_current_key() const {
    if (watermark_ >= restored_.max()) [[likely]]
      return watermark_;
    return std::max(watermark_, restored_time(this->state().current_key()));
  }
  // Windows whose last timestamp is this or earlier take no record any more.
  Timestamp over_until(Timestamp time) const {
    return time < kNever + function_.allowed_lateness ? kNever : time - function_.allowed_lateness;
  }

  void late(ViewOf<T> value, Timestamp timestamp) {
    if (!function_.late_data) {
      ++dropped_;
      return;
    }
    out_.set_timestamp(timestamp);
    out_.output(*function_.late_data, value);
  }

  // The windows of the current slice that fired before, for the current key.
  void fire_again(Timestamp time) {
    for (Timestamp end = first_end_; end <= last_end_ && end - 1 <= time; end += windows_.slide()) {
      if (end - 1 <= over_until(time)) continue;
      std::optional<Accumulator> merged;
      for (Timestamp slice = end - windows_.size() + windows_.slice(); slice <= end;
           slice += windows_.slice()) {
        const Accumulator* const part = slices_.value(slice);
        if (part == nullptr) continue;
        if (merged) {
          function_.contents.merge(*part, *merged);
        } else {
          merged = *part;
        }
      }
      emit(this->state().current_key(), end, *merged);
    }
  }

  // All windows between the last watermark and this one that have records.
  void fire_until(Timestamp watermark) {
    const std::optional<Timestamp> first = slices_.first_namespace();
    if (!first) return;
    Timestamp end = windows_.first_window_end(*first);
    if (watermark_ != kNever) end = std::max(end, windows_.window_end_from(watermark_ + 2));
    while (end - 1 <= watermark) {
      const std::optional<Timestamp> slice = slices_.namespace_after(end - windows_.size());
      if (!slice) return;
      if (*slice > end) {
        end = windows_.first_window_end(*slice);
      } else {
        fire(end);
        end += windows_.slide();
      }
    }
  }

  void fire(Timestamp end) {
    const auto emit_unless_fired = [&](const Key& key, const Accumulator& accumulator) {
      if (end - 1 <= restored_.max() && end - 1 <= restored_time(key)) return;
      emit(key, end, accumulator);
    };
    if (!windows_.is_sliced()) return slices_.for_each(end, emit_unless_fired);
    merged_.clear();
    auto slice = slices_.namespace_after(end - windows_.size());
    for (; slice && *slice <= end; slice = slices_.namespace_after(*slice)) {
      slices_.for_each(*slice, [&](const Key& key, const Accumulator& part) {
        const auto [merged, is_new] = merged_.try_emplace(key, part);
        if (!is_new) function_.contents.merge(part, merged->second);
      });
    }
    for (const auto& [key, accumulator] : merged_) emit_unless_fired(key, accumulator);
  }

  void emit(const Key& key, Timestamp end, const Accumulator& accumulator) {
    out_.set_timestamp(end - 1);
    function_.emit(ViewOf<Key>(key), windows_.window_of_end(end),
                   function_.contents.result(accumulator), out_);
  }

  void drop_what_is_over() {
    std::optional<Timestamp> slice = slices_.first_namespace();
    for (; slice; slice = slices_.namespace_after(*slice)) {
      if (windows_.last_window_end(*slice) - 1 > over_until(watermark_)) return;
      slices_.drop(*slice);
    }
  }

  Function function_;
  const EventTimeWindows windows_;
  Collector<Out> out_;
  RuntimeContext* context_ = nullptr;
  NamespacedState<Key, Accumulator> slices_;  // by their ends
  std::unordered_map<Key, Accumulator, KeyHash<Key>, std::equal_to<>> merged_;
  Timestamp watermark_ = kNever;
  KeyGroupWatermarks restored_;
  std::int64_t dropped_ = 0;
  std::int64_t dropped_shown_ = 0;

  // The slice of the last record, and the windows that have it.
  Timestamp slice_start_ = 0;
  Timestamp slice_end_ = 0;
  Timestamp first_end_ = 0;
  Timestamp last_end_ = 0;
};

}  // namespace weir::internal
