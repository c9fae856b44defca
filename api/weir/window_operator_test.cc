// Windows, against a model that keeps every window of every key.
#include "weir/window_operator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <random>
#include <set>
#include <tuple>

#include "weir/testing/no_source.h"
#include "weir/testing/operator_harness.h"
#include "weir/windowed_stream.h"

namespace weir {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using testing::HarnessBackend;
using testing::HarnessSnapshot;
using ::testing::IsEmpty;
using testing::OperatorHarness;
using testing::stream_of;
using ::testing::UnorderedElementsAre;

// Records are "key,value".
std::string_view key_of(std::string_view record) {
  return record.substr(0, record.find(','));
}
std::int64_t value_of(std::string_view record) {
  return std::stoll(std::string(record.substr(record.find(',') + 1)));
}

auto by_key(StreamExecutionEnvironment& env) {
  return stream_of<std::string>(env).key_by(key_of);
}

struct Sum {
  using Input = std::string;
  using Accumulator = std::int64_t;
  using Result = std::int64_t;
  Accumulator create_accumulator() const { return 0; }
  void add(std::string_view record, Accumulator& sum) const { sum += value_of(record); }
  void merge(Accumulator later, Accumulator& sum) const { sum += later; }
  Result get_result(Accumulator sum) const { return sum; }
};

// "key start sum"
const auto emit_sum = [](std::string_view key, const TimeWindow& window, std::int64_t sum,
                         Collector<std::string>& out) {
  out.collect(
      out.arena().concat({key, " ", std::to_string(window.start), " ", std::to_string(sum)}));
};

const OutputTag<std::string> kLate("late");

using Harness = OperatorHarness<std::string, std::string>;

TEST(WindowTest, AWindowComesWhenTheWatermarkPassesItsEnd) {
  StreamExecutionEnvironment env;
  by_key(env)
      .window(TumblingEventTimeWindows::of(milliseconds(10)))
      .aggregate<std::string>(Sum(), emit_sum);
  Harness harness(env.graph(), 1, 1);
  harness.open();
  harness.push("a,1", 9);
  harness.push("a,2", 0);
  harness.push("a,4", 10);
  harness.push("b,8", 3);
  harness.watermark(8);
  EXPECT_THAT(harness.output().values, IsEmpty());
  harness.watermark(9);
  EXPECT_THAT(harness.output().values, UnorderedElementsAre("a 0 3", "b 0 8"));
  EXPECT_THAT(harness.output().timestamps, ElementsAre(9, 9));
  harness.watermark(kMaxWatermark);
  EXPECT_THAT(harness.output().values, UnorderedElementsAre("a 0 3", "b 0 8", "a 10 4"));
  EXPECT_THAT(harness.output().watermarks, ElementsAre(8, 9, kMaxWatermark));
}

TEST(WindowTest, ASlidingWindowIsMergedFromItsSlices) {
  StreamExecutionEnvironment env;
  by_key(env)
      .window(SlidingEventTimeWindows::of(milliseconds(30), milliseconds(10)))
      .aggregate<std::string>(Sum(), emit_sum);
  Harness harness(env.graph(), 1, 1);
  harness.open();
  harness.push("a,1", 5);
  harness.push("a,2", 15);
  harness.push("a,4", 1000005);  // far away: nothing between is looked at
  harness.watermark(kMaxWatermark);
  EXPECT_THAT(harness.output().values, ElementsAre("a -20 1", "a -10 3", "a 0 3", "a 10 2",
                                                   "a 999980 4", "a 999990 4", "a 1000000 4"));
}

TEST(WindowTest, ReduceKeepsTheOrderOfTheSlices) {
  StreamExecutionEnvironment env;
  by_key(env)
      .window(SlidingEventTimeWindows::of(milliseconds(20), milliseconds(10)))
      .reduce([](std::string_view a, std::string_view b) {
        return std::string(a) + std::string(b.substr(b.find(',') + 1));
      });
  Harness harness(env.graph(), 1, 1);
  harness.open();
  harness.push("a,3", 15);
  harness.push("a,1", 5);
  harness.push("a,2", 4);
  harness.watermark(100);
  EXPECT_THAT(harness.output().values, ElementsAre("a,12", "a,123", "a,3"));
  EXPECT_THAT(harness.output().timestamps, ElementsAre(9, 19, 29));
}

TEST(WindowTest, ProcessSeesEveryRecord) {
  StreamExecutionEnvironment env;
  by_key(env)
      .window(TumblingEventTimeWindows::of(milliseconds(10)))
      .process<std::size_t>([](std::string_view, const TimeWindow&,
                               const std::vector<std::string>& records,
                               Collector<std::size_t>& out) { out.collect(records.size()); });
  OperatorHarness<std::string, std::size_t> harness(env.graph(), 1, 2);
  harness.open();
  for (const char* record : {"a,1", "b,1", "a,1"}) harness.push(record, 5);
  harness.watermark(20);
  EXPECT_THAT(harness.output().values, UnorderedElementsAre(2, 1));
}

TEST(WindowTest, ALateRecordIsDroppedAndCounted) {
  StreamExecutionEnvironment env;
  by_key(env)
      .window(TumblingEventTimeWindows::of(milliseconds(10)))
      .aggregate<std::string>(Sum(), emit_sum);
  Harness harness(env.graph(), 1, 1);
  harness.open();
  harness.watermark(9);
  harness.push("a,1", 9);
  harness.push("a,2", 10);
  harness.watermark(30);
  EXPECT_THAT(harness.output().values, ElementsAre("a 10 2"));
  EXPECT_EQ(harness.gauges(0).at("numLateRecordsDropped"), 1);
}

TEST(WindowTest, WithinTheAllowedLatenessAWindowFiresAgain) {
  StreamExecutionEnvironment env;
  by_key(env)
      .window(TumblingEventTimeWindows::of(milliseconds(10)))
      .allowed_lateness(milliseconds(5))
      .side_output_late_data(kLate)
      .aggregate<std::string>(Sum(), emit_sum);
  Harness harness(env.graph(), 1, 1);
  auto& late = harness.side_output(kLate);
  harness.open();
  harness.push("a,1", 3);
  harness.watermark(9);
  harness.push("a,2", 4);
  harness.watermark(13);
  harness.push("a,4", 5);
  harness.watermark(14);
  harness.push("a,8", 6);
  harness.watermark(100);
  EXPECT_THAT(harness.output().values, ElementsAre("a 0 1", "a 0 3", "a 0 7"));
  EXPECT_THAT(late.values, ElementsAre("a,8"));
  EXPECT_THAT(late.timestamps, ElementsAre(6));
}

TEST(WindowTest, ARecordNeedsATimestamp) {
  StreamExecutionEnvironment env;
  by_key(env)
      .window(TumblingEventTimeWindows::of(milliseconds(10)))
      .aggregate<std::string>(Sum(), emit_sum);
  Harness harness(env.graph(), 1, 1);
  harness.open();
  harness.push("a,1");
  EXPECT_THROW(harness.deliver(), FatalError);
}

// Doesn't merge.
struct Last {
  using Input = std::string;
  using Accumulator = std::int64_t;
  using Result = std::int64_t;
  Accumulator create_accumulator() const { return 0; }
  void add(std::string_view record, Accumulator& last) const { last = value_of(record); }
  Result get_result(Accumulator last) const { return last; }
};

TEST(WindowTest, SlicesNeedAnAggregateThatMerges) {
  StreamExecutionEnvironment env;
  const auto stream = by_key(env);
  EXPECT_THROW(stream.window(SlidingEventTimeWindows::of(milliseconds(20), milliseconds(10)))
                   .aggregate(Last()),
               FatalError);
  stream.window(TumblingEventTimeWindows::of(milliseconds(20))).aggregate(Last());
}

// Keeps every window of every key for ever.
class Model {
 public:
  Model(EventTimeWindows windows, Timestamp lateness) : windows_(windows), lateness_(lateness) {}

