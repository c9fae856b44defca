// Event time as it comes from sources.
#include "weir/source_watermarks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "weir/environment.h"
#include "weir/test_context.h"

namespace weir {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

SourceWatermarks::Options bound(int out_of_orderness) {
  return {milliseconds(out_of_orderness), std::nullopt};
}
SourceWatermarks::Options idle_after(int timeout) {
  return {milliseconds(0), milliseconds(timeout)};
}

TEST(SourceWatermarksTest, StayBehindTheLargestTimestampByTheBound) {
  SourceWatermarks watermarks(bound(5));
  EXPECT_EQ(watermarks.end_poll(0).watermark, std::nullopt);
  watermarks.observe(100);
  watermarks.observe(97);
  EXPECT_EQ(watermarks.end_poll(1).watermark, 94);
  watermarks.observe(99);
  EXPECT_EQ(watermarks.end_poll(2).watermark, std::nullopt);
  watermarks.observe(kNoTimestamp);
  watermarks.observe(101);
  EXPECT_EQ(watermarks.end_poll(3).watermark, 95);
}

TEST(SourceWatermarksTest, AreAsFarAsTheSplitThatIsFurthestBehind) {
  SourceWatermarks watermarks(bound(0));
  watermarks.add_split("a");
  watermarks.add_split("b");
  watermarks.begin_split("a");
  watermarks.observe(100);
  EXPECT_EQ(watermarks.end_poll(0).watermark, std::nullopt);
  watermarks.begin_split("b");
  watermarks.observe(51);
  EXPECT_EQ(watermarks.end_poll(1).watermark, 50);
  watermarks.end_split("b");
  EXPECT_EQ(watermarks.end_poll(2).watermark, 99);
}

TEST(SourceWatermarksTest, NeverFallWhenASplitIsAdded) {
  SourceWatermarks watermarks(bound(0));
  watermarks.add_split("a");
  watermarks.begin_split("a");
  watermarks.observe(101);
  EXPECT_EQ(watermarks.end_poll(0).watermark, 100);
  watermarks.add_split("b");
  watermarks.begin_split("b");
  watermarks.observe(11);
  EXPECT_EQ(watermarks.end_poll(1).watermark, std::nullopt);
}

TEST(SourceWatermarksTest, DoNotWaitForAnIdleSplit) {
  SourceWatermarks watermarks(idle_after(40));
  watermarks.add_split("a");
  watermarks.add_split("b");
  watermarks.begin_split("a");
  std::optional<Timestamp> first;
  for (int now = 0; now <= 50; now += 10) {
    watermarks.observe(1000 + now);
    const auto decision = watermarks.end_poll(now);
    EXPECT_FALSE(decision.becomes_idle);
    if (decision.watermark && !first) first = now;
  }
  EXPECT_EQ(first, 40);
}

TEST(SourceWatermarksTest, SayWhenEverySplitIsIdleAndWhenOneIsNot) {
  SourceWatermarks watermarks(idle_after(40));
  watermarks.add_split("a");
  watermarks.begin_split("a");
  EXPECT_FALSE(watermarks.observe(5));
  int idle_at = 0;
  for (int now = 0; now <= 100; now += 10) {
    if (watermarks.end_poll(now).becomes_idle) idle_at = now;
  }
  EXPECT_EQ(idle_at, 40);
  EXPECT_TRUE(watermarks.observe(9));
  EXPECT_FALSE(watermarks.observe(9));
  EXPECT_EQ(watermarks.end_poll(110).watermark, 8);
}

TEST(SourceWatermarksTest, AReaderWithoutSplitsIsIdleUntilALaterOneBringsARecord) {
  SourceWatermarks watermarks(bound(0));
  watermarks.add_none();
  EXPECT_TRUE(watermarks.end_poll(0).becomes_idle);
  EXPECT_FALSE(watermarks.end_poll(1).becomes_idle);
  watermarks.add_split("a");
  EXPECT_FALSE(watermarks.end_poll(2).becomes_idle);
  watermarks.begin_split("a");
  EXPECT_TRUE(watermarks.observe(8));
  EXPECT_EQ(watermarks.end_poll(3).watermark, 7);
}

TEST(SourceWatermarksTest, ASplitThatIsAddedToAnIdleReaderMakesItActiveWithItsFirstRecord) {
  SourceWatermarks watermarks(idle_after(40));
  watermarks.add_split("a");
  watermarks.begin_split("a");
  bool idle = false;
  for (int now = 0; now <= 100; now += 10) idle |= watermarks.end_poll(now).becomes_idle;
  ASSERT_TRUE(idle);
  watermarks.add_split("b");
  watermarks.end_poll(110);
  watermarks.begin_split("b");
  EXPECT_TRUE(watermarks.observe(5));
}

TEST(SourceWatermarksTest, APauseOfTheTaskMakesNothingIdle) {
  SourceWatermarks watermarks(idle_after(40));
  watermarks.observe(5);
  EXPECT_FALSE(watermarks.end_poll(0).becomes_idle);
  EXPECT_FALSE(watermarks.end_poll(100000).becomes_idle);
  watermarks.observe(6);
  EXPECT_FALSE(watermarks.end_poll(200000).becomes_idle);
}

// No record is behind a watermark that was told before, whatever the splits do.
TEST(SourceWatermarksTest, ARecordWithinTheBoundIsNeverLate) {
  for (unsigned seed = 0; seed < 100; ++seed) {
    std::mt19937 random(seed);
    const int out_of_orderness = static_cast<int>(random() % 20);
    SourceWatermarks watermarks(bound(out_of_orderness));
    std::map<std::string, Timestamp> largest;
    for (const char* id : {"a", "b", "c"}) {
      watermarks.add_split(id);
      largest[id] = static_cast<Timestamp>(random() % 100);
    }
    std::optional<Timestamp> watermark;
    for (int poll = 0; poll < 200; ++poll) {
      for (int i = static_cast<int>(random() % 5); i > 0; --i) {
        const std::string id(1, static_cast<char>('a' + random() % 3));
        largest[id] += static_cast<Timestamp>(random() % 10);
        const Timestamp timestamp =
            largest[id] - static_cast<Timestamp>(random() % (out_of_orderness + 1));
        EXPECT_GT(timestamp, watermark.value_or(kNoTimestamp)) << "seed " << seed;
        watermarks.begin_split(id);
        watermarks.observe(timestamp);
      }
      const auto decision = watermarks.end_poll(poll);
      if (decision.watermark) {
        EXPECT_GT(*decision.watermark, watermark.value_or(kNoTimestamp));
        watermark = decision.watermark;
      }
    }
    EXPECT_TRUE(watermark.has_value());
  }
}

// Each poll brings one batch; records of the split "a", then of "b".
struct Batches {
  std::vector<std::pair<std::vector<int>, std::vector<int>>> polls;
};

class BatchReader final : public SourceReader<int> {
 public:
  explicit BatchReader(Batches batches) : batches_(std::move(batches)) {}
  void open(SourceReaderContext&) override {}
  void add_splits(std::span<const Split>) override {}
  void no_more_splits() override {}
  PollStatus poll(std::chrono::milliseconds) override {
    if (next_ == batches_.polls.size()) return PollStatus::kIdle;
    const auto& [of_a, of_b] = batches_.polls[next_++];
    if (splits() != nullptr) splits()->begin_split("a");
    for (const int value : of_a) output().collect(value, kNoTimestamp);
    if (splits() != nullptr) splits()->begin_split("b");
    for (const int value : of_b) output().collect(value, kNoTimestamp);
    return PollStatus::kMoreAvailable;
  }
  std::vector<Split> snapshot(std::int64_t) override { return {}; }
  void wake_up() override {}

