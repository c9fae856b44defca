#include "taskmanager/server/deployment.h"

#include <gtest/gtest.h>

#include "proto/control.pb.h"

namespace weir {
namespace {

void add_node(pb::DeployTask& request, bool keyed, int parallelism) {
  pb::JobGraph::Node& node = *request.mutable_graph()->add_nodes();
  node.set_keyed(keyed);
  node.set_parallelism(parallelism);
}

TEST(DeploymentTest, ATaskKnowsHowManyKeyedOperatorsItsSlotHas) {
  pb::DeployTask request;
  add_node(request, false, 3);
  add_node(request, true, 3);
  add_node(request, true, 2);
  EXPECT_EQ(task_spec_of(request).keyed_in_slot, 2);
  request.mutable_task()->set_subtask(2);
  EXPECT_EQ(task_spec_of(request).keyed_in_slot, 1);
}

}  // namespace
}  // namespace weir