  void record(const std::string& record, Timestamp timestamp) {
    bool is_late = true;
    bool is_in_some = false;
    const Timestamp first = windows_.window_end_from(timestamp + 1);
    for (Timestamp end = first; end <= timestamp + windows_.size(); end += windows_.slide()) {
      is_in_some = true;
      if (watermark_ >= end - 1 + lateness_) continue;
      is_late = false;
      const std::string key(key_of(record));
      std::int64_t& sum = sums_[{end, key}];
      sum += value_of(record);
      if (watermark_ >= end - 1) emit(end, key, sum);
    }
    if (is_late && is_in_some) late.insert(record);
  }
  void watermark(Timestamp watermark) {
    for (const auto& [window, sum] : sums_) {
      const auto& [end, key] = window;
      if (end - 1 > watermark_ && end - 1 <= watermark) emit(end, key, sum);
    }
    watermark_ = std::max(watermark_, watermark);
  }

  std::multiset<std::string> emitted;
  std::multiset<std::string> late;

 private:
  void emit(Timestamp end, const std::string& key, std::int64_t sum) {
    emitted.insert(key + " " + std::to_string(end - windows_.size()) + " " + std::to_string(sum));
  }

  const EventTimeWindows windows_;
  const Timestamp lateness_;
  Timestamp watermark_ = -1'000'000;
  std::map<std::pair<Timestamp, std::string>, std::int64_t> sums_;
};

// Records out of order and late, watermarks, and restores at changing parallelism, after which the
// watermark begins again further back. Without `backend`, each attempt has one or the other.
void run_against_model(unsigned seed, std::optional<HarnessBackend> backend) {
  std::mt19937 random(seed);
  const auto upto = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  const auto windows =
      SlidingEventTimeWindows::of(milliseconds(1 + upto(30)), milliseconds(1 + upto(30)));
  const Timestamp lateness = upto(2) == 0 ? 0 : upto(40);
  StreamExecutionEnvironment env;
  by_key(env)
      .window(windows)
      .allowed_lateness(milliseconds(lateness))
      .side_output_late_data(kLate)
      .aggregate<std::string>(Sum(), emit_sum);
  Model model(windows, lateness);
  HarnessSnapshot snapshot;
  Timestamp now = -50;
  for (int attempt = 0; attempt < 4; ++attempt) {
    const int parallelism = 1 + upto(4);
    const auto drawn = upto(2) == 0 ? HarnessBackend::kHeap : HarnessBackend::kStored;
    Harness harness(env.graph(), 1, parallelism, backend.value_or(drawn));
    auto& late = harness.side_output(kLate);
    harness.open(snapshot);
    model.emitted.clear();
    model.late.clear();
    Timestamp watermark = now - 30;
    for (int i = 0; i < 150; ++i) {
      if (upto(12) == 0) {
        watermark = std::max<Timestamp>(watermark, now - upto(20));
        harness.watermark(watermark);
        model.watermark(watermark);
      } else {
        now += upto(3);
        const std::string record =
            "key" + std::to_string(upto(8)) + "," + std::to_string(1 + upto(100));
        const Timestamp timestamp = now - upto(upto(4) == 0 ? 80 : 20);
        harness.push(record, timestamp);
        model.record(record, timestamp);
      }
    }
    if (attempt == 3) {
      harness.watermark(kMaxWatermark);
      model.watermark(kMaxWatermark);
    }
    harness.deliver();
    const auto& values = harness.output().values;
    const std::multiset<std::string> emitted(values.begin(), values.end());
    ASSERT_EQ(emitted, model.emitted) << "seed " << seed << ", attempt " << attempt;
    const std::multiset<std::string> late_records(late.values.begin(), late.values.end());
    ASSERT_EQ(late_records, model.late) << "seed " << seed << ", attempt " << attempt;
    snapshot = harness.snapshot();
  }
  EXPECT_THAT(snapshot.entries, IsEmpty()) << "seed " << seed << ": state is left behind";
}

TEST(WindowTest, EveryWindowIsWhatTheModelSays) {
  for (unsigned seed = 0; seed < 150; ++seed) {
    run_against_model(seed, HarnessBackend::kHeap);
    if (HasFatalFailure()) return;
  }
}

TEST(WindowTest, EveryWindowIsWhatTheModelSaysFromABackendToo) {
  for (unsigned seed = 1000; seed < 1040; ++seed) {
    run_against_model(seed, HarnessBackend::kStored);
    if (HasFatalFailure()) return;
  }
}

TEST(WindowTest, EveryWindowIsWhatTheModelSaysThroughChangesOfTheBackend) {
  for (unsigned seed = 2000; seed < 2060; ++seed) {
    run_against_model(seed, std::nullopt);
    if (HasFatalFailure()) return;
  }
}

TEST(KeyGroupWatermarksTest, AreDividedAmongTheKeyGroupsOfTheNextAttempt) {
  KeyGroupWatermarks first;
  std::vector<std::string> items = first.snapshot({0, 63}, 100);
  const std::vector<std::string> others = first.snapshot({64, 127}, 200);
  items.insert(items.end(), others.begin(), others.end());
  ASSERT_EQ(items.size(), 2u);

  KeyGroupWatermarks second;
  second.restore(items, {43, 85});
  EXPECT_EQ(second.of(42), KeyGroupWatermarks::kNone);
  EXPECT_EQ(second.of(43), 100);
  EXPECT_EQ(second.of(63), 100);
  EXPECT_EQ(second.of(64), 200);
  EXPECT_EQ(second.of(85), 200);
  EXPECT_EQ(second.max(), 200);
  EXPECT_EQ(second.snapshot({43, 85}, 150).size(), 2u);
  EXPECT_EQ(second.snapshot({43, 85}, 250).size(), 1u);
  EXPECT_TRUE(KeyGroupWatermarks().snapshot({0, 127}, KeyGroupWatermarks::kNone).empty());
}

TEST(KeyGroupWatermarksTest, GoldenBytes) {
  const std::vector<std::string> items = KeyGroupWatermarks().snapshot({1, 258}, 3);
  ASSERT_EQ(items.size(), 1u);
  EXPECT_EQ(items[0], std::string("\1\1\0\0\0\2\1\0\0\3\0\0\0\0\0\0\0", 17));
  KeyGroupWatermarks watermarks;
  EXPECT_THROW(watermarks.restore(std::vector{std::string("\2") + items[0].substr(1)}, {0, 1}),
               Error);
}

}  // namespace
}  // namespace weir
