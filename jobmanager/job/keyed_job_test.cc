// Jobs of several vertices, by scripted TaskManagers: deployment, checkpoints, restore.
#include <map>
#include <set>
#include <utility>

#include "jobmanager/checkpoint/checkpoint_loader.h"
#include "jobmanager/job/scripted_cluster.h"

namespace weir {
namespace {

using std::chrono::seconds;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

class KeyedJobTest : public ScriptedCluster {
 protected:
  // By vertex and subtask, as deployed last.
  std::map<std::pair<int32_t, int32_t>, pb::DeployTask> deployed() {
    std::map<std::pair<int32_t, int32_t>, pb::DeployTask> tasks;
    for (const auto& taskmanager : taskmanagers_) {
      for (const pb::DeployTask& task : taskmanager->tasks) {
        tasks[{task.task().vertex(), task.task().subtask()}] = task;
      }
    }
    return tasks;
  }
  absl::StatusOr<std::string> stop(const std::string& job) {
    pb::StopJobRequest request;
    request.set_job_id(job);
    request.set_directory(folder_ + "/savepoints");
    std::optional<absl::StatusOr<pb::SavepointResponse>> answer;
    dispatcher_->stop(request, into(answer));
    run();
    if (!answer->ok()) return answer->status();
    return (*answer)->path();
  }
};

TEST_F(KeyedJobTest, EveryTaskLearnsWhereItsRecordsComeFromAndGoTo) {
  add_taskmanager("a", 2);
  add_taskmanager("b", 1);
  const auto job = submit(keyed_graph(3));
  ASSERT_THAT(job, IsOk());
  EXPECT_EQ(state(*job), "RUNNING");
  auto tasks = deployed();
  ASSERT_EQ(tasks.size(), 5u);

  const pb::DeployTask& source = tasks[{0, 1}];
  EXPECT_TRUE(source.input_gates().empty());
  ASSERT_EQ(source.outputs_size(), 1);
  EXPECT_EQ(source.outputs(0).edge(), 0);
  EXPECT_EQ(source.outputs(0).node(), 0);
  EXPECT_EQ(source.outputs(0).partitioning(), pb::JobGraph::HASH);
  EXPECT_EQ(source.outputs(0).consumer_vertex(), 1);
  EXPECT_EQ(source.outputs(0).channels(), 3);

  const pb::DeployTask& count = tasks[{1, 2}];
  EXPECT_EQ(count.task_name(), "KeyedCount -> out (3/3)");
  EXPECT_THAT(count.chain(), ElementsAre(1, 2));
  EXPECT_TRUE(count.outputs().empty());
  ASSERT_EQ(count.input_gates_size(), 1);
  const pb::InputGate& gate = count.input_gates(0);
  EXPECT_EQ(gate.edge(), 0);
  EXPECT_EQ(gate.node(), 1);
  EXPECT_EQ(gate.producer_vertex(), 0);
  ASSERT_EQ(gate.channels_size(), 2);
  for (int32_t producer = 0; producer < 2; ++producer) {
    const pb::InputGate::Channel& channel = gate.channels(producer);
    EXPECT_EQ(channel.producer_subtask(), producer);
    EXPECT_EQ(channel.partition_channel(), 2);
    EXPECT_EQ(channel.address(), "host-" + channel.taskmanager_id() + ":7001");
  }
  EXPECT_EQ(count.max_parallelism(), 128);
  EXPECT_EQ(count.first_key_group(), 86);
  EXPECT_EQ(count.last_key_group(), 127);
}

TEST_F(KeyedJobTest, AForwardEdgeOfAUnionHasOneChannelToTheSameSubtask) {
  add_taskmanager("a", 2);
  pb::JobGraph both = graph();
  pb::JobGraph::Node* sink = both.add_nodes();
  *sink = both.nodes(1);
  *both.mutable_nodes(1) = both.nodes(0);
  both.mutable_nodes(1)->set_id(1);
  both.mutable_nodes(1)->set_uid("more");
  both.mutable_nodes(1)->set_has_coordinator(false);
  sink->set_id(2);
  sink->add_edges()->set_from(1);
  ASSERT_THAT(submit(both), IsOk());
  const pb::DeployTask task = deployed()[{2, 1}];
  ASSERT_EQ(task.input_gates_size(), 2);
  for (const pb::InputGate& gate : task.input_gates()) {
    EXPECT_EQ(gate.partitioning(), pb::JobGraph::FORWARD);
    ASSERT_EQ(gate.channels_size(), 1);
    EXPECT_EQ(gate.channels(0).producer_subtask(), 1);
    EXPECT_EQ(gate.channels(0).partition_channel(), 0);
  }
  const pb::DeployTask producer = deployed()[{1, 1}];
  EXPECT_EQ(producer.outputs(0).channels(), 1);
}

TEST_F(KeyedJobTest, OnlyTaskManagersWithSourcesAreTriggeredAndAllTasksAcknowledge) {
  // The first slot is of the TaskManager that has the most.
  TaskManager& a = add_taskmanager("a", 2);
  TaskManager& b = add_taskmanager("b", 1);
  pb::JobGraph one_reader = keyed_graph(3);
  one_reader.mutable_nodes(0)->set_parallelism(1);
  const auto job = submit(one_reader);
  ASSERT_FALSE(b.tasks.empty());
  advance(seconds(1));
  const auto is_trigger = [](const auto& message) { return message.has_trigger_checkpoint(); };
  EXPECT_EQ(count(a, is_trigger), 1);
  EXPECT_EQ(count(b, is_trigger), 0);
  EXPECT_EQ(notifications(a), 1);
  EXPECT_EQ(notifications(b), 1);
  const pb::JobDetails shown = details(*job);
  EXPECT_EQ(shown.checkpoint_counts().completed(), 1);
  EXPECT_EQ(shown.checkpoints(0).subtasks_total(), 4);
  const auto checkpoint = load_checkpoint(shown.recovery_point().path());
  ASSERT_THAT(checkpoint, IsOk());
  EXPECT_EQ(checkpoint->manifest.operators_size(), 1 + 3 + 3);
  EXPECT_EQ(checkpoint->manifest.max_parallelism(), 128);
}

TEST_F(KeyedJobTest, ACheckpointWaitsForTheTasksBehindTheSources) {
  TaskManager& a = add_taskmanager("a", 3);
  a.acknowledges = false;
  const auto job = submit(keyed_graph(3));
  advance(seconds(1));
  for (const pb::DeployTask& task : a.tasks) {
    EXPECT_EQ(details(*job).checkpoint_counts().completed(), 0);
    acknowledge(a, task, last_trigger(a));
    run();
  }
  pb::FromTaskManager ack;
  auto* coordinator = ack.mutable_acknowledge_coordinator_checkpoint();
  coordinator->mutable_coordinator()->set_job_id(*job);
  coordinator->mutable_coordinator()->set_uid("lines");
  coordinator->set_checkpoint_id(1);
  send(a, ack);
  run();
  EXPECT_EQ(details(*job).checkpoint_counts().completed(), 1);
}

TEST_F(KeyedJobTest, DetailsShowVerticesWithTheirInputsAndKeyGroups) {
  add_taskmanager("a", 3);
  const auto job = submit(keyed_graph(3));
  const pb::JobDetails shown = details(*job);
  ASSERT_EQ(shown.vertices_size(), 2);
  EXPECT_EQ(shown.vertices(0).inputs_size(), 0);
  ASSERT_EQ(shown.vertices(1).inputs_size(), 1);
  EXPECT_EQ(shown.vertices(1).inputs(0).vertex_id(), shown.vertices(0).id());
  EXPECT_EQ(shown.vertices(1).inputs(0).ship_strategy(), "HASH");
  EXPECT_EQ(shown.vertices(1).max_parallelism(), 128);
}

TEST_F(KeyedJobTest, ABoundedJobFinishesWhenItsSourcesAreDrained) {
  TaskManager& a = add_taskmanager("a", 3);
  const auto job = submit(keyed_graph(3));
  for (const pb::DeployTask& task : std::vector<pb::DeployTask>(a.tasks)) {
    if (task.input_gates().empty()) task_state(a, task.task(), pb::TaskStateChanged::DRAINED);
  }
  run();
  EXPECT_EQ(state(*job), "FINISHED");
}

TEST_F(KeyedJobTest, AReaderWhoseProducerIsCancelledFirstCountsAsCancelled) {
  TaskManager& a = add_taskmanager("a", 3);
  const auto job = submit(keyed_graph(3));
  a.releases = false;
  cancel(*job);
  for (const pb::DeployTask& task : std::vector<pb::DeployTask>(a.tasks)) {
    if (task.input_gates().empty()) continue;
    task_state(a, task.task(), pb::TaskStateChanged::FAILED,
               "'lines', which sends it, was cancelled");
  }
  run();
  const pb::JobDetails shown = details(*job);
  EXPECT_EQ(shown.vertices(1).subtasks(0).state(), "CANCELED");
  EXPECT_FALSE(shown.status().has_last_fault());
}

TEST_F(KeyedJobTest, TheLossOfATaskManagerRestartsTheJobOnTheOthers) {
  add_taskmanager("a", 3);
  TaskManager& b = add_taskmanager("b", 3);
  const auto job = submit(keyed_graph(3));
  advance(seconds(1));
  kill(b);
  run();
  EXPECT_EQ(state(*job), "RUNNING");
  EXPECT_EQ(details(*job).status().attempt(), 1);
  const auto tasks = deployed();
  for (const auto& channel : tasks.at({1, 0}).input_gates(0).channels()) {
    EXPECT_EQ(channel.address(), "host-a:7001");
  }
}

TEST_F(KeyedJobTest, MaxParallelismIsFixedByTheFirstRunAndSurvivesTheJobManager) {
  add_taskmanager("a", 3);
  pb::JobGraph small = keyed_graph(3);
  (*small.mutable_configuration())["pipeline.max-parallelism"] = "8";
  const auto job = submit(small);
  ASSERT_THAT(job, IsOk());
  EXPECT_EQ(deployed().at({1, 2}).max_parallelism(), 8);
  stop_jobmanager();
  start_jobmanager();
  add_taskmanager("b", 3);
  EXPECT_EQ(state(*job), "RUNNING");
  EXPECT_EQ(deployed().at({1, 2}).max_parallelism(), 8);
}

TEST_F(KeyedJobTest, ARestoreKeepsTheKeyGroupsAndRefusesOthersPlainly) {
  add_taskmanager("a", 4);
  pb::JobGraph small = keyed_graph(3);
  small.set_max_parallelism(8);
  const auto savepoint = stop(*submit(small));
  ASSERT_THAT(savepoint, IsOk());

  pb::JobGraph other = keyed_graph(2);
  other.set_max_parallelism(16);
  EXPECT_THAT(submit(other, *savepoint).status(),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("8 key groups"), HasSubstr("pipeline.max-parallelism"))));
  EXPECT_THAT(submit(keyed_graph(9), *savepoint).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("'KeyedCount'")));
  const auto wider = submit(keyed_graph(4), *savepoint);
  ASSERT_THAT(wider, IsOk());
  EXPECT_EQ(state(*wider), "RUNNING");
  EXPECT_EQ(deployed().at({1, 3}).first_key_group(), 6);
  EXPECT_EQ(deployed().at({1, 3}).last_key_group(), 7);
}

