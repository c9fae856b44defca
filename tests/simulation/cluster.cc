#include "tests/simulation/cluster.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace weir::simulation {
namespace {

constexpr int64_t kGiveUpUs = 15 * kSecond;
constexpr int64_t kRestUs = 1 * kSecond;
constexpr int64_t kSweepGraceUs = 400 * kMillisecond;
constexpr uint64_t kStepsMax = 2'000'000;

}  // namespace

Cluster::Cluster(World& world) : world_(world) {
  for (int i = 0; i < world.scenario.taskmanagers; ++i) start_taskmanager();
  start_jobmanager();
  schedule_faults();
  world.events.at(world.scenario.faults_until_us, [this] { calm_down(); });
  if (!world.scenario.bounded) {
    world.events.at(world.scenario.command_us, [this] { command(); });
  }
  for (int i = 0; i < world.scenario.savepoints; ++i) {
    world.events.at(world.random.between(0, world.scenario.input_duration_us), [this] {
      if (leader_ && leader_->process().alive() && !leader_->process().stopped()) {
        leader_->request_savepoint(CheckpointKind::kSavepoint);
      }
    });
  }
  for (int i = 0; i < world_.scenario.rescales; ++i) {
    world_.events.at(world_.random.between(0, world_.scenario.input_duration_us),
                     [this] { rescale(); });
  }
}

void Cluster::rescale() {
  if (!leader_->process().alive() || leader_->process().stopped()) return;
  leader_->rescale(static_cast<int>(world_.random.between(1, world_.scenario.parallelism_max)));
}

void Cluster::start_taskmanager() {
  taskmanagers_.push_back(std::make_unique<SimulatedTaskManager>(
      world_, absl::StrCat("tm-", taskmanagers_.size() + 1), [this] { return leader_; }));
}

void Cluster::start_jobmanager() {
  jobmanagers_.push_back(std::make_unique<SimulatedJobManager>(
      world_, absl::StrCat("jm-", jobmanagers_.size() + 1), std::exchange(parallelism_, 0)));
  leader_ = jobmanagers_.back().get();
}

JobEnd Cluster::end() const {
  return leader_->end();
}

void Cluster::run() {
  int64_t ended_us = -1;
  int64_t rest_from_us = -1;
  while (world_.events.steps() < kStepsMax && world_.events.now_us() < kGiveUpUs) {
    if (world_.checker.failed()) return;
    if (!world_.events.step()) return;
    if (ended_us < 0 && end() != JobEnd::kRunning) ended_us = world_.events.now_us();
    if (rest_from_us >= 0) {
      if (world_.events.now_us() > rest_from_us + kRestUs) return lay_to_rest(ended_us);
    } else if (calm_ && leader_->end() != JobEnd::kRunning) {
      rest_from_us = world_.events.now_us();
    }
  }
}

// What a zombie opened in the job's last moments nobody sweeps any more: it ends by its timeout.
void Cluster::lay_to_rest(int64_t ended_us) {
  left_open_ = world_.kafka.open_since(ended_us - kSweepGraceUs);
  for (auto& taskmanager : taskmanagers_) taskmanager->process().kill();
  for (auto& jobmanager : jobmanagers_) jobmanager->process().kill();
  const int64_t until_us =
      world_.events.now_us() + world_.scenario.transaction_timeout_us + kRestUs;
  while (world_.events.now_us() < until_us && world_.events.step()) {
  }
}

void Cluster::schedule_faults() {
  const int64_t until_us = world_.scenario.faults_until_us;
  for (int i = 0; i < world_.scenario.fault_count; ++i) {
    world_.events.at(world_.random.between(0, until_us * 9 / 10), [this] { fault(); });
  }
  if (world_.scenario.long_outage) {
    // Most often while commits are stuck, so that prepared transactions are left behind.
    const int64_t start_us = world_.random.between(until_us / 10, until_us / 3);
    if (world_.random.chance(0.8)) {
      world_.events.at(start_us - 80 * kMillisecond,
                       [this] { world_.kafka.move_coordinators(100 * kMillisecond); });
    }
    world_.events.at(start_us, [this] { long_outage(); });
  }
}

void Cluster::fault() {
  if (calm_ || leader_->end() != JobEnd::kRunning) return;
  ++faults_;
  if (world_.scenario.two_leaders) return isolate_jobmanager();
  switch (world_.random.between(0, world_.scenario.kills_only ? 3 : 11)) {
    case 0:
    case 1:
      return kill_taskmanager();
    case 2:
      return kill_jobmanager();
    case 3:
      return kill_broker();
    case 4:
    case 5:
      return stop_taskmanager();
    case 6:
      return cut_taskmanager_off(false);
    case 7:
      return cut_taskmanager_off(true);
    case 8:
      return isolate_jobmanager();
    case 9:
      return world_.kafka.move_coordinators(world_.random.between(5, 100) * kMillisecond);
    case 10: {
      SimulatedTaskManager* taskmanager = any_taskmanager();
      if (taskmanager != nullptr) world_.network.break_connections(taskmanager->process());
      return;
    }
    default:
      // Several at once.
      kill_taskmanager();
      return kill_jobmanager();
  }
}

SimulatedTaskManager* Cluster::any_taskmanager() {
  std::vector<SimulatedTaskManager*> alive;
  for (auto& taskmanager : taskmanagers_) {
    if (taskmanager->process().alive() && !taskmanager->process().stopped()) {
      alive.push_back(taskmanager.get());
    }
  }
  return alive.empty() ? nullptr : world_.random.pick(alive);
}

