#include "jobmanager/recover/attempt_machine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/check.h"

namespace weir {
namespace {

using std::chrono::milliseconds;

template <typename Decision>
const Decision* find(const AttemptDecisions& decisions) {
  for (const auto& decision : decisions) {
    if (const auto* match = std::get_if<Decision>(&decision)) return match;
  }
  return nullptr;
}

pb::JobGraph graph() {
  pb::JobGraph graph;
  for (int id = 0; id < 2; ++id) {
    pb::JobGraph::Node* node = graph.add_nodes();
    node->set_id(id);
    node->set_uid(id == 0 ? "lines" : "out");
    node->set_name(node->uid());
    node->set_kind(id == 0 ? pb::JobGraph::SOURCE : pb::JobGraph::SINK);
    node->set_parallelism(2);
    node->set_has_coordinator(true);
    if (id > 0) node->add_edges()->set_from(id - 1);
  }
  return graph;
}

class AttemptMachineTest : public testing::Test {
 protected:
  AttemptMachineTest() : plan_(*JobPlan::make(graph())) { make({}); }

  void make(AttemptMachine::History history) {
    strategy_ = make_fixed_delay({.attempts = 2, .delay = delay_});
    machine_.emplace(plan_, history, *strategy_);
  }
  Attempt attempt() const { return machine_->attempt(); }
  void to_validating() {
    machine_->start();
    machine_->slots_granted({"tm1", "tm2"});
  }
  AttemptDecisions validate_all() {
    machine_->coordinator_validated(attempt(), "lines", {}, 0);
    return machine_->coordinator_validated(attempt(), "out", {"prefix"}, 5);
  }
  void to_recovering() {
    to_validating();
    validate_all();
    machine_->resources_granted();
    machine_->attempt_persisted(attempt());
  }
  AttemptDecisions recover_all() {
    machine_->coordinator_recovered(attempt(), "lines");
    return machine_->coordinator_recovered(attempt(), "out");
  }
  AttemptDecisions tasks(AttemptDecisions (AttemptMachine::*event)(Attempt, TaskIndex)) {
    ((*machine_).*event)(attempt(), {0, 0});
    return ((*machine_).*event)(attempt(), {0, 1});
  }
  void to_running() {
    to_recovering();
    recover_all();
    tasks(&AttemptMachine::task_deployed);
    tasks(&AttemptMachine::task_running);
    WEIR_CHECK(machine_->step() == AttemptStep::kRunning);
  }
  AttemptDecisions release_all() {
    machine_->attempt_released(attempt(), "tm1");
    return machine_->attempt_released(attempt(), "tm2");
  }
  static JobPlan rescaled_plan() {
    pb::JobGraph wider = graph();
    for (pb::JobGraph::Node& node : *wider.mutable_nodes()) node.set_parallelism(3);
    return *JobPlan::make(wider);
  }
  AttemptDecisions fail(bool fatal = false) {
    return machine_->failed(attempt(), {"map", "boom", fatal}, now_);
  }
  // A settling attempt up to its end.
  AttemptDecisions settle() {
    EXPECT_NE(find<DeployCoordinatorsDecision>(machine_->slots_granted({"tm1"})), nullptr);
    machine_->coordinator_validated(attempt(), "out", {"prefix"}, 5);
    machine_->resources_granted();
    EXPECT_EQ(find<DeployTasksDecision>(machine_->attempt_persisted(attempt())), nullptr);
    machine_->coordinator_recovered(attempt(), "out");
    return machine_->attempt_released(attempt(), "tm1");
  }

