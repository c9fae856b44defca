// Timers of keyed functions, in both kinds of time.
#include "weir/keyed_process_function.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "weir/keyed_stream.h"
#include "weir/testing/no_source.h"
#include "weir/testing/operator_harness.h"

namespace weir {
namespace {

using ::testing::ElementsAre;
using testing::HarnessBackend;
using testing::HarnessSnapshot;
using ::testing::IsEmpty;
using testing::OperatorHarness;
using testing::stream_of;
using ::testing::UnorderedElementsAre;

// Does what a record "key command time" says, and emits "key domain time" for each timer.
class Commanded : public KeyedProcessFunction<std::string, std::string, std::string> {
 public:
  void process_element(std::string_view record, Context& context,
                       Collector<std::string>& out) override {
    const std::string command(record.substr(record.find(' ') + 1));
    const Timestamp time = std::stoll(command.substr(command.find(' ') + 1));
    if (command.starts_with("event")) context.register_event_time_timer(time);
    if (command.starts_with("delete")) context.delete_event_time_timer(time);
    if (command.starts_with("clock")) context.register_processing_time_timer(time);
    if (command.starts_with("undo")) context.delete_processing_time_timer(time);
    if (command.starts_with("ask")) {
      out.collect(std::to_string(context.current_watermark()) + " " +
                  std::to_string(context.current_processing_time()));
    }
  }
  void on_timer(Timestamp time, TimeDomain domain, Context& context,
                Collector<std::string>& out) override {
    EXPECT_EQ(context.timestamp(), time);
    const char* const name = domain == TimeDomain::kEventTime ? " event " : " clock ";
    out.collect(context.current_key() + name + std::to_string(time));
    if (time == 13) context.register_event_time_timer(14);
  }
};

void add_job(StreamExecutionEnvironment& env) {
  stream_of<std::string>(env)
      .key_by([](std::string_view record) { return record.substr(0, record.find(' ')); })
      .process(Commanded());
}

using Harness = OperatorHarness<std::string, std::string>;

TEST(TimerTest, EventTimeTimersFireInTheirOrderWhenTheWatermarkComes) {
  StreamExecutionEnvironment env;
  add_job(env);
  Harness harness(env.graph(), 1, 1);
  harness.open();
  for (const char* record :
       {"a event 20", "b event 10", "a event 20", "a event 15", "a delete 15"}) {
    harness.push(record, 1);
  }
  harness.watermark(9);
  EXPECT_THAT(harness.output().values, IsEmpty());
  harness.watermark(20);
  EXPECT_THAT(harness.output().values, ElementsAre("b event 10", "a event 20"));
  EXPECT_THAT(harness.output().timestamps, ElementsAre(10, 20));
  EXPECT_THAT(harness.output().watermarks, ElementsAre(9, 20));
}

TEST(TimerTest, ATimerMaySetAnotherThatIsDueAtOnce) {
  StreamExecutionEnvironment env;
  add_job(env);
  Harness harness(env.graph(), 1, 1);
  harness.open();
  harness.push("a event 13");
  harness.push("b event 15");
  harness.watermark(15);
  EXPECT_THAT(harness.output().values, ElementsAre("a event 13", "a event 14", "b event 15"));
}

TEST(TimerTest, ProcessingTimeTimersFireByTheClockAndHaveNoTimestamp) {
  StreamExecutionEnvironment env;
  add_job(env);
  Harness harness(env.graph(), 1, 1);
  harness.open();
  EXPECT_EQ(harness.next_processing_timer(), kMaxWatermark);
  for (const char* record : {"a clock 100", "a clock 200", "b clock 100", "b undo 100"}) {
    harness.push(record, 1);
  }
  harness.deliver();
  EXPECT_EQ(harness.next_processing_timer(), 100);
  harness.processing_time(99);
  EXPECT_THAT(harness.output().values, IsEmpty());
  harness.processing_time(150);
  EXPECT_THAT(harness.output().values, ElementsAre("a clock 100"));
  EXPECT_THAT(harness.output().timestamps, ElementsAre(kNoTimestamp));
  EXPECT_EQ(harness.next_processing_timer(), 200);
}

TEST(TimerTest, AFunctionSeesBothTimes) {
  StreamExecutionEnvironment env;
  add_job(env);
  Harness harness(env.graph(), 1, 1);
  harness.open();
  harness.processing_time(7);
  harness.watermark(5);
  harness.push("a ask 0");
  harness.deliver();
  EXPECT_THAT(harness.output().values, ElementsAre("5 7"));
}

// Timers are set, deleted and due through restores at changing parallelism, as a set says.
void run_against_model(unsigned seed, HarnessBackend backend) {
  StreamExecutionEnvironment env;
  add_job(env);
  std::mt19937 random(seed);
  std::set<std::pair<Timestamp, std::string>> model;
  HarnessSnapshot snapshot;
  Timestamp now = 0;
  for (const int parallelism : {2, 3, 1, 4}) {
    Harness harness(env.graph(), 1, parallelism, backend);
    harness.open(snapshot);
    std::multiset<std::string> expected;
    for (int i = 0; i < 200; ++i) {
      const std::string key = "key" + std::to_string(random() % 20);
      const Timestamp time = 100 + now + static_cast<Timestamp>(random() % 50);
      const bool deletes = random() % 3 == 0;
      harness.push(key + (deletes ? " delete " : " event ") + std::to_string(time));
      if (deletes) {
        model.erase({time, key});
      } else {
        model.insert({time, key});
      }
      if (random() % 10 != 0) continue;
      now += static_cast<Timestamp>(random() % 30);
      harness.watermark(100 + now);
      while (!model.empty() && model.begin()->first <= 100 + now) {
        expected.insert(model.begin()->second + " event " + std::to_string(model.begin()->first));
        model.erase(model.begin());
      }
    }
    harness.deliver();
    const auto& values = harness.output().values;
    ASSERT_EQ(std::multiset<std::string>(values.begin(), values.end()), expected) << seed;
    snapshot = harness.snapshot();
    EXPECT_EQ(snapshot.entries.size(), model.size()) << seed;
  }
}

TEST(TimerTest, TimersAreStateThatASnapshotCarriesOn) {
  for (unsigned seed = 0; seed < 30; ++seed) {
    run_against_model(seed, HarnessBackend::kHeap);
    run_against_model(seed, HarnessBackend::kStored);
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace weir