TEST_F(KeyedJobTest, ARestoreAtAnotherParallelismGivesEveryTaskTheStateOfItsKeyGroups) {
  add_taskmanager("a", 4);
  const auto savepoint = stop(*submit(keyed_graph(3)));
  ASSERT_THAT(savepoint, IsOk());
  // Before: 0 to 42, 43 to 85, 86 to 127; behind the rescale: 0 to 63, 64 to 127.
  const auto job = submit(keyed_graph(2), *savepoint);
  ASSERT_THAT(job, IsOk());
  EXPECT_EQ(state(*job), "RUNNING");
  const auto restored = [&](int32_t subtask) {
    std::vector<int32_t> first_key_groups;
    const pb::DeployTask task = deployed().at({1, subtask});
    for (const pb::OperatorState& state : task.restored()) {
      for (const auto& handle : state.keyed()) {
        EXPECT_EQ(state.uid(), "count");
        EXPECT_THAT(handle.files(0).path(), HasSubstr(*savepoint));
        first_key_groups.push_back(handle.first_key_group());
      }
    }
    return first_key_groups;
  };
  EXPECT_THAT(restored(0), ElementsAre(0, 43));
  EXPECT_THAT(restored(1), ElementsAre(43, 86));
  // Operator lists are dealt out.
  const auto lists = deployed().at({1, 1}).restored(0).lists();
  ASSERT_EQ(lists.size(), 1);
  EXPECT_THAT(lists[0].items(), ElementsAre("by 1", "by 2"));
}

TEST_F(KeyedJobTest, KeyedStateThatNoOperatorTakesIsRefusedUnlessItMayBeDropped) {
  add_taskmanager("a", 4);
  const auto savepoint = stop(*submit(keyed_graph(3)));
  pb::JobGraph renamed = keyed_graph(3);
  renamed.mutable_nodes(1)->set_uid("other");
  EXPECT_THAT(submit(renamed, *savepoint).status(),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("uid count")));
  renamed.set_allow_non_restored_state(true);
  const auto job = submit(renamed, *savepoint);
  ASSERT_THAT(job, IsOk());
  EXPECT_EQ(state(*job), "RUNNING");
}

}  // namespace
}  // namespace weir
