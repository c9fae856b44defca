// The stream graph that a job builds, and the chain of operators made from it.
#include "weir/stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "weir/test_context.h"
#include "weir/testing/no_source.h"

namespace weir {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::stream_of;

template <typename T>
class NoSink : public Sink<T> {
 public:
  std::unique_ptr<SinkWriter<T>> create_writer() const override { return nullptr; }
};

std::string check_error(const StreamGraph& graph) {
  try {
    graph.check();
  } catch (const FatalError& error) {
    return error.what();
  }
  return "";
}

// Runs all operators of the graph, which must be one chain, from In to Out.
template <typename In, typename Out>
struct Chain {
  TestOutput<Out> output;
  std::vector<std::unique_ptr<Operator>> operators;
  Output<In>* input = nullptr;

  explicit Chain(const StreamGraph& graph) {
    OutputBase* next = &output;
    for (auto node = graph.nodes.rbegin(); node != graph.nodes.rend(); ++node) {
      if (node->kind != NodeKind::kOperator) continue;
      operators.push_back(node->factory->create_operator(*next, {}));
      next = &operators.back()->input();
    }
    input = static_cast<Output<In>*>(next);
  }
};

TEST(StreamTest, ARecordPassesThroughTheChainByCalls) {
  StreamExecutionEnvironment env;
  stream_of<std::string>(env)
      .filter([](std::string_view text) { return text != "drop"; })
      .flat_map<std::string>([](std::string_view text, Collector<std::string>& out) {
        out.collect(text);
        out.collect(out.arena().concat({text, "!"}));
      })
      .map([](std::string_view text, Arena& arena) { return arena.concat({"<", text, ">"}); })
      .map([](auto text) { return text.size(); });
  Chain<std::string, std::size_t> chain(env.graph());
  for (const char* text : {"a", "drop", "bcd"}) chain.input->collect(text, 5);
  EXPECT_THAT(chain.output.values, ElementsAre(3, 4, 5, 6));
  EXPECT_THAT(chain.output.timestamps, ElementsAre(5, 5, 5, 5));
}

class Summing : public ProcessFunction<int, int> {
 public:
  void open(RuntimeContext& context) override { sum_ = context.subtask(); }
  void process_element(const int& value, Collector<int>& out) override {
    out.collect(sum_ += value, out.timestamp() + 1);
  }