 private:
  const Batches batches_;
  std::size_t next_ = 0;
};

class BatchSource : public Source<int> {
 public:
  explicit BatchSource(Batches batches) : batches_(std::move(batches)) {}
  std::unique_ptr<SourceReader<int>> create_reader() const override {
    return std::make_unique<BatchReader>(batches_);
  }
  std::unique_ptr<SourceCoordinator> create_coordinator() const override { return nullptr; }

 private:
  Batches batches_;
};

// Records by their timestamps, watermarks with a minus.
class TimeLine final : public Output<int> {
 public:
  void collect(const int&, Timestamp timestamp) override { events.push_back(timestamp); }
  void watermark(Timestamp watermark) override { events.push_back(-watermark); }
  void idle(bool idle) override { idles.push_back(idle); }

  std::vector<Timestamp> events;
  std::vector<bool> idles;
};

void read_all(const WatermarkStrategy<int>& strategy, Batches batches, TimeLine& output, int polls,
              const std::vector<Split>& splits = {{"a", ""}, {"b", ""}}) {
  StreamExecutionEnvironment env;
  env.from_source(BatchSource(std::move(batches)), strategy, "in");
  ASSERT_EQ(env.graph().nodes.size(), 1u);
  const auto reader = env.graph().nodes[0].factory->create_reader(output);
  TestReaderContext context;
  reader->open(context);
  reader->add_splits(splits);
  for (int i = 0; i < polls; ++i) reader->poll(milliseconds(0));
  reader->close();
}

Timestamp tenfold(const int& value, Timestamp /*timestamp*/) {
  return 10 * value;
}

TEST(WatermarkStrategyTest, ASourceWithoutWatermarksMayHaveTimestamps) {
  TimeLine output;
  read_all(WatermarkStrategy<int>::no_watermarks().with_timestamp_assigner(tenfold),
           {{{{1, 2}, {3}}}}, output, 2);
  EXPECT_THAT(output.events, ElementsAre(10, 20, 30));
}

TEST(WatermarkStrategyTest, WatermarksFollowEachBatchBySplit) {
  TimeLine output;
  read_all(WatermarkStrategy<int>::for_monotonous_timestamps().with_timestamp_assigner(tenfold),
           {{{{1, 2}, {}}, {{9}, {4}}, {{}, {20}}}}, output, 4);
  EXPECT_THAT(output.events, ElementsAre(10, 20, 90, 40, -39, 200, -89));
  EXPECT_THAT(output.idles, IsEmpty());
}

TEST(WatermarkStrategyTest, NobodyWaitsForAReaderThatWasGivenNoSplit) {
  TimeLine output;
  read_all(WatermarkStrategy<int>::for_monotonous_timestamps(), {}, output, 2, {});
  EXPECT_THAT(output.idles, ElementsAre(true));
}

TEST(WatermarkStrategyTest, RefusesWhatMakesNoSense) {
  using Strategy = WatermarkStrategy<int>;
  EXPECT_THROW(Strategy::for_bounded_out_of_orderness(milliseconds(-1)), FatalError);
  EXPECT_THROW(Strategy::no_watermarks().with_idleness(milliseconds(5)), FatalError);
  EXPECT_THROW(Strategy::for_monotonous_timestamps().with_idleness(milliseconds(0)), FatalError);
}

}  // namespace
}  // namespace weir
