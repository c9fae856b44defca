// Attempts of some regions only: scenes, and thousands of runs with tasks that fail and
// TaskManagers that die at any moment.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <random>

#include "jobmanager/recover/attempt_machine.h"

namespace weir {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;

// `pipelines` times: in ─▶ out, each chained into one vertex with a region per subtask; `keyed`:
// one more, in ─hash─▶ out, which is one region.
pb::JobGraph graph(int pipelines, int parallelism, bool keyed) {
  pb::JobGraph graph;
  const auto add = [&](const std::string& name, pb::JobGraph::Partitioning partitioning) {
    for (const pb::JobGraph::NodeKind kind : {pb::JobGraph::SOURCE, pb::JobGraph::SINK}) {
      pb::JobGraph::Node* node = graph.add_nodes();
      node->set_id(graph.nodes_size() - 1);
      node->set_kind(kind);
      node->set_uid(name + (kind == pb::JobGraph::SOURCE ? "-in" : "-out"));
      node->set_name(node->uid());
      node->set_parallelism(parallelism);
      node->set_has_coordinator(true);
      if (kind == pb::JobGraph::SOURCE) continue;
      node->add_edges()->set_from(node->id() - 1);
      node->mutable_edges(0)->set_partitioning(partitioning);
    }
  };
  for (int i = 0; i < pipelines; ++i) add("p" + std::to_string(i), pb::JobGraph::FORWARD);
  if (keyed) add("keyed", pb::JobGraph::HASH);
  return graph;
}

// Executes decisions with TaskManagers that answer in their own order, later.
class World {
 public:
  World(uint64_t seed, const pb::JobGraph& graph, int taskmanagers)
      : random_(seed),
        strategy_(make_fixed_delay({.attempts = 1'000'000, .delay = milliseconds(seed % 2)})),
        machine_(*JobPlan::make(graph), {.next_attempt = Attempt(), .region_failover = true},
                 *strategy_) {
    for (int i = 0; i < taskmanagers; ++i) add_taskmanager();
    apply(machine_.start());
  }

  AttemptMachine& machine() { return machine_; }
  int partial_restarts() const { return partial_restarts_; }
  int full_restarts() const { return full_restarts_; }
  int starts_of(TaskIndex task) { return starts_[task]; }
  const std::string& violation() const { return violation_; }

  // One event that waits; false: none does.
  bool step() {
    std::vector<std::string> waiting;
    for (const auto& [from, events] : events_) {
      if (!events.empty()) waiting.push_back(from);
    }
    if (waiting.empty()) return false;
    auto& queue = events_[waiting[below(waiting.size())]];
    const auto event = std::move(queue.front());
    queue.pop_front();
    event();
    return true;
  }
  void run() {
    while (step()) {
    }
  }
  void fail_task(TaskIndex task) {
    const auto running = tasks_.find(task);
    if (running == tasks_.end()) return;
    const Task failed = running->second;
    later(failed.taskmanager, [this, task, failed] {
      apply(machine_.task_failed(failed.attempt, task, {"task", "boom", false}, now_));
    });
  }
  void kill(std::string taskmanager) {
    events_.erase(taskmanager);
    std::erase(taskmanagers_, taskmanager);
    std::erase_if(tasks_, [&](const auto& task) { return task.second.taskmanager == taskmanager; });
    add_taskmanager();
    apply(machine_.taskmanager_lost(taskmanager, "killed", now_));
  }
  void random_fault() {
    if (below(2) == 0 && !tasks_.empty()) {
      return fail_task(std::next(tasks_.begin(), static_cast<long>(below(tasks_.size())))->first);
    }
    kill(taskmanagers_[below(taskmanagers_.size())]);
  }
  size_t below(size_t end) { return std::uniform_int_distribution<size_t>(0, end - 1)(random_); }

  // Everything runs, each task once, in the attempt that the machine says.
  bool is_sound() {
    if (machine_.step() != AttemptStep::kRunning) return false;
    for (TaskIndex task : machine_.plan().tasks()) {
      const auto running = tasks_.find(task);
      if (running == tasks_.end() || !running->second.started) return false;
      if (running->second.attempt != machine_.attempt_of(task)) return false;
      if (running->second.taskmanager != machine_.slots()[task.subtask]) return false;
    }
    return true;
  }

 private:
  struct Task {
    Attempt attempt;
    std::string taskmanager;
    bool started = false;
  };

