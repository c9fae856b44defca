#pragma once

#include <chrono>
#include <optional>

#include "weir/element.h"

namespace weir {

// start <= timestamp < end, in milliseconds.
struct TimeWindow {
  Timestamp start = 0;
  Timestamp end = 0;

  Timestamp max_timestamp() const { return end - 1; }
  bool operator==(const TimeWindow&) const = default;
};

// Windows of one size that begin every `slide`, cut into slices: the longest stretches that lie
// wholly inside or outside of each window. A record belongs to one slice, a window is some
// consecutive slices. (After Carbone et al., "Cutty", and Traub et al., "Scotty".)
//
//   size 30, slide 20:   windows  |0--------30|      slices of 10, named by their ends
//                                     |20--------50|
//
// Pure. Values are milliseconds.
class EventTimeWindows {
 public:
  // Throws FatalError for a size or slide below 1 ms, or an offset beyond the slide.
  EventTimeWindows(std::chrono::milliseconds size, std::chrono::milliseconds slide,
                   std::chrono::milliseconds offset);

  Timestamp size() const { return size_; }
  Timestamp slide() const { return slide_; }
  Timestamp slice() const { return slice_; }
  bool is_sliced() const { return slice_ != size_; }
  TimeWindow window_of_end(Timestamp end) const { return {end - size_, end}; }

  // The end of the slice that holds the timestamp.
  Timestamp slice_end(Timestamp timestamp) const;
  // The ends of the first and last window that have this slice; nothing lies between windows that
  // slide by more than their size, and then first > last.
  Timestamp first_window_end(Timestamp slice_end) const { return window_end_from(slice_end); }
  Timestamp last_window_end(Timestamp slice_end) const;
  // The end of the first window that ends at `time` or later.
  Timestamp window_end_from(Timestamp time) const;

 private:
  Timestamp size_;
  Timestamp slide_;
  Timestamp offset_;
  Timestamp slice_;
};

// Every record is in one window: [0, size), [size, 2 size), …, moved by `offset`.
class TumblingEventTimeWindows : public EventTimeWindows {
 public:
  static TumblingEventTimeWindows of(
      std::chrono::milliseconds size,
      std::chrono::milliseconds offset = std::chrono::milliseconds(0)) {
    return TumblingEventTimeWindows(size, offset);
  }

 private:
  TumblingEventTimeWindows(std::chrono::milliseconds size, std::chrono::milliseconds offset)
      : EventTimeWindows(size, size, offset) {}
};

// A window of `size` begins every `slide`: a record is in size / slide of them. Each record is kept
// once, whatever that is.
class SlidingEventTimeWindows : public EventTimeWindows {
 public:
  static SlidingEventTimeWindows of(
      std::chrono::milliseconds size, std::chrono::milliseconds slide,
      std::chrono::milliseconds offset = std::chrono::milliseconds(0)) {
    return SlidingEventTimeWindows(size, slide, offset);
  }

 private:
  using EventTimeWindows::EventTimeWindows;
};

}  // namespace weir
