// Streams by key: records come to their key's state, which a snapshot carries to another
// parallelism.
#include "weir/keyed_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "weir/testing/no_source.h"
#include "weir/testing/operator_harness.h"

namespace weir {
namespace {

using ::testing::ElementsAre;
using testing::HarnessBackend;
using testing::HarnessSnapshot;
using testing::OperatorHarness;
using testing::stream_of;
using ::testing::UnorderedElementsAre;

struct Order {
  std::string customer;
  std::int64_t price = 0;
  bool operator==(const Order&) const = default;
};
WEIR_FIELDS(Order, customer, price)

std::ostream& operator<<(std::ostream& out, const Order& order) {
  return out << order.customer << " " << order.price;
}

std::string_view first_field(std::string_view line) {
  return line.substr(0, line.find(','));
}

const OutputTag<std::string> kThird("third");

// "key,…" → "key,count"; every third record of a key to a side output as well.
class Counting : public KeyedProcessFunction<std::string, std::string, std::string> {
 public:
  void open(OpenContext& context) override {
    count_ = context.get_state(ValueStateDescriptor<std::int64_t>("count"));
  }
  void process_element(std::string_view line, Context& context,
                       Collector<std::string>& out) override {
    EXPECT_EQ(context.current_key(), first_field(line));
    const std::int64_t count = count_.value_or(0) + 1;
    count_.update(count);
    out.collect(out.arena().concat({context.current_key(), ",", std::to_string(count)}));
    if (count % 3 == 0) out.output(kThird, context.current_key());
  }