  void add_taskmanager() { taskmanagers_.push_back("tm" + std::to_string(++last_taskmanager_)); }
  void later(const std::string& from, std::function<void()> event) {
    events_[from].push_back(std::move(event));
  }
  bool alive(const std::string& taskmanager) const {
    return std::find(taskmanagers_.begin(), taskmanagers_.end(), taskmanager) !=
           taskmanagers_.end();
  }
  void apply(const AttemptDecisions& decisions) {
    for (const AttemptDecision& decision : decisions) {
      std::visit([this](const auto& what) { execute(what); }, decision);
    }
  }
  template <typename Decision>
  void execute(const Decision&) {}
  void execute(const RequestSlots& request) {
    if (request.count == 0) return;
    later("jm", [this, request, attempt = machine_.attempt()] {
      if (attempt != machine_.attempt()) return;
      std::vector<std::string> slots;
      for (int32_t i = 0; i < request.count; ++i) {
        slots.push_back(taskmanagers_[below(taskmanagers_.size())]);
      }
      apply(machine_.slots_granted(slots));
    });
  }
  void execute(const DeployCoordinatorsDecision& deploy) {
    for (const std::string& uid : deploy.uids) {
      later(machine_.slots()[0], [this, uid, attempt = machine_.attempt()] {
        apply(machine_.coordinator_validated(attempt, uid, {}, 0, true));
      });
    }
  }
  void execute(const ClaimResources&) {
    later("jm", [this] { apply(machine_.resources_granted()); });
  }
  void execute(const PersistAttempt& persist) {
    if (persisted_one_ && persist.attempt <= last_persisted_) {
      violation_ = "an attempt's number was used twice";
    }
    later("jm", [this, persist] {
      last_persisted_ = persist.attempt;
      persisted_one_ = true;
      apply(machine_.attempt_persisted(persist.attempt));
    });
  }
  void execute(const RecoverCoordinatorsDecision& recover) {
    for (const std::string& uid : recover.uids) {
      later(machine_.slots()[0], [this, uid, attempt = machine_.attempt()] {
        apply(machine_.coordinator_recovered(attempt, uid));
      });
    }
  }
  void execute(const DeployTasksDecision& deploy) {
    for (TaskIndex task : deploy.tasks) {
      if (tasks_.contains(task)) violation_ = "a task is deployed that may run still";
      if (machine_.attempt() != last_persisted_) violation_ = "a task's attempt isn't durable";
      const std::string& taskmanager = machine_.slots()[task.subtask];
      if (!alive(taskmanager)) violation_ = "a task is deployed on a dead TaskManager";
      tasks_[task] = {machine_.attempt(), taskmanager};
      later(taskmanager, [this, task, attempt = machine_.attempt()] {
        apply(machine_.task_deployed(attempt, task));
      });
    }
  }
  void execute(const StartTasksDecision&) {
    for (auto& [task, running] : tasks_) {
      if (running.attempt != machine_.attempt()) continue;
      running.started = true;
      ++starts_[task];
      later(running.taskmanager, [this, task = task, attempt = running.attempt] {
        apply(machine_.task_running(attempt, task));
      });
    }
  }
  void execute(const CancelTasksDecision& cancel) {
    ++partial_restarts_;
    std::map<std::string, std::vector<TaskIndex>> by_taskmanager;
    for (TaskIndex task : cancel.tasks) {
      if (!tasks_.contains(task)) violation_ = "a task is cancelled that doesn't run";
      by_taskmanager[machine_.slots()[task.subtask]].push_back(task);
    }
    for (const auto& [taskmanager, tasks] : by_taskmanager) {
      later(taskmanager,
            [this, taskmanager = taskmanager, tasks = tasks, attempt = machine_.attempt()] {
              for (TaskIndex task : tasks) tasks_.erase(task);
              apply(machine_.tasks_released(attempt, taskmanager));
            });
    }
  }
  void execute(const CancelAttemptDecision&) {
    ++full_restarts_;
    for (const std::string& taskmanager : machine_.participants()) {
      later(taskmanager, [this, taskmanager, attempt = machine_.attempt()] {
        std::erase_if(tasks_, [&](const auto& task) {
          return task.second.taskmanager == taskmanager && task.second.attempt <= attempt;
        });
        apply(machine_.attempt_released(attempt, taskmanager));
      });
    }
  }
  void execute(const ScheduleRestart&) {
    later("jm", [this, attempt = machine_.attempt()] { apply(machine_.restart_due(attempt)); });
  }