  milliseconds delay_{100};
  const JobPlan plan_;
  const MonotonicTime now_{std::chrono::hours(1)};
  std::unique_ptr<RestartStrategy> strategy_;
  std::optional<AttemptMachine> machine_;
};

TEST_F(AttemptMachineTest, AsksForTheSlotsOfTheLargestParallelism) {
  EXPECT_EQ(find<RequestSlots>(machine_->start())->count, 2);
  EXPECT_EQ(machine_->job_state(), "CREATED");
}

TEST_F(AttemptMachineTest, ClaimsResourcesWhenAllHaveValidatedAndThenTakesALargerGeneration) {
  to_validating();
  const auto decisions = validate_all();
  EXPECT_THAT(find<ClaimResources>(decisions)->resources, testing::ElementsAre("prefix"));
  const auto granted = machine_->resources_granted();
  EXPECT_EQ(find<PersistAttempt>(granted)->generation_above, 5u);
}

TEST_F(AttemptMachineTest, NothingRecoversBeforeTheAttemptIsDurable) {
  to_validating();
  validate_all();
  EXPECT_EQ(find<RecoverCoordinatorsDecision>(machine_->resources_granted()), nullptr);
  const auto decisions = machine_->attempt_persisted(attempt());
  EXPECT_NE(find<RecoverCoordinatorsDecision>(decisions), nullptr);
  EXPECT_NE(find<DeployTasksDecision>(decisions), nullptr);
}

TEST_F(AttemptMachineTest, NoTaskStartsBeforeEveryCoordinatorHasRecovered) {
  to_recovering();
  EXPECT_EQ(find<StartTasksDecision>(tasks(&AttemptMachine::task_deployed)), nullptr);
  machine_->coordinator_recovered(attempt(), "lines");
  machine_->coordinator_recovered(attempt(), "lines");
  EXPECT_EQ(machine_->step(), AttemptStep::kRecovering);
  EXPECT_NE(find<StartTasksDecision>(machine_->coordinator_recovered(attempt(), "out")), nullptr);
}

TEST_F(AttemptMachineTest, SplitsAndCheckpointsComeWhenEveryTaskRuns) {
  to_recovering();
  tasks(&AttemptMachine::task_deployed);
  recover_all();
  EXPECT_TRUE(machine_->task_running(attempt(), {0, 0}).empty());
  const auto decisions = machine_->task_running(attempt(), {0, 1});
  EXPECT_NE(find<StartCoordinatorsDecision>(decisions), nullptr);
  EXPECT_NE(find<StartCheckpoints>(decisions), nullptr);
  EXPECT_EQ(machine_->job_state(), "RUNNING");
}

TEST_F(AttemptMachineTest, AResolvedStateIsAcknowledgedOnlyWhenItIsDurable) {
  to_recovering();
  EXPECT_EQ(find<PersistResolved>(machine_->coordinator_resolved(attempt(), "lines", "s"))->state,
            "s");
  EXPECT_EQ(find<AcknowledgeResolved>(machine_->resolved_durable(attempt(), "lines"))->uid,
            "lines");
}

TEST_F(AttemptMachineTest, AFailureCancelsTheAttemptAndTheNextBeginsAfterReleaseAndDelay) {
  to_running();
  const auto decisions = fail();
  EXPECT_EQ(find<RecordFault>(decisions)->cause, "boom");
  EXPECT_TRUE(find<RecordFault>(decisions)->restarts);
  EXPECT_EQ(find<ScheduleRestart>(decisions)->delay, delay_);
  EXPECT_NE(find<CancelAttemptDecision>(decisions), nullptr);
  EXPECT_NE(find<StopCheckpoints>(decisions), nullptr);
  EXPECT_EQ(machine_->job_state(), "RESTARTING");
  release_all();
  EXPECT_EQ(machine_->step(), AttemptStep::kWaitingToRestart);
  EXPECT_NE(find<RequestSlots>(machine_->restart_due(attempt())), nullptr);
  EXPECT_EQ(attempt(), Attempt(1));
  EXPECT_EQ(machine_->job_state(), "RESTARTING");
}

TEST_F(AttemptMachineTest, WithoutADelayTheNextAttemptBeginsWithTheLastRelease) {
  delay_ = milliseconds(0);
  make({});
  to_running();
  EXPECT_EQ(find<ScheduleRestart>(fail()), nullptr);
  EXPECT_NE(find<RequestSlots>(release_all()), nullptr);
}

TEST_F(AttemptMachineTest, ALostTaskManagerFailsTheAttemptAndNeedsNoRelease) {
  delay_ = milliseconds(0);
  make({});
  to_running();
  machine_->taskmanager_lost("tm2", "its connection closed", now_);
  EXPECT_EQ(machine_->step(), AttemptStep::kCanceling);
  EXPECT_NE(find<RequestSlots>(machine_->attempt_released(attempt(), "tm1")), nullptr);
}

TEST_F(AttemptMachineTest, TheLossOfATaskManagerThatRunsNothingChangesNothing) {
  to_running();
  EXPECT_TRUE(machine_->taskmanager_lost("tm9", "closed", now_).empty());
}

TEST_F(AttemptMachineTest, WhoeverDoesNotReleaseInTimeIsGivenUp) {
  delay_ = milliseconds(0);
  make({});
  to_running();
  fail();
  machine_->attempt_released(attempt(), "tm1");
  EXPECT_NE(find<RequestSlots>(machine_->release_timed_out(attempt())), nullptr);
}

TEST_F(AttemptMachineTest, EventsOfAnotherAttemptChangeNothing) {
  delay_ = milliseconds(0);
  make({});
  to_running();
  fail();
  release_all();
  const Attempt old(0);
  machine_->slots_granted({"tm1"});
  EXPECT_TRUE(machine_->coordinator_validated(old, "lines", {}, 0).empty());
  EXPECT_TRUE(machine_->coordinator_recovered(old, "out").empty());
  EXPECT_TRUE(machine_->task_running(old, {0, 0}).empty());
  EXPECT_TRUE(machine_->failed(old, {"map", "late", true}, now_).empty());
  EXPECT_TRUE(machine_->restart_due(old).empty());
  EXPECT_EQ(machine_->step(), AttemptStep::kValidating);
}

TEST_F(AttemptMachineTest, OnlyTheFirstFailureOfAnAttemptCounts) {
  to_running();
  fail();
  EXPECT_TRUE(fail().empty());
}

TEST_F(AttemptMachineTest, WhenTheStrategyGivesUpTheJobSettlesAndFails) {
  delay_ = milliseconds(0);
  make({});
  for (int restart = 0; restart < 2; ++restart) {
    machine_->step() == AttemptStep::kNew ? to_running() : [&] {
      machine_->slots_granted({"tm1", "tm2"});
      validate_all();
      machine_->resources_granted();
      machine_->attempt_persisted(attempt());
    }();
    fail();
    release_all();
  }
  machine_->slots_granted({"tm1", "tm2"});
  EXPECT_EQ(find<PersistIntent>(fail())->intent, JobIntent::kFail);
  EXPECT_EQ(machine_->job_state(), "FAILING");
  release_all();
  EXPECT_EQ(find<RequestSlots>(machine_->intent_persisted(JobIntent::kFail))->count, 0);
  EXPECT_EQ(find<Terminated>(settle())->as, JobIntent::kFail);
  EXPECT_EQ(machine_->job_state(), "FAILED");
}

TEST_F(AttemptMachineTest, AFatalFailureBeforeAnythingRanEndsTheJobAtOnce) {
  to_validating();
  EXPECT_EQ(find<PersistIntent>(fail(true))->intent, JobIntent::kFail);
  machine_->intent_persisted(JobIntent::kFail);
  EXPECT_EQ(find<Terminated>(release_all())->as, JobIntent::kFail);
}

TEST_F(AttemptMachineTest, ACancelIsDurableBeforeAnythingIsCanceledAndThenSettles) {
  to_running();
  const auto wanted = machine_->cancel_requested();
  EXPECT_EQ(find<PersistIntent>(wanted)->intent, JobIntent::kCancel);
  EXPECT_EQ(find<CancelAttemptDecision>(wanted), nullptr);
  EXPECT_NE(find<CancelAttemptDecision>(machine_->intent_persisted(JobIntent::kCancel)), nullptr);
  EXPECT_EQ(machine_->job_state(), "CANCELLING");
  EXPECT_NE(find<RequestSlots>(release_all()), nullptr);
  EXPECT_EQ(find<Terminated>(settle())->as, JobIntent::kCancel);
  EXPECT_EQ(machine_->job_state(), "CANCELED");
}

TEST_F(AttemptMachineTest, ALossWhileItSettlesEndsNothingAndTheJobAsFailed) {
  to_running();
  machine_->cancel_requested();
  machine_->intent_persisted(JobIntent::kCancel);
  release_all();
  machine_->slots_granted({"tm1"});
  const auto decisions = machine_->lost_while_settling("sink", "lost");
  ASSERT_EQ(decisions.size(), 1u);
  EXPECT_EQ(find<RecordFault>(decisions)->cause, "lost");
  EXPECT_EQ(machine_->step(), AttemptStep::kValidating);
  EXPECT_EQ(machine_->job_state(), "FAILING");
  machine_->coordinator_validated(attempt(), "out", {"prefix"}, 5);
  machine_->resources_granted();
  machine_->attempt_persisted(attempt());
  machine_->coordinator_recovered(attempt(), "out");
  EXPECT_EQ(find<Terminated>(machine_->attempt_released(attempt(), "tm1"))->as, JobIntent::kFail);
}

TEST_F(AttemptMachineTest, AJobThatWaitsForSlotsAndNeverRanIsCanceledAtOnce) {
  machine_->start();
  machine_->cancel_requested();
  const auto decisions = machine_->intent_persisted(JobIntent::kCancel);
  EXPECT_EQ(find<Terminated>(decisions)->as, JobIntent::kCancel);
  EXPECT_NE(find<ReleaseSlots>(decisions), nullptr);
}

TEST_F(AttemptMachineTest, ACancelDuringTheRestartDelayDoesNotWaitForIt) {
  to_running();
  fail();
  release_all();
  machine_->cancel_requested();
  EXPECT_NE(find<RequestSlots>(machine_->intent_persisted(JobIntent::kCancel)), nullptr);
}

TEST_F(AttemptMachineTest, ASettlingThatFailsIsTriedAgain) {
  make({JobIntent::kCancel, Attempt(4), true});
  EXPECT_EQ(find<RequestSlots>(machine_->start())->count, 0);
  machine_->slots_granted({"tm1"});
  EXPECT_NE(find<ScheduleRestart>(fail()), nullptr);
  machine_->attempt_released(attempt(), "tm1");
  EXPECT_NE(find<RequestSlots>(machine_->restart_due(attempt())), nullptr);
  EXPECT_EQ(find<Terminated>(settle())->as, JobIntent::kCancel);
}

TEST_F(AttemptMachineTest, ACancelThatCanNotSettleEndsAsFailed) {
  make({JobIntent::kCancel, Attempt(4), true});
  machine_->start();
  machine_->slots_granted({"tm1"});
  fail(true);
  EXPECT_EQ(find<Terminated>(machine_->attempt_released(attempt(), "tm1"))->as, JobIntent::kFail);
}

TEST_F(AttemptMachineTest, AnEndedInputTakesAFinalCheckpointAndWaitsForItsCommits) {
  to_running();
  machine_->task_drained(attempt(), {0, 0});
  EXPECT_NE(find<TriggerFinalCheckpoint>(machine_->task_drained(attempt(), {0, 1})), nullptr);
  EXPECT_TRUE(machine_->final_checkpoint_published(attempt()).empty());
  EXPECT_EQ(machine_->step(), AttemptStep::kFinishing);
  EXPECT_NE(find<CancelAttemptDecision>(machine_->final_commits_known(attempt())), nullptr);
  EXPECT_EQ(find<Terminated>(release_all())->as, JobIntent::kFinish);
  EXPECT_EQ(machine_->job_state(), "FINISHED");
}

TEST_F(AttemptMachineTest, AFailureBehindTheLastCheckpointSettlesAndFinishes) {
  to_running();
  machine_->final_checkpoint_published(attempt());
  fail();
  release_all();
  machine_->restart_due(attempt());
  EXPECT_EQ(find<Terminated>(settle())->as, JobIntent::kFinish);
}

TEST_F(AttemptMachineTest, ALastCheckpointThatOutlivesItsAttemptTurnsTheNextIntoASettling) {
  delay_ = milliseconds(0);
  make({});
  to_running();
  fail();
  release_all();
  EXPECT_EQ(machine_->step(), AttemptStep::kWaitingForSlots);
  EXPECT_EQ(find<RequestSlots>(machine_->final_checkpoint_published(Attempt(0)))->count, 0);
  EXPECT_EQ(find<Terminated>(settle())->as, JobIntent::kFinish);
}

TEST_F(AttemptMachineTest, ACancelThatLosesAgainstTheLastCheckpointFinishes) {
  to_running();
  machine_->cancel_requested();
  machine_->final_checkpoint_published(attempt());
  EXPECT_TRUE(machine_->intent_persisted(JobIntent::kFinish).empty());
  machine_->final_commits_known(attempt());
  EXPECT_EQ(find<Terminated>(release_all())->as, JobIntent::kFinish);
}

TEST_F(AttemptMachineTest, AfterARestartOfTheJobManagerTheNextAttemptBegins) {
  make({JobIntent::kRun, Attempt(3), true});
  machine_->start();
  EXPECT_EQ(attempt(), Attempt(3));
  EXPECT_EQ(machine_->job_state(), "RESTARTING");
}

// Two source tasks, and three behind them that read both.
class KeyedAttemptTest : public testing::Test {
 protected:
  KeyedAttemptTest() : plan_(*JobPlan::make(keyed())), machine_(plan_, {}, *strategy_) {
    machine_.start();
    machine_.slots_granted({"tm1", "tm2", "tm3"});
    machine_.coordinator_validated(Attempt(), "lines", {}, 0);
    machine_.coordinator_validated(Attempt(), "out", {}, 0);
    machine_.resources_granted();
    machine_.attempt_persisted(Attempt());
    machine_.coordinator_recovered(Attempt(), "lines");
    machine_.coordinator_recovered(Attempt(), "out");
  }
  static pb::JobGraph keyed() {
    pb::JobGraph result = graph();
    result.mutable_nodes(1)->set_parallelism(3);
    result.mutable_nodes(1)->mutable_edges(0)->set_partitioning(pb::JobGraph::HASH);
    return result;
  }
  AttemptDecisions all(AttemptDecisions (AttemptMachine::*event)(Attempt, TaskIndex)) {
    AttemptDecisions last;
    for (TaskIndex task : plan_.tasks()) last = (machine_.*event)(Attempt(), task);
    return last;
  }

