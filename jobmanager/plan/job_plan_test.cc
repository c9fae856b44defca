#include "jobmanager/plan/job_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status_matchers.h"

namespace weir {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

void add(pb::JobGraph& graph, const std::string& name, pb::JobGraph::NodeKind kind,
         int32_t parallelism, std::vector<int32_t> inputs) {
  pb::JobGraph::Node* node = graph.add_nodes();
  node->set_id(graph.nodes_size() - 1);
  node->set_name(name);
  node->set_uid("uid-" + name);
  node->set_kind(kind);
  node->set_parallelism(parallelism);
  node->set_has_coordinator(kind != pb::JobGraph::OPERATOR);
  for (int32_t input : inputs) node->add_inputs(input);
}

pb::JobGraph processed() {
  pb::JobGraph graph;
  add(graph, "lines", pb::JobGraph::SOURCE, 2, {});
  add(graph, "Map", pb::JobGraph::OPERATOR, 2, {0});
  add(graph, "Sink", pb::JobGraph::SINK, 2, {1});
  return graph;
}

TEST(JobPlanTest, NodesOfEqualParallelismShareAChain) {
  const auto plan = JobPlan::make(processed());
  ASSERT_THAT(plan, IsOk());
  ASSERT_EQ(plan->vertices().size(), 1u);
  EXPECT_EQ(plan->vertices()[0].name, "Source: lines -> Map -> Sink");
  EXPECT_THAT(plan->vertices()[0].chain, ElementsAre(0, 1, 2));
  EXPECT_EQ(plan->slots_needed(), 2);
  EXPECT_THAT(plan->tasks(), ElementsAre(TaskIndex{0, 0}, TaskIndex{0, 1}));
  EXPECT_EQ(plan->task_name({0, 1}), "Source: lines -> Map -> Sink (2/2)");
  EXPECT_EQ(plan->coordinators().size(), 2u);
}

TEST(JobPlanTest, BranchesStandInParentheses) {
  pb::JobGraph graph = processed();
  add(graph, "Other", pb::JobGraph::SINK, 2, {0});
  EXPECT_EQ(JobPlan::make(graph)->vertices()[0].name, "Source: lines -> (Map -> Sink, Other)");
}

TEST(JobPlanTest, UnconnectedNodesAreChainsOfTheirOwn) {
  pb::JobGraph graph = processed();
  add(graph, "more", pb::JobGraph::SOURCE, 3, {});
  add(graph, "Print", pb::JobGraph::SINK, 3, {3});
  const auto plan = JobPlan::make(graph);
  ASSERT_THAT(plan, IsOk());
  EXPECT_EQ(plan->vertices().size(), 2u);
  EXPECT_EQ(plan->slots_needed(), 3);
  EXPECT_EQ(plan->vertex_of("uid-Print"), 1);
  EXPECT_NE(plan->vertices()[0].id, plan->vertices()[1].id);
}

TEST(JobPlanTest, IdsDependOnTheUidsOnly) {
  pb::JobGraph renamed = processed();
  renamed.mutable_nodes(1)->set_name("Other name");
  pb::JobGraph changed = processed();
  changed.mutable_nodes(1)->set_uid("other-uid");
  const std::string id = JobPlan::make(processed())->vertices()[0].id;
  EXPECT_THAT(id, testing::MatchesRegex("[0-9a-f]{32}"));
  EXPECT_EQ(JobPlan::make(renamed)->vertices()[0].id, id);
  EXPECT_NE(JobPlan::make(changed)->vertices()[0].id, id);
}

void add_edge(pb::JobGraph& graph, int32_t to, int32_t from, pb::JobGraph::Partitioning kind,
              int32_t output = 0) {
  pb::JobGraph::Edge* edge = graph.mutable_nodes(to)->add_edges();
  edge->set_from(from);
  edge->set_output(output);
  edge->set_partitioning(kind);
}

// Two streams meet in a count by key, whose late records go to a sink of their own.
pb::JobGraph keyed() {
  pb::JobGraph graph;
  add(graph, "lines", pb::JobGraph::SOURCE, 2, {});
  add(graph, "Map", pb::JobGraph::OPERATOR, 2, {});
  add_edge(graph, 1, 0, pb::JobGraph::FORWARD);
  add(graph, "more", pb::JobGraph::SOURCE, 3, {});
  add(graph, "KeyedCount", pb::JobGraph::OPERATOR, 3, {});
  add_edge(graph, 3, 1, pb::JobGraph::HASH);
  add_edge(graph, 3, 2, pb::JobGraph::HASH);
  add(graph, "Sink: out", pb::JobGraph::SINK, 3, {});
  add_edge(graph, 4, 3, pb::JobGraph::FORWARD);
  add(graph, "Sink: late", pb::JobGraph::SINK, 1, {});
  add_edge(graph, 5, 3, pb::JobGraph::FORWARD, /*output=*/1);
  return graph;
}

TEST(JobPlanTest, ChainsAreCutWhereRecordsCrossBetweenTasks) {
  const auto plan = JobPlan::make(keyed());
  ASSERT_THAT(plan, IsOk());
  ASSERT_EQ(plan->vertices().size(), 4u);
  EXPECT_EQ(plan->vertices()[0].name, "Source: lines -> Map");
  EXPECT_EQ(plan->vertices()[1].name, "Source: more");
  EXPECT_EQ(plan->vertices()[2].name, "KeyedCount -> Sink: out");
  EXPECT_EQ(plan->vertices()[3].name, "Sink: late");
  EXPECT_THAT(plan->vertices()[2].chain, ElementsAre(3, 4));
  EXPECT_EQ(plan->task_name({2, 2}), "KeyedCount -> Sink: out (3/3)");
  EXPECT_EQ(plan->vertex_of("uid-Sink: out"), 2);
  EXPECT_EQ(plan->slots_needed(), 3);
  EXPECT_EQ(plan->tasks().size(), 9u);
}

TEST(JobPlanTest, EdgesBetweenVerticesAreNumberedAndKnowBothEnds) {
  const auto plan = JobPlan::make(keyed());
  ASSERT_THAT(plan, IsOk());
  ASSERT_EQ(plan->edges().size(), 3u);
  EXPECT_THAT(plan->vertices()[0].outputs, ElementsAre(0));
  EXPECT_THAT(plan->vertices()[2].inputs, ElementsAre(0, 1));
  EXPECT_THAT(plan->vertices()[2].outputs, ElementsAre(2));
  EXPECT_THAT(plan->vertices()[3].inputs, ElementsAre(2));
  const JobEdge& hash = plan->edges()[1];
  EXPECT_EQ(hash.from_vertex, 1);
  EXPECT_EQ(hash.from_node, 2);
  EXPECT_EQ(hash.to_vertex, 2);
  EXPECT_EQ(hash.to_node, 3);
  EXPECT_EQ(hash.partitioning, pb::JobGraph::HASH);
  EXPECT_EQ(plan->edges()[2].from_output, 1);
}

TEST(JobPlanTest, AForwardEdgeBetweenOtherParallelismsRebalances) {
  pb::JobGraph graph = processed();
  graph.mutable_nodes(2)->set_parallelism(3);
  const auto plan = JobPlan::make(graph);
  ASSERT_THAT(plan, IsOk());
  ASSERT_EQ(plan->edges().size(), 1u);
  EXPECT_EQ(plan->edges()[0].partitioning, pb::JobGraph::REBALANCE);
  EXPECT_EQ(plan->vertices()[0].name, "Source: lines -> Map");
  EXPECT_EQ(plan->vertices()[1].name, "Sink");
}

TEST(JobPlanTest, AUnionKeepsForwardEdgesButBeginsAChain) {
  pb::JobGraph graph;
  add(graph, "a", pb::JobGraph::SOURCE, 2, {});
  add(graph, "b", pb::JobGraph::SOURCE, 2, {});
  add(graph, "Sink", pb::JobGraph::SINK, 2, {0, 1});
  const auto plan = JobPlan::make(graph);
  ASSERT_THAT(plan, IsOk());
  EXPECT_EQ(plan->vertices().size(), 3u);
  EXPECT_EQ(plan->edges()[0].partitioning, pb::JobGraph::FORWARD);
  EXPECT_EQ(plan->edges()[1].partitioning, pb::JobGraph::FORWARD);
}

TEST(JobPlanTest, OnlyTasksWithASourceAreSourceTasks) {
  const auto plan = JobPlan::make(keyed());
  ASSERT_THAT(plan, IsOk());
  EXPECT_THAT(plan->source_tasks(), ElementsAre(TaskIndex{0, 0}, TaskIndex{0, 1}, TaskIndex{1, 0},
                                                TaskIndex{1, 1}, TaskIndex{1, 2}));
}

TEST(JobPlanTest, ARegionHoldsWhatEdgesConnectByHoweverManySteps) {
  pb::JobGraph graph = keyed();
  add(graph, "other", pb::JobGraph::SOURCE, 1, {});
  add(graph, "Print", pb::JobGraph::SINK, 2, {6});
  const auto plan = JobPlan::make(graph);
  ASSERT_THAT(plan, IsOk());
  ASSERT_EQ(plan->regions().size(), 2u);
  EXPECT_EQ(plan->regions()[0].front(), (TaskIndex{0, 0}));
  EXPECT_THAT(plan->regions()[1], ElementsAre(TaskIndex{4, 0}, TaskIndex{5, 0}, TaskIndex{5, 1}));
  EXPECT_EQ(plan->regions()[0].size() + 3, plan->tasks().size());
}

TEST(JobPlanTest, SubtasksThatNoEdgeConnectsAreRegionsOfTheirOwn) {
  const auto chain = JobPlan::make(processed());
  EXPECT_THAT(chain->regions(),
              ElementsAre(ElementsAre(TaskIndex{0, 0}), ElementsAre(TaskIndex{0, 1})));
  // A union of forward edges connects the subtasks of one number.
  pb::JobGraph graph;
  add(graph, "a", pb::JobGraph::SOURCE, 2, {});
  add(graph, "b", pb::JobGraph::SOURCE, 2, {});
  add(graph, "Sink", pb::JobGraph::SINK, 2, {0, 1});
  EXPECT_THAT(JobPlan::make(graph)->regions(),
              ElementsAre(ElementsAre(TaskIndex{0, 0}, TaskIndex{1, 0}, TaskIndex{2, 0}),
                          ElementsAre(TaskIndex{0, 1}, TaskIndex{1, 1}, TaskIndex{2, 1})));
}

TEST(JobPlanTest, ATypeWithoutCodecMayFlowInAChainButNotBetweenTasks) {
  pb::JobGraph graph = keyed();
  graph.mutable_nodes(1)->mutable_edges(0)->set_type_without_codec("Line");
  EXPECT_THAT(JobPlan::make(graph), IsOk());
  graph.mutable_nodes(3)->mutable_edges(0)->set_type_without_codec("Count");
  EXPECT_THAT(JobPlan::make(graph).status(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("'Map' (type Count)"), HasSubstr("'KeyedCount'"),
                             HasSubstr("WEIR_FIELDS"))));
}

TEST(JobPlanTest, NonsenseIsRefused) {
  EXPECT_FALSE(JobPlan::make(pb::JobGraph()).ok());
  pb::JobGraph graph = processed();
  graph.mutable_nodes(0)->set_parallelism(0);
  EXPECT_FALSE(JobPlan::make(graph).ok());
  graph = processed();
  graph.mutable_nodes(1)->set_inputs(0, 2);
  EXPECT_FALSE(JobPlan::make(graph).ok());
  graph = keyed();
  graph.mutable_nodes(5)->mutable_edges(0)->set_from(4);
  EXPECT_THAT(JobPlan::make(graph).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("reads the sink")));
}

}  // namespace
}  // namespace weir