 private:
  ValueState<std::int64_t> count_;
};

TEST(KeyedStreamTest, ANodeBehindKeyByIsKeyedAndReadsByHash) {
  StreamExecutionEnvironment env;
  stream_of<std::string>(env).key_by(first_field).process(Counting());
  const StreamNode& node = env.graph().nodes[1];
  EXPECT_TRUE(node.keyed);
  ASSERT_EQ(node.inputs.size(), 1u);
  EXPECT_EQ(node.inputs[0].partitioning, Partitioning::kHash);
}

TEST(KeyedStreamTest, EveryKeyIsCountedInItsOwnState) {
  StreamExecutionEnvironment env;
  stream_of<std::string>(env).key_by(first_field).process(Counting());
  OperatorHarness<std::string, std::string> harness(env.graph(), 1, 1);
  auto& third = harness.side_output(kThird);
  harness.open();
  for (const char* line : {"a,1", "b,1", "a,2", "a,3"}) harness.push(line, 7);
  harness.watermark(9);
  EXPECT_THAT(harness.output().values, ElementsAre("a,1", "b,1", "a,2", "a,3"));
  EXPECT_THAT(harness.output().timestamps, ElementsAre(7, 7, 7, 7));
  EXPECT_THAT(third.values, ElementsAre("a"));
  EXPECT_THAT(third.timestamps, ElementsAre(7));
  EXPECT_THAT(harness.output().watermarks, ElementsAre(9));
  EXPECT_THAT(third.watermarks, ElementsAre(9));
}

TEST(KeyedStreamTest, ASelectorMayReturnTextOfItsOwn) {
  StreamExecutionEnvironment env;
  stream_of<Order>(env)
      .key_by([](const Order& order) { return order.customer; })
      .reduce([](const Order& a, const Order& b) { return Order{a.customer, a.price * b.price}; });
  OperatorHarness<Order, Order> harness(env.graph(), 1, 2);
  harness.open();
  for (const int price : {2, 3, 4}) {
    harness.push({std::string(40, 'x'), price});
    harness.push({"y", price + 1});
  }
  harness.deliver();
  const std::string x(40, 'x');
  EXPECT_THAT(harness.output().values,
              UnorderedElementsAre(Order{x, 2}, Order{x, 6}, Order{x, 24}, Order{"y", 3},
                                   Order{"y", 12}, Order{"y", 60}));
}

TEST(KeyedStreamTest, SumAddsUpOneMember) {
  StreamExecutionEnvironment env;
  stream_of<Order>(env).key_by(&Order::customer).sum(&Order::price);
  OperatorHarness<Order, Order> harness(env.graph(), 1, 1);
  harness.open();
  for (const int price : {2, 3, 4}) harness.push({"a", price});
  harness.deliver();
  EXPECT_THAT(harness.output().values, ElementsAre(Order{"a", 2}, Order{"a", 5}, Order{"a", 9}));
}

struct Bid {
  std::string bidder;
  int amount = 0;
  int number = 0;
  std::size_t length() const { return bidder.size(); }
  bool operator==(const Bid&) const = default;
};
WEIR_FIELDS(Bid, bidder, amount, number)

// What `build` makes of the bids by bidder, in the order in which they come.
template <typename Build>
std::vector<Bid> reduced(Build build) {
  StreamExecutionEnvironment env;
  build(stream_of<Bid>(env).key_by(&Bid::bidder));
  OperatorHarness<Bid, Bid> harness(env.graph(), 1, 1);
  harness.open();
  for (const Bid& bid : {Bid{"a", 5, 1}, Bid{"a", 7, 2}, Bid{"b", 1, 3}, Bid{"a", 3, 4},
                         Bid{"a", 3, 5}, Bid{"a", 7, 6}}) {
    harness.push(bid);
  }
  harness.deliver();
  return harness.output().values;
}

TEST(KeyedStreamTest, MinAndMaxKeepTheRestOfTheFirstRecord) {
  EXPECT_THAT(reduced([](auto bids) { bids.min(&Bid::amount); }),
              ElementsAre(Bid{"a", 5, 1}, Bid{"a", 5, 1}, Bid{"b", 1, 3}, Bid{"a", 3, 1},
                          Bid{"a", 3, 1}, Bid{"a", 3, 1}));
  EXPECT_THAT(reduced([](auto bids) { bids.max(&Bid::amount); }),
              ElementsAre(Bid{"a", 5, 1}, Bid{"a", 7, 1}, Bid{"b", 1, 3}, Bid{"a", 7, 1},
                          Bid{"a", 7, 1}, Bid{"a", 7, 1}));
}

TEST(KeyedStreamTest, MinByAndMaxByKeepTheFirstOfTheBestRecords) {
  EXPECT_THAT(reduced([](auto bids) { bids.min_by(&Bid::amount); }),
              ElementsAre(Bid{"a", 5, 1}, Bid{"a", 5, 1}, Bid{"b", 1, 3}, Bid{"a", 3, 4},
                          Bid{"a", 3, 4}, Bid{"a", 3, 4}));
  EXPECT_THAT(reduced([](auto bids) { bids.max_by(&Bid::amount); }),
              ElementsAre(Bid{"a", 5, 1}, Bid{"a", 7, 2}, Bid{"b", 1, 3}, Bid{"a", 7, 2},
                          Bid{"a", 7, 2}, Bid{"a", 7, 2}));
}

TEST(KeyedStreamTest, AMemberFunctionIsAKeyToo) {
  StreamExecutionEnvironment env;
  stream_of<Bid>(env).key_by(&Bid::length).sum(&Bid::amount);
  OperatorHarness<Bid, Bid> harness(env.graph(), 1, 2);
  harness.open();
  for (const char* bidder : {"a", "bb", "c"}) harness.push({bidder, 2, 0});
  harness.deliver();
  EXPECT_THAT(harness.output().values,
              UnorderedElementsAre(Bid{"a", 2, 0}, Bid{"bb", 2, 0}, Bid{"a", 4, 0}));
}

TEST(KeyedStreamTest, TextIsReducedAsText) {
  StreamExecutionEnvironment env;
  stream_of<std::string>(env)
      .key_by([](std::string_view text) { return text.size(); })
      .reduce([](std::string_view a, std::string_view b) { return std::max(a, b); });
  OperatorHarness<std::string, std::string> harness(env.graph(), 1, 1);
  harness.open();
  for (const char* text : {"b", "a", "aa", "c"}) harness.push(text);
  harness.deliver();
  EXPECT_THAT(harness.output().values, ElementsAre("b", "b", "aa", "c"));
}

// Counts through restores at changing parallelism, with records while the snapshot is open.
void count_through_restores(unsigned seed, HarnessBackend backend) {
  StreamExecutionEnvironment env;
  stream_of<std::string>(env).key_by(first_field).process(Counting());
  std::mt19937 random(seed);
  std::map<std::string, int> counts;
  HarnessSnapshot snapshot;
  for (const int parallelism : {2, 3, 1, 4}) {
    OperatorHarness<std::string, std::string> harness(env.graph(), 1, parallelism, backend);
    harness.open(snapshot);
    std::vector<std::string> expected;
    const auto push_some = [&](bool counted) {
      for (int i = 0; i < 100; ++i) {
        const std::string key = "key" + std::to_string(random() % 60);
        harness.push(key + ",x");
        if (counted) expected.push_back(key + "," + std::to_string(++counts[key]));
      }
      harness.deliver();
    };
    push_some(true);
    push_some(true);
    std::vector<std::string> values = harness.output().values;
    std::sort(values.begin(), values.end());
    std::sort(expected.begin(), expected.end());
    EXPECT_EQ(values, expected) << "seed " << seed << " parallelism " << parallelism;
    int slices = 0;
    snapshot = harness.snapshot([&] {
      if (++slices < 4) push_some(false);  // lost with this attempt
    });
    EXPECT_GE(slices, 1);
  }
}

TEST(KeyedStreamTest, CountsGoOnAfterARestoreAtAnotherParallelism) {
  for (unsigned seed = 0; seed < 20; ++seed) count_through_restores(seed, HarnessBackend::kHeap);
}

TEST(KeyedStreamTest, CountsGoOnFromABackendThatHoldsMoreThanMemory) {
  for (unsigned seed = 0; seed < 20; ++seed) count_through_restores(seed, HarnessBackend::kStored);
}

}  // namespace
}  // namespace weir
