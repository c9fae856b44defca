#include "taskmanager/task/watermark_valve.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace weir {
namespace {

using Decision = WatermarkValve::Decision;

void expect(const Decision& decision, std::optional<Timestamp> watermark,
            std::optional<bool> idle = std::nullopt) {
  EXPECT_EQ(decision.watermark, watermark);
  EXPECT_EQ(decision.idle, idle);
}

TEST(WatermarkValveTest, TheLeastWatermarkOfAllChannelsCounts) {
  WatermarkValve valve(2);
  expect(valve.on_watermark(0, 10), std::nullopt);
  expect(valve.on_watermark(1, 5), 5);
  expect(valve.on_watermark(0, 20), std::nullopt);
  expect(valve.on_watermark(1, 15), 15);
  expect(valve.on_watermark(1, 30), 20);
}

TEST(WatermarkValveTest, AnIdleChannelHoldsNobodyBack) {
  WatermarkValve valve(2);
  expect(valve.on_watermark(0, 10), std::nullopt);
  expect(valve.on_idle(1, true), 10);
  expect(valve.on_watermark(0, 11), 11);
}

TEST(WatermarkValveTest, AChannelThatComesBackBehindCountsWhenItHasCaughtUp) {
  WatermarkValve valve(2);
  valve.on_watermark(1, 5);
  valve.on_idle(1, true);
  expect(valve.on_watermark(0, 10), 10);
  expect(valve.on_idle(1, false), std::nullopt);
  expect(valve.on_watermark(1, 7), std::nullopt);
  expect(valve.on_watermark(0, 20), 20);
  expect(valve.on_watermark(1, 25), std::nullopt);
  expect(valve.on_watermark(0, 30), 25);
}

TEST(WatermarkValveTest, ATaskIsIdleWhenAllItsChannelsAreAndThenTheMostAdvancedOneCounts) {
  WatermarkValve valve(2);
  valve.on_watermark(0, 10);
  valve.on_watermark(1, 5);
  expect(valve.on_idle(1, true), 10);
  expect(valve.on_idle(0, true), std::nullopt, true);
  expect(valve.on_idle(1, false), std::nullopt, false);

  WatermarkValve other(2);
  other.on_watermark(0, 10);
  other.on_watermark(1, 5);
  expect(other.on_idle(0, true), std::nullopt);
  expect(other.on_idle(1, true), 10, true);
}

TEST(WatermarkValveTest, AChannelThatHasEndedDoesNotAdvanceATaskWhoseOthersAreIdle) {
  WatermarkValve valve(2);
  valve.on_watermark(0, 10);
  expect(valve.on_idle(0, true), std::nullopt);
  expect(valve.on_watermark(1, kMaxWatermark), 10, true);
  EXPECT_FALSE(valve.ended());
  expect(valve.on_idle(0, false), std::nullopt, false);
  expect(valve.on_watermark(0, 12), 12);
}

TEST(WatermarkValveTest, WhenAllChannelsHaveEndedSoHasTheTask) {
  WatermarkValve valve(2);
  expect(valve.on_watermark(0, kMaxWatermark), std::nullopt);
  EXPECT_FALSE(valve.ended());
  expect(valve.on_idle(1, true), std::nullopt, true);
  expect(valve.on_watermark(1, kMaxWatermark), kMaxWatermark, false);
  EXPECT_TRUE(valve.ended());
}

TEST(WatermarkValveTest, WatermarksOnlyRiseAndAreNeverAheadOfAChannelThatWasAlwaysActive) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    std::mt19937 random(seed);
    WatermarkValve valve(4);
    std::vector<Timestamp> channels(4, kNoTimestamp);
    Timestamp task = kNoTimestamp;
    for (int step = 0; step < 200; ++step) {
      const int channel = static_cast<int>(random() % 4);
      Decision decision;
      if (channel < 2 && random() % 3 == 0) {
        decision = valve.on_idle(channel, random() % 2 == 0);
      } else {
        channels[channel] =
            std::max(channels[channel], static_cast<Timestamp>(step + random() % 50));
        decision = valve.on_watermark(channel, channels[channel]);
      }
      if (!decision.watermark) continue;
      EXPECT_GT(*decision.watermark, task) << "seed " << seed;
      task = *decision.watermark;
      EXPECT_LE(task, std::min(channels[2], channels[3])) << "seed " << seed;
    }
    EXPECT_GT(task, 0) << "seed " << seed;
  }
}

}  // namespace
}  // namespace weir
