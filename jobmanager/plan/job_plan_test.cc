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

TEST(JobPlanTest, AChangeOfParallelismIsRefusedAndNamesBothNodes) {
  pb::JobGraph graph = processed();
  graph.mutable_nodes(2)->set_parallelism(3);
  EXPECT_THAT(
      JobPlan::make(graph).status(),
      StatusIs(absl::StatusCode::kUnimplemented, AllOf(HasSubstr("'Map'"), HasSubstr("'Sink'"))));
}

TEST(JobPlanTest, NonsenseIsRefused) {
  EXPECT_FALSE(JobPlan::make(pb::JobGraph()).ok());
  pb::JobGraph graph = processed();
  graph.mutable_nodes(0)->set_parallelism(0);
  EXPECT_FALSE(JobPlan::make(graph).ok());
  graph = processed();
  graph.mutable_nodes(1)->set_inputs(0, 2);
  EXPECT_FALSE(JobPlan::make(graph).ok());
}

}  // namespace
}  // namespace weir