  std::mt19937_64 random_;
  const std::unique_ptr<RestartStrategy> strategy_;
  AttemptMachine machine_;
  MonotonicTime now_{std::chrono::hours(1)};
  std::map<std::string, std::deque<std::function<void()>>> events_;
  std::vector<std::string> taskmanagers_;
  int last_taskmanager_ = 0;
  std::map<TaskIndex, Task> tasks_;  // that run somewhere
  std::map<TaskIndex, int> starts_;
  Attempt last_persisted_;
  bool persisted_one_ = false;
  int partial_restarts_ = 0;
  int full_restarts_ = 0;
  std::string violation_;
};

TEST(AttemptRegionsTest, OnlyTheRegionOfAFailedTaskRestarts) {
  World world(1, graph(1, 3, false), 3);
  world.run();
  ASSERT_TRUE(world.is_sound());
  world.fail_task({0, 1});
  world.run();
  EXPECT_TRUE(world.is_sound());
  EXPECT_EQ(world.starts_of({0, 0}), 1);
  EXPECT_EQ(world.starts_of({0, 1}), 2);
  EXPECT_EQ(world.starts_of({0, 2}), 1);
  EXPECT_EQ(world.machine().attempt(), Attempt(1));
  EXPECT_EQ(world.machine().attempt_of({0, 0}), Attempt(0));
  EXPECT_EQ(world.machine().coordinators_attempt(), Attempt(0));
  EXPECT_THAT(world.machine().live_attempts(), ElementsAre(Attempt(0), Attempt(1)));
}

TEST(AttemptRegionsTest, AFailureInAnotherRegionMeanwhileRestartsBoth) {
  World world(1, graph(1, 3, false), 3);
  world.run();
  world.fail_task({0, 1});
  world.fail_task({0, 2});
  world.run();
  EXPECT_TRUE(world.is_sound());
  EXPECT_EQ(world.starts_of({0, 0}), 1);
  EXPECT_EQ(world.starts_of({0, 2}), 2);
}

TEST(AttemptRegionsTest, AKeyedPipelineIsOneRegionAndRestartsAsAWhole) {
  World world(1, graph(1, 2, true), 4);
  world.run();
  world.fail_task({2, 1});
  world.run();
  EXPECT_TRUE(world.is_sound());
  for (int32_t subtask : {0, 1}) {
    EXPECT_EQ(world.starts_of({0, subtask}), 1);
    EXPECT_EQ(world.starts_of({1, subtask}), 2);
    EXPECT_EQ(world.starts_of({2, subtask}), 2);
  }
}

TEST(AttemptRegionsTest, WhoeverLosesTheCoordinatorsRestartsAsAWhole) {
  World world(1, graph(1, 3, false), 3);
  world.run();
  world.kill(world.machine().slots()[0]);
  world.run();
  EXPECT_TRUE(world.is_sound());
  for (int32_t subtask : {0, 1, 2}) EXPECT_EQ(world.starts_of({0, subtask}), 2);
}

TEST(AttemptRegionsTest, ACancelDuringTheRestartOfARegionEndsEverything) {
  World world(2, graph(1, 3, false), 3);
  world.run();
  world.fail_task({0, 1});
  while (!world.machine().only_regions()) ASSERT_TRUE(world.step());
  world.machine().cancel_requested();
  const AttemptDecisions decisions = world.machine().intent_persisted(JobIntent::kCancel);
  const bool cancels = std::any_of(decisions.begin(), decisions.end(), [](const auto& decision) {
    return std::holds_alternative<CancelAttemptDecision>(decision);
  });
  EXPECT_TRUE(cancels);
  EXPECT_FALSE(world.machine().only_regions());
}

TEST(AttemptRegionsTest, WhateverFailsAndWheneverEverythingRunsOnceInTheEnd) {
  int partial = 0;
  int full = 0;
  for (uint64_t seed = 1; seed <= 5000; ++seed) {
    SCOPED_TRACE(seed);
    World world(seed, graph(1 + static_cast<int>(seed % 2), 3, seed % 3 == 0), 3);
    const size_t faults = world.below(8);
    for (size_t fault = 0; fault < faults; ++fault) {
      for (size_t steps = world.below(60); steps > 0; --steps) world.step();
      world.random_fault();
      ASSERT_EQ(world.violation(), "");
    }
    world.run();
    ASSERT_EQ(world.violation(), "");
    ASSERT_TRUE(world.is_sound()) << to_string(world.machine().step()) << ", waits for "
                                  << world.machine().waiting_for();
    partial += world.partial_restarts();
    full += world.full_restarts();
  }
  EXPECT_GT(partial, 1000);
  EXPECT_GT(full, 1000);
}

}  // namespace
}  // namespace weir
