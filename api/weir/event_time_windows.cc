#include "weir/event_time_windows.h"

#include <numeric>
#include <string>

#include "weir/error.h"

namespace weir {
namespace {

// Towards minus infinity.
Timestamp floor_to(Timestamp value, Timestamp multiple) {
  const Timestamp remainder = value % multiple;
  return remainder < 0 ? value - remainder - multiple : value - remainder;
}

void check_positive(std::chrono::milliseconds value, const char* what) {
  if (value.count() >= 1) return;
  throw FatalError(std::string("the ") + what + " of a window is " + std::to_string(value.count()) +
                   " ms: it must be at least 1 ms");
}

}  // namespace

EventTimeWindows::EventTimeWindows(std::chrono::milliseconds size, std::chrono::milliseconds slide,
                                   std::chrono::milliseconds offset)
    : size_(size.count()), slide_(slide.count()), offset_(offset.count()), slice_(0) {
  check_positive(size, "size");
  check_positive(slide, "slide");
  if (offset <= -slide || offset >= slide) {
    throw FatalError("the offset of a window is " + std::to_string(offset.count()) +
                     " ms: it must be less than the slide, " + std::to_string(slide.count()) +
                     " ms");
  }
  slice_ = std::gcd(size_, slide_);
}

Timestamp EventTimeWindows::slice_end(Timestamp timestamp) const {
  return floor_to(timestamp - offset_, slice_) + offset_ + slice_;
}

Timestamp EventTimeWindows::last_window_end(Timestamp slice_end) const {
  const Timestamp latest = slice_end - slice_ + size_;
  return floor_to(latest - offset_ - size_, slide_) + offset_ + size_;
}

Timestamp EventTimeWindows::window_end_from(Timestamp time) const {
  return floor_to(time - offset_ - size_ + slide_ - 1, slide_) + offset_ + size_;
}

}  // namespace weir