void Cluster::kill_taskmanager() {
  SimulatedTaskManager* taskmanager = any_taskmanager();
  if (taskmanager == nullptr) return;
  taskmanager->process().kill();
  world_.network.process_died(taskmanager->process());
  world_.events.after(world_.random.between(5, 150) * kMillisecond,
                      [this] { start_taskmanager(); });
}

void Cluster::stop_taskmanager() {
  SimulatedTaskManager* taskmanager = any_taskmanager();
  if (taskmanager == nullptr) return;
  taskmanager->process().stop();
  // Somebody stands by, so the job may go on without the one that stands still.
  if (world_.random.chance(0.7)) start_taskmanager();
  world_.events.after(world_.random.between(50, 1000) * kMillisecond,
                      [taskmanager] { taskmanager->process().resume(); });
}

void Cluster::cut_taskmanager_off(bool from_kafka) {
  SimulatedTaskManager* taskmanager = any_taskmanager();
  if (taskmanager == nullptr) return;
  WEIR_TRACE(world_.events, taskmanager->name(),
             from_kafka ? "is cut off from Kafka" : "is cut off from the JobManager");
  const Process* other = from_kafka ? nullptr : &leader_->process();
  world_.network.cut(&taskmanager->process(), other,
                     world_.events.now_us() + world_.random.between(20, 700) * kMillisecond);
  if (!from_kafka && world_.random.chance(0.7)) start_taskmanager();
}

void Cluster::kill_jobmanager() {
  if (!leader_->process().alive()) return;
  leader_->process().kill();
  world_.network.process_died(leader_->process());
  if (world_.random.chance(0.5)) {
    parallelism_ = static_cast<int>(world_.random.between(1, world_.scenario.parallelism_max));
  }
  world_.events.after(world_.random.between(5, 200) * kMillisecond, [this, dead = leader_] {
    if (leader_ == dead) start_jobmanager();
  });
}

// Stands still, or is cut off from its TaskManagers, while another one takes over.
void Cluster::isolate_jobmanager() {
  SimulatedJobManager* old = leader_;
  if (!old->process().alive()) return;
  const int64_t back_us = world_.random.between(100, 900) * kMillisecond;
  if (world_.random.chance(0.5)) {
    old->process().stop();
    world_.events.after(back_us, [old] { old->process().resume(); });
  } else {
    WEIR_TRACE(world_.events, old->process().name(), "is cut off from all TaskManagers");
    for (auto& taskmanager : taskmanagers_) {
      world_.network.cut(&taskmanager->process(), &old->process(),
                         world_.events.now_us() + back_us);
    }
  }
  world_.events.after(world_.random.between(1, 100) * kMillisecond, [this, old] {
    if (leader_ == old) start_jobmanager();
  });
}

void Cluster::kill_broker() {
  const int broker = static_cast<int>(world_.random.between(0, world_.kafka.broker_count() - 1));
  if (!world_.kafka.broker_alive(broker)) return;
  world_.kafka.kill_broker(broker);
  world_.events.after(world_.random.between(10, 300) * kMillisecond,
                      [this, broker] { world_.kafka.start_broker(broker); });
}

// Nothing of the job lives for longer than its transactions may stay open.
void Cluster::long_outage() {
  if (leader_->end() != JobEnd::kRunning) return;
  ++faults_;
  WEIR_TRACE(world_.events, "cluster", "is down for a long time");
  for (auto& taskmanager : taskmanagers_) {
    taskmanager->process().kill();
    world_.network.process_died(taskmanager->process());
  }
  leader_->process().kill();
  world_.network.process_died(leader_->process());
  const int64_t down_us = world_.scenario.transaction_timeout_us + 200 * kMillisecond;
  world_.events.after(down_us, [this, dead = leader_] {
    if (world_.scenario.ids_expire) {
      world_.kafka.expire_ids(world_.scenario.transaction_timeout_us);
      world_.checker.ids_forgotten();
    }
    for (int i = 0; i < world_.scenario.taskmanagers; ++i) start_taskmanager();
    if (leader_ == dead) start_jobmanager();
  });
}

void Cluster::calm_down() {
  calm_ = true;
  WEIR_TRACE(world_.events, "cluster", "no more faults");
  world_.durable.heal();
  world_.network.calm_down();
  for (auto& taskmanager : taskmanagers_) taskmanager->process().resume();
  for (auto& jobmanager : jobmanagers_) jobmanager->process().resume();
  for (int broker = 0; broker < world_.kafka.broker_count(); ++broker) {
    if (!world_.kafka.broker_alive(broker)) world_.kafka.start_broker(broker);
  }
  if (!leader_->process().alive()) start_jobmanager();
  int alive = 0;
  for (auto& taskmanager : taskmanagers_) alive += taskmanager->process().alive() ? 1 : 0;
  for (; alive < world_.scenario.taskmanagers; ++alive) start_taskmanager();
}

void Cluster::command() {
  if (leader_->end() != JobEnd::kRunning || world_.checker.cancel_is_promised()) return;
  world_.events.after(150 * kMillisecond, [this] { command(); });
  if (!leader_->process().alive() || leader_->process().stopped()) return;
  if (world_.scenario.cancel) {
    leader_->cancel();
  } else {
    leader_->request_savepoint(CheckpointKind::kStopSavepoint);
  }
}

}  // namespace weir::simulation
