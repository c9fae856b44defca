#include "jobmanager/plan/max_parallelism.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status_matchers.h"

namespace weir {
namespace {

using testing::AllOf;
using testing::HasSubstr;

pb::JobGraph graph_of(int32_t parallelism) {
  pb::JobGraph graph;
  graph.add_nodes()->set_parallelism(1);
  graph.add_nodes()->set_parallelism(parallelism);
  graph.mutable_nodes(1)->set_name("KeyedCount");
  return graph;
}

TEST(MaxParallelismTest, IsFlinksDefaultForAJobThatDoesntSay) {
  EXPECT_EQ(default_max_parallelism(graph_of(1)), 128);
  EXPECT_EQ(default_max_parallelism(graph_of(85)), 128);
  EXPECT_EQ(default_max_parallelism(graph_of(86)), 256);
  EXPECT_EQ(default_max_parallelism(graph_of(30000)), 32768);
}

TEST(MaxParallelismTest, IsWhatTheConfigurationSaysAtTheFirstRun) {
  EXPECT_EQ(*fix_max_parallelism(graph_of(4), 16, nullptr), 16);
  EXPECT_EQ(*fix_max_parallelism(graph_of(4), 0, nullptr), 128);
}

TEST(MaxParallelismTest, IsKeptByRestoredKeyedState) {
  pb::CheckpointManifest restored;
  restored.set_max_parallelism(64);
  EXPECT_EQ(*fix_max_parallelism(graph_of(4), 0, &restored), 64);
  EXPECT_EQ(*fix_max_parallelism(graph_of(4), 64, &restored), 64);
  EXPECT_THAT(fix_max_parallelism(graph_of(4), 128, &restored).status(),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("64 key groups"), HasSubstr("wants 128"))));
}

TEST(MaxParallelismTest, IsFreeAgainForACheckpointWithoutKeyedState) {
  const pb::CheckpointManifest restored;
  EXPECT_EQ(*fix_max_parallelism(graph_of(4), 16, &restored), 16);
}

TEST(MaxParallelismTest, BoundsTheParallelismOfEveryOperator) {
  EXPECT_THAT(fix_max_parallelism(graph_of(17), 16, nullptr).status(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("'KeyedCount' has parallelism 17"), HasSubstr("raise"))));
  pb::CheckpointManifest restored;
  restored.set_max_parallelism(16);
  EXPECT_THAT(fix_max_parallelism(graph_of(17), 0, &restored).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("lower the parallelism")));
  EXPECT_FALSE(fix_max_parallelism(graph_of(1), 32769, nullptr).ok());
  EXPECT_FALSE(fix_max_parallelism(graph_of(1), -1, nullptr).ok());
}

}  // namespace
}  // namespace weir
