#include "weir/event_time_windows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "weir/error.h"

namespace weir {
namespace {

using std::chrono::milliseconds;

TEST(EventTimeWindowsTest, ATumblingWindowIsOneSlice) {
  const auto windows = TumblingEventTimeWindows::of(milliseconds(1000));
  EXPECT_FALSE(windows.is_sliced());
  EXPECT_EQ(windows.slice_end(0), 1000);
  EXPECT_EQ(windows.slice_end(999), 1000);
  EXPECT_EQ(windows.slice_end(1000), 2000);
  EXPECT_EQ(windows.slice_end(-1), 0);
  EXPECT_EQ(windows.first_window_end(2000), 2000);
  EXPECT_EQ(windows.last_window_end(2000), 2000);
  EXPECT_EQ(windows.window_of_end(2000), (TimeWindow{1000, 2000}));
}

TEST(EventTimeWindowsTest, AnOffsetMovesEveryWindow) {
  const auto windows = TumblingEventTimeWindows::of(milliseconds(1000), milliseconds(-250));
  EXPECT_EQ(windows.slice_end(749), 750);
  EXPECT_EQ(windows.slice_end(750), 1750);
}

TEST(EventTimeWindowsTest, SlicesAreTheGreatestCommonDivisor) {
  EXPECT_EQ(SlidingEventTimeWindows::of(milliseconds(60), milliseconds(10)).slice(), 10);
  EXPECT_EQ(SlidingEventTimeWindows::of(milliseconds(30), milliseconds(20)).slice(), 10);
  EXPECT_EQ(SlidingEventTimeWindows::of(milliseconds(7), milliseconds(3)).slice(), 1);
}

TEST(EventTimeWindowsTest, RefusesWhatIsNoWindow) {
  EXPECT_THROW(TumblingEventTimeWindows::of(milliseconds(0)), FatalError);
  EXPECT_THROW(SlidingEventTimeWindows::of(milliseconds(10), milliseconds(0)), FatalError);
  EXPECT_THROW(TumblingEventTimeWindows::of(milliseconds(10), milliseconds(10)), FatalError);
}

// Against every window there is, listed.
TEST(EventTimeWindowsTest, SlicesKnowTheirWindowsForAnySizeSlideAndOffset) {
  std::mt19937 random(7);
  for (int round = 0; round < 2000; ++round) {
    const int size = 1 + static_cast<int>(random() % 12);
    const int slide = 1 + static_cast<int>(random() % 12);
    const int offset = static_cast<int>(random() % (2 * slide - 1)) - slide + 1;
    const auto windows =
        SlidingEventTimeWindows::of(milliseconds(size), milliseconds(slide), milliseconds(offset));
    const Timestamp timestamp = static_cast<Timestamp>(random() % 60) - 30;
    std::vector<Timestamp> ends;
    for (int i = -100; i <= 100; ++i) {
      const Timestamp start = i * slide + offset;
      if (timestamp >= start && timestamp < start + size) ends.push_back(start + size);
    }
    const Timestamp slice = windows.slice_end(timestamp);
    EXPECT_LT(timestamp, slice);
    EXPECT_GE(timestamp, slice - windows.slice());
    const Timestamp first = windows.first_window_end(slice);
    const Timestamp last = windows.last_window_end(slice);
    if (ends.empty()) {
      EXPECT_GT(first, last) << size << " " << slide << " " << offset << " " << timestamp;
    } else {
      EXPECT_EQ(first, ends.front()) << size << " " << slide << " " << offset << " " << timestamp;
      EXPECT_EQ(last, ends.back()) << size << " " << slide << " " << offset << " " << timestamp;
    }
  }
}

}  // namespace
}  // namespace weir
