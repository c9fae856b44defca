#include "tests/simulation/task_manager.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/simulation/job_manager.h"

namespace weir::simulation {
namespace {

constexpr int64_t kHeartbeatUs = 40 * kMillisecond;
constexpr int64_t kRegisterRetryUs = 15 * kMillisecond;

}  // namespace

SimulatedTaskManager::SimulatedTaskManager(World& world, std::string name,
                                           std::function<SimulatedJobManager*()> leader)
    : world_(world),
      process_(world.events, std::move(name)),
      leader_(std::move(leader)),
      patience_us_(world.random.between(150, 900) * kMillisecond) {
  process_.after(world.random.between(0, 5000), [this] { look_for_leader(); });
  process_.after(kHeartbeatUs, [this] { beat(); });
}

void SimulatedTaskManager::look_for_leader() {
  process_.after(kRegisterRetryUs, [this] { look_for_leader(); });
  SimulatedJobManager* leader = leader_();
  if (stream_ != nullptr || leader == nullptr || !leader->process().alive()) return;
  stream_ = world_.network.connect(process_, leader->process());
  jobmanager_ = leader;
  heard();
  Connection* stream = stream_;
  stream->on_closed(Connection::kClient, [this, stream] {
    if (stream_ == stream) stream_lost();
  });
  tell([this, stream](SimulatedJobManager& jobmanager) { jobmanager.registered(*this, *stream); });
}

void SimulatedTaskManager::beat() {
  process_.after(kHeartbeatUs, [this] { beat(); });
  if (stream_ == nullptr) return;
  if (world_.events.now_us() - last_heard_us_ > patience_us_) {
    stream_->close(Connection::kClient);
    return stream_lost();
  }
  tell([this](SimulatedJobManager& jobmanager) { jobmanager.heartbeat(*this); });
}

void SimulatedTaskManager::stream_lost() {
  WEIR_TRACE(world_.events, name(), "has lost the JobManager");
  stream_ = nullptr;
  jobmanager_ = nullptr;
  cancel_everything();
}

void SimulatedTaskManager::cancel_everything() {
  for (RunningTask& running : tasks_) running.task->cancel();
  for (auto& sink : sinks_) sink->close();
  source_attempt_ = sink_attempt_ = Attempt(-1);
}

void SimulatedTaskManager::tell(std::function<void(SimulatedJobManager&)> message) {
  if (stream_ == nullptr) return;
  stream_->send(Connection::kClient,
                [jobmanager = jobmanager_, message = std::move(message)] { message(*jobmanager); });
}

// What began under one JobManager is reported to that one only: the next one counts attempts of its
// own.
SimulatedTaskManager::Teller SimulatedTaskManager::teller() {
  return [this, stream = stream_](std::function<void(SimulatedJobManager&)> message) {
    if (stream == stream_) tell(std::move(message));
  };
}

bool SimulatedTaskManager::accepts(LeaderEpoch epoch) {
  if (epoch < epoch_) return false;
  epoch_ = epoch;
  return true;
}

void SimulatedTaskManager::after(std::function<void()> work) {
  process_.after(world_.random.between(200, 4000), std::move(work));
}

void SimulatedTaskManager::deploy_coordinators(Attempt attempt,
                                               const std::vector<std::string>& uids) {
  const Teller report = teller();
  for (const std::string& uid : uids) {
    if (uid == kSourceUid) {
      source_attempt_ = attempt;
      source_.clear();
      after([report, attempt] {
        report([attempt](SimulatedJobManager& jobmanager) {
          jobmanager.validated(attempt, kSourceUid, 0);
        });
      });
      continue;
    }
    sink_attempt_ = attempt;
    sinks_.push_back(std::make_unique<SimulatedSinkCoordinator>(world_, process_));
    sinks_.back()->validate([report, attempt](uint64_t generation_max) {
      report([attempt, generation_max](SimulatedJobManager& jobmanager) {
        jobmanager.validated(attempt, kSinkUid, generation_max);
      });
    });
  }
}

void SimulatedTaskManager::recover_source(Attempt attempt, std::vector<SplitPosition> positions) {
  const Teller report = teller();
  if (attempt != source_attempt_) return;
  if (!positions.empty()) {
    source_ = std::move(positions);
    after([this, attempt] { source_restored(attempt); });
    return;
  }
  after([this, report, attempt] {
    source_.clear();
    for (int split = 0; split < world_.scenario.splits; ++split) {
      source_.push_back({split, world_.scenario.start_at_latest ? world_.input_end(split) : 0,
                         world_.scenario.bounded ? world_.input_total(split) : -1});
    }
    report([attempt, resolved = source_](SimulatedJobManager& jobmanager) {
      jobmanager.resolved(attempt, resolved);
    });
  });
}

void SimulatedTaskManager::resolved_durable(Attempt attempt) {
  if (attempt == source_attempt_) source_restored(attempt);
}

void SimulatedTaskManager::source_restored(Attempt attempt) {
  if (attempt != source_attempt_) return;
  tell([attempt](SimulatedJobManager& jobmanager) { jobmanager.recovered(attempt, kSourceUid); });
}

void SimulatedTaskManager::start_source(Attempt attempt) {
  const Teller report = teller();
  if (attempt != source_attempt_) return;
  after([this, report, attempt] {
    if (attempt != source_attempt_) return;
    report([attempt, splits = source_](SimulatedJobManager& jobmanager) {
      jobmanager.splits_assigned(attempt, splits);
    });
  });
}

void SimulatedTaskManager::recover_sink(Attempt attempt, SinkRecovery recovery) {
  const Teller report = teller();
  if (attempt != sink_attempt_) return;
  sinks_.back()->recover(
      std::move(recovery),
      [report, attempt](const Committable& committable, const CommitResult& result) {
        report([attempt, committable, result](SimulatedJobManager& jobmanager) {
          jobmanager.commit_reported(attempt, committable, result);
        });
      },
      [report, attempt] {
        report([attempt](SimulatedJobManager& jobmanager) {
          jobmanager.recovered(attempt, kSinkUid);
        });
      });
}

void SimulatedTaskManager::deploy_task(Attempt attempt, int subtask, pb::OperatorState restored) {
  const Teller report = teller();
  TaskReports reports;
  reports.running = [report, attempt, subtask] {
    report([=](SimulatedJobManager& jobmanager) { jobmanager.running(attempt, subtask); });
  };
  reports.drained = [report, attempt, subtask] {
    report([=](SimulatedJobManager& jobmanager) { jobmanager.drained(attempt, subtask); });
  };
  reports.failed = [report, attempt, subtask](const std::string& cause) {
    report([=](SimulatedJobManager& jobmanager) { jobmanager.failed(attempt, subtask, cause); });
  };
  reports.acknowledged = [report, attempt, subtask](CheckpointId checkpoint,
                                                    std::vector<pb::OperatorState> states) {
    report([=, states = std::move(states)](SimulatedJobManager& jobmanager) {
      jobmanager.acknowledged(attempt, subtask, checkpoint, states);
    });
  };
  reports.declined = [report, attempt, subtask](CheckpointId checkpoint) {
    report([=](SimulatedJobManager& jobmanager) {
      jobmanager.declined(attempt, subtask, checkpoint);
    });
  };
  reports.commit_result = [report, attempt](const Committable& committable,
                                            const CommitResult& result) {
    report([=](SimulatedJobManager& jobmanager) {
      jobmanager.commit_reported(attempt, committable, result);
    });
  };
  tasks_.push_back({attempt, subtask,
                    std::make_unique<SimulatedTask>(world_, process_, subtask, std::move(restored),
                                                    std::move(reports))});
  after([report, attempt, subtask] {
    report([=](SimulatedJobManager& jobmanager) { jobmanager.deployed(attempt, subtask); });
  });
}

template <typename Work>
void SimulatedTaskManager::each_task(Attempt attempt, Work work) {
  for (size_t i = 0; i < tasks_.size(); ++i) {
    if (tasks_[i].attempt == attempt && !tasks_[i].task->closed()) {
      work(*tasks_[i].task, tasks_[i].subtask);
    }
  }
}

SimulatedTask* SimulatedTaskManager::task(Attempt attempt, int subtask) {
  for (RunningTask& running : tasks_) {
    if (running.attempt == attempt && running.subtask == subtask) return running.task.get();
  }
  return nullptr;
}

void SimulatedTaskManager::start_tasks(Attempt attempt, uint64_t generation,
                                       const std::vector<SimulatedTask*>& peers) {
  const int64_t now_us = world_.events.now_us();
  if (world_.strikes(world_.scenario.cut_at_start)) {
    WEIR_TRACE(world_.events, name(), "is cut off while its tasks start");
    world_.network.cut(&process_, nullptr, now_us + world_.random.between(350, 600) * kMillisecond);
    world_.events.after(40 * kMillisecond, [this, now_us, other = jobmanager_] {
      world_.network.cut(&process_, &other->process(), now_us + kSecond);
    });
  }
  each_task(attempt, [&](SimulatedTask& task, int) { task.start(generation, peers); });
}

void SimulatedTaskManager::add_splits(Attempt attempt, int subtask,
                                      const std::vector<SplitPosition>& splits) {
  each_task(attempt, [&](SimulatedTask& task, int index) {
    if (index != subtask) return;
    task.add_splits(splits);
    task.no_more_splits();
  });
}

void SimulatedTaskManager::cancel_attempt(Attempt attempt) {
  // Of what is there when the message comes.
  const auto end = [this, report = teller(), attempt, tasks = tasks_.size(),
                    sinks = sinks_.size()] {
    for (size_t i = 0; i < tasks; ++i) {
      if (tasks_[i].attempt <= attempt) tasks_[i].task->cancel();
    }
    for (size_t i = 0; i < sinks; ++i) sinks_[i]->close();
    after([this, report, attempt] {
      report([this, attempt](SimulatedJobManager& jobmanager) {
        jobmanager.released(attempt, *this);
      });
    });
  };
  if (!world_.strikes(world_.scenario.stuck_cancels)) return end();
  WEIR_TRACE(world_.events, name(), absl::StrCat("is slow to cancel ", attempt.value()));
  process_.after(world_.random.between(50, 500) * kMillisecond, end);
}

void SimulatedTaskManager::trigger(Attempt attempt, CheckpointId checkpoint, bool stop_sources) {
  each_task(attempt, [&](SimulatedTask& task, int) { task.trigger(checkpoint, stop_sources); });
  if (attempt != source_attempt_ || source_.empty()) return;
  tell([attempt, checkpoint, positions = source_](SimulatedJobManager& jobmanager) {
    jobmanager.source_acknowledged(attempt, checkpoint, positions);
  });
}

void SimulatedTaskManager::notify_complete(Attempt attempt, CheckpointId checkpoint) {
  for (RunningTask& running : tasks_) {
    if (running.attempt == attempt) {
      running.task->notify_complete(checkpoint);
    } else if (world_.broken(Mutation::kNotifyAcrossAttempts)) {
      running.task->notify_foreign();
    }
  }
}

void SimulatedTaskManager::notify_aborted(Attempt attempt, CheckpointId checkpoint) {
  each_task(attempt, [&](SimulatedTask& task, int) { task.notify_aborted(checkpoint); });
}

void SimulatedTaskManager::notify_savepoint(Attempt attempt, CheckpointId savepoint) {
  each_task(attempt, [&](SimulatedTask& task, int) { task.notify_savepoint(savepoint); });
}

}  // namespace weir::simulation