 private:
  int sum_ = 0;
};

TEST(StreamTest, AProcessFunctionHasALifeAndSeesTimestamps) {
  StreamExecutionEnvironment env;
  stream_of<int>(env).process(Summing());
  Chain<int, int> chain(env.graph());
  TestContext context;
  context.subtask_value = 100;
  chain.operators[0]->open(context);
  chain.input->collect(1, 10);
  chain.input->collect(2, 20);
  EXPECT_THAT(chain.output.values, ElementsAre(101, 103));
  EXPECT_THAT(chain.output.timestamps, ElementsAre(11, 21));
}

TEST(StreamTest, AFanOutGivesEachRecordToEveryOutput) {
  StreamExecutionEnvironment env;
  stream_of<int>(env);
  TestOutput<int> first;
  TestOutput<int> second;
  const auto fan_out = env.graph().nodes[0].factory->create_fan_out({&first, &second});
  static_cast<Output<int>&>(*fan_out).collect(7, 1);
  EXPECT_THAT(first.values, ElementsAre(7));
  EXPECT_THAT(second.values, ElementsAre(7));
}

TEST(StreamTest, AFanOutPassesBatchesAndTimeToEveryOutput) {
  struct Recorder final : Output<int> {
    void collect(const int& value, Timestamp) override { seen.push_back(value); }
    void watermark(Timestamp watermark) override { seen.push_back(static_cast<int>(watermark)); }
    void idle(bool idle) override { seen.push_back(idle ? -1 : -2); }
    std::vector<int> seen;
  };
  StreamExecutionEnvironment env;
  stream_of<int>(env);
  Recorder first;
  Recorder second;
  const auto fan_out = env.graph().nodes[0].factory->create_fan_out({&first, &second});
  const int values[] = {1, 2};
  const Record<int> records[] = {{values[0], 10}, {values[1], 11}};
  static_cast<Output<int>&>(*fan_out).collect_batch(records);
  fan_out->watermark(20);
  fan_out->idle(true);
  EXPECT_THAT(first.seen, ElementsAre(1, 2, 20, -1));
  EXPECT_EQ(second.seen, first.seen);
}

TEST(StreamTest, EveryOperatorPassesTimeOn) {
  struct Recorder final : Output<std::string> {
    void collect(std::string_view, Timestamp) override {}
    void watermark(Timestamp watermark) override { watermarks.push_back(watermark); }
    void idle(bool idle) override { idles.push_back(idle); }
    std::vector<Timestamp> watermarks;
    std::vector<bool> idles;
  };
  StreamExecutionEnvironment env;
  stream_of<int>(env)
      .map([](int value) { return value; })
      .filter([](int) { return true; })
      .flat_map<int>([](int value, Collector<int>& out) { out.collect(value); })
      .process(Summing())
      .map([](int) { return "text"; });
  Recorder recorder;
  std::vector<std::unique_ptr<Operator>> operators;
  OutputBase* next = &recorder;
  for (auto node = env.graph().nodes.rbegin(); node->kind == NodeKind::kOperator; ++node) {
    operators.push_back(node->factory->create_operator(*next, {}));
    next = &operators.back()->input();
  }
  next->watermark(5);
  next->idle(true);
  next->idle(false);
  EXPECT_THAT(recorder.watermarks, ElementsAre(5));
  EXPECT_THAT(recorder.idles, ElementsAre(true, false));
}

const OutputTag<std::string> kOdd("odd");

class KeepingEven : public ProcessFunction<int, int> {
 public:
  void process_element(const int& value, Collector<int>& out) override {
    if (value % 2 == 0) {
      out.collect(value);
    } else {
      out.output(kOdd, std::to_string(value));
    }
  }
};

TEST(StreamTest, ASideOutputIsAStreamOfItsOwnType) {
  StreamExecutionEnvironment env;
  auto even = stream_of<int>(env).process(KeepingEven());
  even.sink_to(NoSink<int>());
  even.get_side_output(kOdd).sink_to(NoSink<std::string>());
  even.get_side_output(kOdd).sink_to(NoSink<std::string>());
  const std::vector<StreamNode>& nodes = env.graph().nodes;
  EXPECT_EQ(check_error(env.graph()), "");
  ASSERT_EQ(nodes[1].side_outputs.size(), 1u);
  EXPECT_EQ(nodes[2].inputs[0].output, 0);
  EXPECT_EQ(nodes[3].inputs[0].output, 1);
  EXPECT_EQ(nodes[4].inputs[0].output, 1);

  TestOutput<int> main;
  TestOutput<std::string> odd;
  const auto fan_out = nodes[1].side_outputs[0].create_fan_out({&odd});
  const SideOutput& side = nodes[1].side_outputs[0];
  const auto process =
      nodes[1].factory->create_operator(main, SideOutputs({{side.tag, side.type, fan_out.get()}}));
  for (const int value : {1, 2, 3}) {
    static_cast<Output<int>&>(process->input()).collect(value, value);
  }
  EXPECT_THAT(main.values, ElementsAre(2));
  EXPECT_THAT(odd.values, ElementsAre("1", "3"));
  EXPECT_THAT(odd.timestamps, ElementsAre(1, 3));

  const auto unread = nodes[1].factory->create_operator(main, {});
  static_cast<Output<int>&>(unread->input()).collect(5, 5);  // dropped
}

TEST(StreamTest, ASideOutputIsReadByItsTypeFromWhatCanHaveOne) {
  StreamExecutionEnvironment env;
  auto even = stream_of<int>(env).process(KeepingEven());
  even.get_side_output(kOdd);
  EXPECT_THROW(even.get_side_output(OutputTag<int>("odd")), FatalError);
  EXPECT_THROW(even.map([](int value) { return value; }).get_side_output(kOdd), FatalError);
  EXPECT_THROW(even.rebalance().get_side_output(kOdd), FatalError);
}

TEST(StreamTest, EdgesSayHowRecordsFindTheirReaders) {
  StreamExecutionEnvironment env;
  auto in = stream_of<int>(env);
  auto other = stream_of<int>(env).map([](int value) { return value; });
  in.rebalance().sink_to(NoSink<int>());
  in.union_with(other.broadcast()).map([](int value) { return value; }).sink_to(NoSink<int>());
  const std::vector<StreamNode>& nodes = env.graph().nodes;
  ASSERT_EQ(nodes.size(), 6u);
  EXPECT_EQ(nodes[2].inputs[0].partitioning, Partitioning::kForward);
  EXPECT_EQ(nodes[3].inputs[0].partitioning, Partitioning::kRebalance);
  ASSERT_EQ(nodes[4].inputs.size(), 2u);
  EXPECT_EQ(nodes[4].inputs[0].from, 0);
  EXPECT_EQ(nodes[4].inputs[0].partitioning, Partitioning::kForward);
  EXPECT_EQ(nodes[4].inputs[1].from, 2);
  EXPECT_EQ(nodes[4].inputs[1].partitioning, Partitioning::kBroadcast);
  for (const StreamNode& node : nodes) {
    for (const StreamEdge& edge : node.inputs) EXPECT_NE(edge.factory, nullptr) << node.name;
  }
}

TEST(StreamTest, OnlyAnOperatorsOwnStreamCanBeNamed) {
  StreamExecutionEnvironment env;
  auto in = stream_of<int>(env);
  EXPECT_THROW(in.union_with(in).uid("both"), FatalError);
  EXPECT_THROW(in.rebalance().set_parallelism(2), FatalError);
}

struct WithoutCodec {
  int field = 0;
};

TEST(StreamTest, ATypeWithoutCodecFlowsInsideAChainAndSaysItsName) {
  StreamExecutionEnvironment env;
  stream_of<int>(env)
      .map([](int value) { return WithoutCodec{value}; })
      .map([](const WithoutCodec& value) { return value.field; });
  const std::vector<StreamNode>& nodes = env.graph().nodes;
  EXPECT_EQ(nodes[2].inputs[0].factory, nullptr);
  EXPECT_THAT(nodes[2].inputs[0].type_without_codec, HasSubstr("WithoutCodec"));
  Chain<int, int> chain(env.graph());
  chain.input->collect(7, 1);
  EXPECT_THAT(chain.output.values, ElementsAre(7));
}

TEST(StreamTest, NodesGetUidsByPositionUnlessTheyAreGiven) {
  StreamExecutionEnvironment env;
  auto in = stream_of<int>(env);
  in.map([](int value) { return value; }).uid("mine").sink_to(NoSink<int>());
  in.sink_to(NoSink<int>());
  std::vector<std::string> uids;
  for (const StreamNode& node : env.graph().nodes) uids.push_back(node.uid);
  EXPECT_THAT(uids, ElementsAre("source-0", "mine", "sink-2", "sink-3"));
  EXPECT_EQ(check_error(env.graph()), "");
}

TEST(StreamTest, APartThatANodeDoesNotHaveIsAnError) {
  StreamExecutionEnvironment env;
  stream_of<int>(env).sink_to(NoSink<int>());
  TestOutput<int> output;
  EXPECT_THROW(env.graph().nodes[0].factory->create_operator(output, {}), FatalError);
  EXPECT_THROW(env.graph().nodes[1].factory->create_reader(output), FatalError);
  EXPECT_THROW(env.graph().nodes[1].factory->create_fan_out({}), FatalError);
}

TEST(StreamGraphTest, ChecksThatEveryStreamHasABeginningAndAnEnd) {
  StreamExecutionEnvironment env;
  EXPECT_THAT(check_error(env.graph()), HasSubstr("no source"));
  auto in = stream_of<int>(env);
  EXPECT_THAT(check_error(env.graph()), HasSubstr("no sink"));
  in.sink_to(NoSink<int>());
  EXPECT_EQ(check_error(env.graph()), "");
  in.map([](int value) { return value; }).name("Lost");
  EXPECT_THAT(check_error(env.graph()), HasSubstr("'Lost' (uid 'operator-2') makes goes nowhere"));
}

TEST(StreamGraphTest, ChecksUidsAndParallelism) {
  StreamExecutionEnvironment env;
  auto in = stream_of<int>(env).uid("one");
  auto sink = in.sink_to(NoSink<int>());
  EXPECT_THAT(check_error((sink.uid("one"), env.graph())), HasSubstr("two operators"));
  EXPECT_THAT(check_error((sink.uid("a:b"), env.graph())), HasSubstr("contains ':'"));
  EXPECT_THAT(check_error((sink.uid(""), env.graph())), HasSubstr("is empty"));
  sink.uid("two").set_parallelism(-1);
  EXPECT_THAT(check_error(env.graph()), HasSubstr("is -1: it must be at least 1"));
}

TEST(StreamGraphTest, FingerprintsDifferWithTheGraphAndOnlyThen) {
  const auto fingerprint = [](const std::string& uid, int parallelism, bool as_text,
                              const std::string& setting) {
    StreamExecutionEnvironment env;
    env.set("key", setting);
    auto in = stream_of<int>(env).set_parallelism(parallelism);
    if (as_text) {
      in.map([](int) { return "text"; }).sink_to(NoSink<std::string>()).uid(uid);
    } else {
      in.map([](int value) { return value; }).sink_to(NoSink<int>()).uid(uid);
    }
    return env.graph().fingerprint();
  };
  const std::uint64_t reference = fingerprint("a", 1, false, "x");
  EXPECT_EQ(fingerprint("a", 1, false, "x"), reference);
  EXPECT_NE(fingerprint("b", 1, false, "x"), reference);
  EXPECT_NE(fingerprint("a", 2, false, "x"), reference);
  EXPECT_NE(fingerprint("a", 1, true, "x"), reference);
  EXPECT_NE(fingerprint("a", 1, false, "y"), reference);
}

TEST(StreamGraphTest, FingerprintsDifferWithTheEdges) {
  const auto fingerprint = [](int kind) {
    StreamExecutionEnvironment env;
    auto in = stream_of<int>(env).process(KeepingEven());
    in.sink_to(NoSink<int>());
    if (kind == 0) in.sink_to(NoSink<int>());
    if (kind == 1) in.rebalance().sink_to(NoSink<int>());
    if (kind == 2) in.broadcast().sink_to(NoSink<int>());
    if (kind == 3) in.get_side_output(OutputTag<int>("side")).sink_to(NoSink<int>());
    if (kind == 4) in.get_side_output(OutputTag<int>("other")).sink_to(NoSink<int>());
    return env.graph().fingerprint();
  };
  std::set<std::uint64_t> fingerprints;
  for (int kind = 0; kind < 5; ++kind) fingerprints.insert(fingerprint(kind));
  EXPECT_EQ(fingerprints.size(), 5u);
}

TEST(StreamGraphTest, TheFingerprintIsTheSameInEveryProcess) {
  EXPECT_EQ(StreamGraph().fingerprint(), 0x81d23fd7003c2305ULL);
}

TEST(EnvironmentTest, SetsFlinksKeys) {
  StreamExecutionEnvironment env;
  env.set_parallelism(2);
  env.set_max_parallelism(256);
  env.enable_checkpointing(std::chrono::seconds(5));
  env.set_checkpoint_timeout(std::chrono::minutes(1));
  env.set_tolerable_checkpoint_failures(0);
  env.set_restart_strategy(RestartStrategy::fixed_delay(3, std::chrono::seconds(1)));
  const auto& configuration = env.graph().configuration;
  EXPECT_EQ(configuration.at("parallelism.default"), "2");
  EXPECT_EQ(configuration.at("pipeline.max-parallelism"), "256");
  EXPECT_EQ(configuration.at("execution.checkpointing.interval"), "5000 ms");
  EXPECT_EQ(configuration.at("execution.checkpointing.mode"), "EXACTLY_ONCE");
  EXPECT_EQ(configuration.at("execution.checkpointing.timeout"), "60000 ms");
  EXPECT_EQ(configuration.at("execution.checkpointing.tolerable-failed-checkpoints"), "0");
  EXPECT_EQ(configuration.at("restart-strategy.type"), "fixed-delay");
  EXPECT_EQ(configuration.at("restart-strategy.fixed-delay.attempts"), "3");
  EXPECT_EQ(configuration.at("restart-strategy.fixed-delay.delay"), "1000 ms");
}

TEST(EnvironmentTest, RefusesValuesOutOfRange) {
  StreamExecutionEnvironment env;
  EXPECT_THROW(env.set_parallelism(0), FatalError);
  EXPECT_THROW(env.set_max_parallelism(0), FatalError);
  EXPECT_THROW(env.set_max_parallelism(32769), FatalError);
  EXPECT_THROW(env.enable_checkpointing(std::chrono::milliseconds(0)), FatalError);
  EXPECT_THROW(env.set_max_concurrent_checkpoints(0), FatalError);
  EXPECT_THROW(
      RestartStrategy::exponential_delay(std::chrono::seconds(1), std::chrono::seconds(2), 0.5),
      FatalError);
}

TEST(ArenaTest, ViewsLiveUntilResetHoweverLargeTheyAre) {
  Arena arena(16);
  const std::string large(1000, 'x');
  std::vector<std::string_view> views;
  for (int i = 0; i < 100; ++i) views.push_back(arena.concat({large, std::to_string(i)}));
  for (int i = 0; i < 100; ++i) EXPECT_EQ(views[i], large + std::to_string(i));
  arena.reset();
  EXPECT_EQ(arena.copy("again"), "again");
  EXPECT_EQ(Arena().copy(std::string_view()), "");
}

}  // namespace
}  // namespace weir
