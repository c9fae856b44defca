#include "jobmanager/plan/rescale.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status_matchers.h"

namespace weir {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr int32_t kKeyGroups = 8;

// lines ─hash─▶ count ─▶ out, and out's code sets a parallelism of 1.
pb::JobGraph graph() {
  pb::JobGraph graph;
  for (const std::string uid : {"lines", "count", "out"}) {
    pb::JobGraph::Node* node = graph.add_nodes();
    node->set_id(graph.nodes_size() - 1);
    node->set_uid(uid);
    node->set_name(uid);
    node->set_kind(uid == "lines" ? pb::JobGraph::SOURCE
                   : uid == "out" ? pb::JobGraph::SINK
                                  : pb::JobGraph::OPERATOR);
    node->set_parallelism(uid == "out" ? 1 : 2);
    node->set_own_parallelism(uid == "out");
    if (node->id() == 0) continue;
    node->add_edges()->set_from(node->id() - 1);
    node->mutable_edges(0)->set_partitioning(node->id() == 1 ? pb::JobGraph::HASH
                                                             : pb::JobGraph::FORWARD);
  }
  return graph;
}

std::vector<int32_t> parallelisms(const pb::JobGraph& graph) {
  std::vector<int32_t> result;
  for (const pb::JobGraph::Node& node : graph.nodes()) result.push_back(node.parallelism());
  return result;
}

absl::StatusOr<pb::JobGraph> rescale(int32_t parallelism, const pb::JobGraph& from = graph()) {
  pb::RescaleJobRequest wanted;
  wanted.set_parallelism(parallelism);
  return rescale_graph(from, *JobPlan::make(from), wanted, kKeyGroups);
}

absl::StatusOr<pb::JobGraph> rescale_vertex(const std::string& id, int32_t parallelism) {
  pb::RescaleJobRequest wanted;
  (*wanted.mutable_vertices())[id] = parallelism;
  return rescale_graph(graph(), *JobPlan::make(graph()), wanted, kKeyGroups);
}

TEST(RescaleTest, OperatorsWhoseCodeSetsTheirParallelismKeepIt) {
  const auto rescaled = rescale(3);
  ASSERT_THAT(rescaled, IsOk());
  EXPECT_THAT(parallelisms(*rescaled), ElementsAre(3, 3, 1));
  EXPECT_FALSE(same_parallelism(*rescaled, graph()));
}

TEST(RescaleTest, AJobThatIsAsWantedStaysTheSame) {
  const auto rescaled = rescale(2);
  ASSERT_THAT(rescaled, IsOk());
  EXPECT_TRUE(same_parallelism(*rescaled, graph()));
}

TEST(RescaleTest, MoreThanTheKeyGroupsIsRefusedWithTheirNumber) {
  EXPECT_THAT(rescale(8), IsOk());
  EXPECT_THAT(rescale(9).status(), StatusIs(absl::StatusCode::kInvalidArgument,
                                            AllOf(HasSubstr("parallelism 9"),
                                                  HasSubstr("8 key groups"), HasSubstr("fixed"))));
}

TEST(RescaleTest, WhatCannotBeMeantIsRefused) {
  EXPECT_THAT(rescale(0).status(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("0")));
  EXPECT_THAT(rescale(-1).status(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("-1")));
  pb::JobGraph all_set = graph();
  for (pb::JobGraph::Node& node : *all_set.mutable_nodes()) node.set_own_parallelism(true);
  EXPECT_THAT(rescale(3, all_set).status(),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("resource-requirements")));
}

TEST(RescaleTest, AVertexIsRescaledWithAllOfItsChainWhoeverSetItsParallelism) {
  const JobPlan plan = *JobPlan::make(graph());
  EXPECT_THAT(parallelisms(*rescale_vertex(plan.vertices()[2].id, 4)), ElementsAre(2, 2, 4));
  pb::JobGraph chained = graph();
  chained.mutable_nodes(2)->set_parallelism(2);
  const JobPlan two_vertices = *JobPlan::make(chained);
  pb::RescaleJobRequest wanted;
  (*wanted.mutable_vertices())[two_vertices.vertices()[1].id] = 5;
  EXPECT_THAT(parallelisms(*rescale_graph(chained, two_vertices, wanted, kKeyGroups)),
              ElementsAre(2, 5, 5));
  EXPECT_THAT(rescale_vertex("nobody", 2).status(),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("nobody")));
  EXPECT_THAT(rescale_vertex(plan.vertices()[0].id, 0).status(),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(RescaleTest, ASourceThatCanHaveOneSubtaskOnlyKeepsIt) {
  pb::JobGraph one_reader = graph();
  one_reader.mutable_nodes(0)->set_parallelism(1);
  one_reader.mutable_nodes(0)->set_parallelism_max(1);
  EXPECT_THAT(parallelisms(*rescale(3, one_reader)), ElementsAre(1, 3, 1));
  const JobPlan plan = *JobPlan::make(one_reader);
  pb::RescaleJobRequest wanted;
  (*wanted.mutable_vertices())[plan.vertices()[0].id] = 2;
  EXPECT_THAT(rescale_graph(one_reader, plan, wanted, kKeyGroups).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("'lines'")));
}

TEST(RescaleTest, RecordsThatCannotCrossBetweenTasksKeepTheirOperatorsTogether) {
  pb::JobGraph chained = graph();
  chained.mutable_nodes(2)->set_parallelism(2);
  chained.mutable_nodes(2)->mutable_edges(0)->set_type_without_codec("Line");
  EXPECT_THAT(rescale(3, chained).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("Line")));
}

}  // namespace
}  // namespace weir