  const JobPlan plan_;
  std::unique_ptr<RestartStrategy> strategy_ = make_no_restart();
  AttemptMachine machine_;
};

TEST_F(KeyedAttemptTest, StartsWhenTheTasksOfAllVerticesAreDeployed) {
  machine_.task_deployed(Attempt(), {0, 0});
  machine_.task_deployed(Attempt(), {0, 1});
  machine_.task_deployed(Attempt(), {1, 0});
  machine_.task_deployed(Attempt(), {1, 1});
  EXPECT_EQ(machine_.step(), AttemptStep::kRecovering);
  const auto decisions = machine_.task_deployed(Attempt(), {1, 2});
  EXPECT_NE(find<StartTasksDecision>(decisions), nullptr);
}

TEST_F(KeyedAttemptTest, TakesTheFinalCheckpointWhenAllSourcesAreDrained) {
  all(&AttemptMachine::task_deployed);
  all(&AttemptMachine::task_running);
  EXPECT_EQ(machine_.step(), AttemptStep::kRunning);
  for (int32_t subtask : {0, 1, 2}) {
    const auto decisions = machine_.task_drained(Attempt(), {1, subtask});
    EXPECT_EQ(find<TriggerFinalCheckpoint>(decisions), nullptr);
  }
  EXPECT_EQ(find<TriggerFinalCheckpoint>(machine_.task_drained(Attempt(), {0, 0})), nullptr);
  EXPECT_NE(find<TriggerFinalCheckpoint>(machine_.task_drained(Attempt(), {0, 1})), nullptr);
}

TEST_F(KeyedAttemptTest, WaitsForTheOthersIfTheSourcesDrainBeforeAllRun) {
  all(&AttemptMachine::task_deployed);
  machine_.task_drained(Attempt(), {0, 0});
  machine_.task_drained(Attempt(), {0, 1});
  machine_.task_running(Attempt(), {1, 0});
  machine_.task_running(Attempt(), {1, 1});
  EXPECT_EQ(machine_.step(), AttemptStep::kStarting);
  const auto decisions = machine_.task_running(Attempt(), {1, 2});
  EXPECT_NE(find<StartCheckpoints>(decisions), nullptr);
  EXPECT_NE(find<TriggerFinalCheckpoint>(decisions), nullptr);
}

TEST_F(AttemptMachineTest, ARescaledJobEndsItsAttemptAndBeginsTheNextWithTheNewPlan) {
  to_running();
  AttemptDecisions decisions = machine_->rescaled(rescaled_plan());
  EXPECT_NE(find<CancelAttemptDecision>(decisions), nullptr);
  EXPECT_EQ(find<RecordFault>(decisions), nullptr);
  EXPECT_EQ(machine_->plan().slots_needed(), 2);
  decisions = release_all();
  ASSERT_NE(find<RequestSlots>(decisions), nullptr);
  EXPECT_EQ(find<RequestSlots>(decisions)->count, 3);
  EXPECT_EQ(machine_->attempt(), Attempt(1));
  EXPECT_EQ(machine_->plan().slots_needed(), 3);
  EXPECT_EQ(machine_->job_state(), "RESTARTING");
}

// The outcome of a publication may come late.
TEST_F(AttemptMachineTest, ARescaleThatIsDurableOnlyWhenTheNextAttemptHasBegunEndsThatOne) {
  delay_ = milliseconds(0);
  make({});
  to_running();
  fail();
  release_all();
  ASSERT_EQ(machine_->step(), AttemptStep::kWaitingForSlots);
  machine_->slots_granted({"tm1", "tm2"});
  EXPECT_NE(find<CancelAttemptDecision>(machine_->rescaled(rescaled_plan())), nullptr);
  EXPECT_EQ(find<RequestSlots>(release_all())->count, 3);
  EXPECT_EQ(machine_->attempt(), Attempt(2));
}

TEST_F(AttemptMachineTest, ARescaleThatIsDurableDuringARestartIsTakenByIt) {
  to_running();
  fail();
  EXPECT_TRUE(machine_->rescaled(rescaled_plan()).empty());
  release_all();
  EXPECT_EQ(machine_->step(), AttemptStep::kWaitingToRestart);
  EXPECT_EQ(find<RequestSlots>(machine_->restart_due(attempt()))->count, 3);
}

TEST_F(AttemptMachineTest, ACancelThatComesWithARescaleWins) {
  to_running();
  machine_->cancel_requested();
  machine_->rescaled(rescaled_plan());
  release_all();
  AttemptDecisions decisions = machine_->intent_persisted(JobIntent::kCancel);
  ASSERT_NE(find<RequestSlots>(decisions), nullptr);
  EXPECT_EQ(find<RequestSlots>(decisions)->count, 0);
}

}  // namespace
}  // namespace weir
