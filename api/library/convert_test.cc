#include "api/library/convert.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/library/testdata/empty_stream.h"
#include "weir/environment.h"

namespace weir {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;
using testing::UnorderedElementsAre;

TEST(ConvertTest, ANodesParallelismWinsOverTheJobsAndThatOverTheDefault) {
  for (const bool job_has_its_own : {false, true}) {
    StreamExecutionEnvironment env;
    if (job_has_its_own) env.set_parallelism(3);
    env.from_source(EmptySource(), WatermarkStrategy<std::string>::no_watermarks(), "in")
        .sink_to(EmptySink())
        .set_parallelism(5);
    const pb::JobGraph graph = to_proto(env.graph(), 2, {}, {});
    EXPECT_EQ(graph.nodes(0).parallelism(), job_has_its_own ? 3 : 2);
    EXPECT_EQ(graph.nodes(1).parallelism(), 5);
  }
}

TEST(ConvertTest, ASourceCanLimitTheDefaultParallelism) {
  class SingleSource : public EmptySource {
   public:
    int parallelism_max() const override { return 1; }
  };
  StreamExecutionEnvironment env;
  env.from_source(SingleSource(), WatermarkStrategy<std::string>::no_watermarks(), "in")
      .sink_to(EmptySink());
  const pb::JobGraph graph = to_proto(env.graph(), 2, {}, {});
  EXPECT_EQ(graph.nodes(0).parallelism(), 1);
  EXPECT_EQ(graph.nodes(0).parallelism_max(), 1);
  EXPECT_EQ(graph.nodes(1).parallelism(), 2);
}

TEST(ConvertTest, TheJobsConfigurationWinsOverTheGiven) {
  StreamExecutionEnvironment env;
  env.set("a", "job's");
  const pb::JobGraph graph = to_proto(env.graph(), 1, {{"a", "given"}, {"b", "given"}}, {"--x"});
  EXPECT_THAT(graph.configuration(), UnorderedElementsAre(Pair("a", "job's"), Pair("b", "given")));
  EXPECT_THAT(graph.arguments(), ElementsAre("--x"));
  EXPECT_EQ(graph.fingerprint(), env.graph().fingerprint());
}

TEST(ConvertTest, NodesKeepWhatTheyAre) {
  StreamExecutionEnvironment env;
  env.set_job_name("job");
  env.from_source(EmptySource(), WatermarkStrategy<std::string>::no_watermarks(), "in")
      .map([](std::string_view text) { return text.size(); })
      .name("Length")
      .map([](std::size_t) { return std::string(); })
      .sink_to(EmptySink())
      .uid("out");
  const pb::JobGraph graph = to_proto(env.graph(), 1, {}, {});
  EXPECT_EQ(graph.format_version(), 1u);
  EXPECT_EQ(graph.name(), "job");
  ASSERT_EQ(graph.nodes_size(), 4);
  EXPECT_EQ(graph.nodes(0).kind(), pb::JobGraph::SOURCE);
  EXPECT_EQ(graph.nodes(0).name(), "in");
  EXPECT_EQ(graph.nodes(1).kind(), pb::JobGraph::OPERATOR);
  EXPECT_EQ(graph.nodes(1).name(), "Length");
  EXPECT_EQ(graph.nodes(1).output_type(), typeid(std::size_t).name());
  EXPECT_EQ(graph.nodes(3).kind(), pb::JobGraph::SINK);
  EXPECT_EQ(graph.nodes(3).uid(), "out");
  ASSERT_EQ(graph.nodes(3).edges_size(), 1);
  EXPECT_EQ(graph.nodes(3).edges(0).from(), 2);
}

struct WithoutCodec {
  std::string text;
};

TEST(ConvertTest, EdgesSayWhatTheyReadAndHow) {
  StreamExecutionEnvironment env;
  auto in = env.from_source(EmptySource(), WatermarkStrategy<std::string>::no_watermarks(), "in");
  auto wrapped = in.map([](std::string_view text) { return WithoutCodec{std::string(text)}; });
  wrapped.map([](const WithoutCodec& value) { return value.text; })
      .union_with(in.broadcast())
      .sink_to(EmptySink());
  const pb::JobGraph graph = to_proto(env.graph(), 1, {}, {});
  EXPECT_EQ(graph.nodes(0).edges_size(), 0);
  ASSERT_EQ(graph.nodes(2).edges_size(), 1);
  EXPECT_EQ(graph.nodes(2).edges(0).from(), 1);
  EXPECT_THAT(graph.nodes(2).edges(0).type_without_codec(), HasSubstr("WithoutCodec"));
  ASSERT_EQ(graph.nodes(3).edges_size(), 2);
  EXPECT_EQ(graph.nodes(3).edges(0).from(), 2);
  EXPECT_EQ(graph.nodes(3).edges(0).partitioning(), pb::JobGraph::FORWARD);
  EXPECT_EQ(from_proto(graph.nodes(3).edges(1).partitioning()), Partitioning::kBroadcast);
  EXPECT_EQ(from_proto(graph.nodes(2).edges(0).partitioning()), Partitioning::kForward);
  EXPECT_EQ(graph.nodes(3).edges(0).type_without_codec(), "");
  EXPECT_EQ(graph.nodes(3).edges(1).from(), 0);
  EXPECT_EQ(graph.nodes(3).edges(1).partitioning(), pb::JobGraph::BROADCAST);
}

TEST(ConvertTest, TheMaxParallelismIsTheConfigured) {
  StreamExecutionEnvironment env;
  EXPECT_EQ(to_proto(env.graph(), 1, {}, {}).max_parallelism(), 0);
  EXPECT_EQ(to_proto(env.graph(), 1, {{"pipeline.max-parallelism", "64"}}, {}).max_parallelism(),
            64);
  env.set_max_parallelism(256);
  EXPECT_EQ(to_proto(env.graph(), 1, {{"pipeline.max-parallelism", "64"}}, {}).max_parallelism(),
            256);
}

TEST(ConvertTest, SplitsAndCommittablesComeBackAsTheyWent) {
  const Split split = from_proto(to_proto(Split{"topic-1", std::string("\0\x01", 2)}));
  EXPECT_EQ(split.id, "topic-1");
  EXPECT_EQ(split.state, std::string("\0\x01", 2));

  Committable committable;
  committable.transaction = "id/1/2";
  committable.checkpoint_id = 7;
  committable.ranges = {{"out-1", 3, 9, 6}};
  committable.records = 6;
  committable.payload = std::string("\0p", 2);
  const Committable back = from_proto(to_proto(committable));
  EXPECT_EQ(back.transaction, "id/1/2");
  EXPECT_EQ(back.checkpoint_id, 7);
  ASSERT_EQ(back.ranges.size(), 1u);
  EXPECT_EQ(back.ranges[0].resource, "out-1");
  EXPECT_EQ(back.ranges[0].first, 3);
  EXPECT_EQ(back.ranges[0].last, 9);
  EXPECT_EQ(back.ranges[0].records, 6u);
  EXPECT_EQ(back.records, 6u);
  EXPECT_EQ(back.payload, std::string("\0p", 2));
}

}  // namespace
}  // namespace weir
