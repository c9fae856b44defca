#include "tests/simulation/job_manager.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/status.h"

namespace weir::simulation {
namespace {

constexpr int64_t kHeartbeatUs = 40 * kMillisecond;
constexpr int64_t kPatienceUs = 200 * kMillisecond;
constexpr int kLeaseBeats = 10;

pb::JobGraph make_graph(int parallelism) {
  pb::JobGraph graph;
  graph.set_format_version(1);
  graph.set_name("simulated");
  for (const auto& [kind, uid] :
       {std::pair(pb::JobGraph::SOURCE, kSourceUid), std::pair(pb::JobGraph::SINK, kSinkUid)}) {
    auto* node = graph.add_nodes();
    node->set_id(graph.nodes_size() - 1);
    node->set_kind(kind);
    node->set_name(uid);
    node->set_uid(uid);
    node->set_parallelism(parallelism);
    node->set_has_coordinator(true);
    node->set_has_committer(kind == pb::JobGraph::SINK);
    if (node->id() > 0) node->add_edges()->set_from(node->id() - 1);
  }
  return graph;
}

JobPlan make_plan(const pb::JobGraph& graph) {
  auto plan = JobPlan::make(graph);
  WEIR_CHECK_OK(plan);
  return *std::move(plan);
}

std::chrono::milliseconds milliseconds(int64_t us) {
  return std::chrono::milliseconds(us / kMillisecond);
}

JobIntent intent_of(pb::JobRecord::Intent intent) {
  switch (intent) {
    case pb::JobRecord::CANCEL:
      return JobIntent::kCancel;
    case pb::JobRecord::FINISH:
      return JobIntent::kFinish;
    case pb::JobRecord::FAIL:
      return JobIntent::kFail;
    default:
      return JobIntent::kRun;
  }
}

}  // namespace

std::string encode_positions(const std::vector<SplitPosition>& positions) {
  std::string text;
  for (const SplitPosition& position : positions) {
    absl::StrAppend(&text, text.empty() ? "" : ",", position.next, ":", position.stop);
  }
  return text;
}

std::vector<SplitPosition> decode_positions(const std::string& text) {
  std::vector<SplitPosition> positions;
  for (const auto& part : absl::StrSplit(text, ',', absl::SkipEmpty())) {
    const std::vector<std::string> numbers = absl::StrSplit(part, ':');
    positions.push_back(
        {static_cast<int>(positions.size()), std::stoll(numbers[0]), std::stoll(numbers[1])});
  }
  return positions;
}

void observe_start(Checker& checker, const std::string& state) {
  for (const SplitPosition& position : decode_positions(state)) {
    checker.start_offset(position.split, position.next);
  }
}

SimulatedJobManager::SimulatedJobManager(World& world, std::string name, int parallelism)
    : world_(world),
      process_(world.events, std::move(name)),
      parallelism_wanted_(parallelism),
      publisher_(world, process_, [this] { fenced(); }) {
  FixedDelayOptions restart;
  restart.attempts = 10'000;
  restart.delay = std::chrono::milliseconds(world.random.between(0, 1) * 20);
  strategy_ = make_fixed_delay(restart);
  WEIR_TRACE(world.events, process_.name(),
             absl::StrCat("leads with epoch ", publisher_.epoch().value()));
  publisher_.load([this] { start_job(); });
  process_.after(kHeartbeatUs, [this] { watch_members(); });
}

void SimulatedJobManager::start_job() {
  const pb::JobRecord& record = publisher_.record();
  int parallelism = parallelism_wanted_;
  if (parallelism == 0) {
    parallelism =
        record.has_graph() ? record.graph().nodes(0).parallelism() : world_.scenario.parallelism;
  }
  WEIR_TRACE(world_.events, process_.name(), absl::StrCat("has parallelism ", parallelism));
  const auto stored = world_.durable.ledger();
  if (stored && !world_.broken(Mutation::kLedgerIgnored)) {
    ledger_ = std::make_unique<TransactionLedger>(*stored);
    std::vector<CheckpointId> published;
    for (const auto& pointer : record.checkpoints())
      published.emplace_back(pointer.checkpoint_id());
    for (const auto& pointer : record.savepoints()) published.emplace_back(pointer.checkpoint_id());
    ledger_->drop_unpublished(published);
  } else {
    ledger_ = std::make_unique<TransactionLedger>(kJobId);
  }
  CheckpointOptions options;
  options.interval = milliseconds(world_.scenario.checkpoint_interval_us);
  options.timeout = milliseconds(world_.scenario.checkpoint_timeout_us);
  options.min_pause = milliseconds(world_.scenario.min_pause_us);
  options.max_concurrent = world_.scenario.concurrent_checkpoints;
  options.tolerable_failures = world_.scenario.tolerable_failures;
  CheckpointId next(record.next_checkpoint_id());
  if (world_.broken(Mutation::kCheckpointIdsAgain)) {
    next = record.checkpoints().empty()
               ? CheckpointId(1)
               : CheckpointId(record.checkpoints().rbegin()->checkpoint_id()).next();
  }
  checkpoints_ = std::make_unique<CheckpointCoordinator>(options, next, next);
  AttemptMachine::History history;
  history.intent = intent_of(record.intent());
  history.next_attempt = Attempt(record.attempt() + 1);
  history.ever_ran = record.generation() > 0;
  machine_ =
      std::make_unique<AttemptMachine>(make_plan(make_graph(parallelism)), history, *strategy_);
  apply(machine_->start());
}

void SimulatedJobManager::fenced() {
  WEIR_TRACE(world_.events, process_.name(), "sees that another JobManager leads, and ends");
  process_.kill();
  world_.network.process_died(process_);
}

// --- TaskManagers ---

void SimulatedJobManager::registered(SimulatedTaskManager& taskmanager, Connection& stream) {
  WEIR_TRACE(world_.events, process_.name(), absl::StrCat(taskmanager.name(), " registers"));
  if (members_.contains(taskmanager.name())) member_lost(taskmanager.name(), "registers again");
  members_[taskmanager.name()] = {&taskmanager, &stream, world_.events.now_us()};
  stream.on_closed(Connection::kServer, [this, name = taskmanager.name(), &stream] {
    const auto member = members_.find(name);
    if (member != members_.end() && member->second.stream == &stream) {
      member_lost(name, "its stream broke");
    }
  });
  grant_slots();
}

void SimulatedJobManager::heartbeat(SimulatedTaskManager& taskmanager) {
  const auto member = members_.find(taskmanager.name());
  if (member != members_.end()) member->second.last_heard_us = world_.events.now_us();
}

void SimulatedJobManager::watch_members() {
  // A leader looks after its leadership, but late: until then it believes in it.
  if (world_.durable.epoch() > publisher_.epoch() && ++beats_without_lease_ > kLeaseBeats) {
    return fenced();
  }
  process_.after(kHeartbeatUs, [this] { watch_members(); });
  std::vector<std::string> silent;
  for (const auto& [name, member] : members_) {
    if (world_.events.now_us() - member.last_heard_us > kPatienceUs) silent.push_back(name);
    tell(member.taskmanager, [](SimulatedTaskManager& taskmanager) { taskmanager.heard(); });
  }
  for (const std::string& name : silent) {
    members_.at(name).stream->close(Connection::kServer);
    member_lost(name, "is silent");
  }
}

void SimulatedJobManager::member_lost(const std::string& name, const std::string& cause) {
  WEIR_TRACE(world_.events, process_.name(), absl::StrCat(name, " is lost: ", cause));
  members_.erase(name);
  if (machine_) apply(machine_->taskmanager_lost(name, cause, world_.events.now()));
}

void SimulatedJobManager::tell(SimulatedTaskManager* taskmanager,
                               std::function<void(SimulatedTaskManager&)> message) {
  const auto member = members_.find(taskmanager->name());
  if (member == members_.end()) return;
  member->second.stream->send(
      Connection::kServer, [taskmanager, epoch = publisher_.epoch(), message = std::move(message)] {
        if (taskmanager->accepts(epoch)) message(*taskmanager);
      });
}

void SimulatedJobManager::tell_attempt(std::function<void(SimulatedTaskManager&)> message) {
  for (SimulatedTaskManager* participant : participants_) tell(participant, message);
}

// --- events into the cores ---

void SimulatedJobManager::cancel() {
  if (machine_) apply(machine_->cancel_requested());
}

void SimulatedJobManager::request_savepoint(CheckpointKind kind) {
  if (!running()) return;
  CheckpointDecisions decisions;
  // Refused while the job is ending: then it is asked for in vain.
  const auto id = checkpoints_->request(kind, "savepoints", world_.events.now(), decisions);
  if (id.ok()) apply(std::move(decisions));
}

void SimulatedJobManager::rescale(int parallelism) {
  if (!running() || rescale_) return;
  CheckpointDecisions decisions;
  const auto id =
      checkpoints_->request(CheckpointKind::kRescale, "", world_.events.now(), decisions);
  if (!id.ok()) return;
  rescale_ = {*id, make_graph(parallelism)};
  apply(std::move(decisions));
}

void SimulatedJobManager::rescaled() {
  const pb::JobGraph graph = std::exchange(rescale_, std::nullopt)->graph;
  WEIR_TRACE(world_.events, process_.name(),
             absl::StrCat("goes on at parallelism ", graph.nodes(0).parallelism()));
  apply(machine_->rescaled(make_plan(graph)));
}

void SimulatedJobManager::validated(Attempt attempt, const std::string& uid, uint64_t generation) {
  apply(machine_->coordinator_validated(attempt, uid, {}, generation));
}

void SimulatedJobManager::resolved(Attempt attempt, const std::vector<SplitPosition>& positions) {
  apply(machine_->coordinator_resolved(attempt, kSourceUid, encode_positions(positions)));
}

void SimulatedJobManager::recovered(Attempt attempt, const std::string& uid) {
  if (uid == kSinkUid && attempt == machine_->attempt() &&
      machine_->step() == AttemptStep::kRecovering) {
    const bool from_checkpoint = restored_ != nullptr;
    ledger_->on_recovered(
        from_checkpoint ? std::optional(CheckpointId(restored_->checkpoint_id())) : std::nullopt,
        world_.events.now_ms());
  }
  apply(machine_->coordinator_recovered(attempt, uid));
}

void SimulatedJobManager::splits_assigned(Attempt attempt,
                                          const std::vector<SplitPosition>& positions) {
  if (attempt != machine_->attempt()) return;
  const int parallelism = static_cast<int>(task_hosts_.size());
  for (int subtask = 0; subtask < parallelism; ++subtask) {
    std::vector<SplitPosition> own;
    for (const SplitPosition& position : positions) {
      if (position.split % parallelism == subtask) own.push_back(position);
    }
    tell(task_hosts_[static_cast<size_t>(subtask)],
         [attempt, subtask, own](SimulatedTaskManager& taskmanager) {
           taskmanager.add_splits(attempt, subtask, own);
         });
  }
}

void SimulatedJobManager::deployed(Attempt attempt, int subtask) {
  apply(machine_->task_deployed(attempt, {0, subtask}));
}

void SimulatedJobManager::running(Attempt attempt, int subtask) {
  apply(machine_->task_running(attempt, {0, subtask}));
}

void SimulatedJobManager::drained(Attempt attempt, int subtask) {
  apply(machine_->task_drained(attempt, {0, subtask}));
}

void SimulatedJobManager::failed(Attempt attempt, int subtask, const std::string& cause) {
  apply(machine_->failed(attempt, {machine_->plan().task_name({0, subtask}), cause, false},
                         world_.events.now()));
}

void SimulatedJobManager::released(Attempt attempt, SimulatedTaskManager& taskmanager) {
  apply(machine_->attempt_released(attempt, taskmanager.name()));
}

void SimulatedJobManager::acknowledged(Attempt attempt, int subtask, CheckpointId checkpoint,
                                       std::vector<pb::OperatorState> states) {
  apply(checkpoints_->on_task_acknowledged(attempt, {0, subtask}, checkpoint, std::move(states),
                                           world_.events.now()));
}

void SimulatedJobManager::source_acknowledged(Attempt attempt, CheckpointId checkpoint,
                                              const std::vector<SplitPosition>& positions) {
  apply(checkpoints_->on_coordinator_acknowledged(
      attempt, kSourceUid, checkpoint, encode_positions(positions), world_.events.now()));
}

void SimulatedJobManager::declined(Attempt attempt, int subtask, CheckpointId checkpoint) {
  apply(checkpoints_->on_declined(attempt, {0, subtask}, checkpoint, "declined",
                                  world_.events.now()));
}

void SimulatedJobManager::commit_reported(Attempt attempt, const Committable& committable,
                                          const CommitResult& result) {
  if (attempt != machine_->attempt()) return;
  const bool lost = result.status == CommitStatus::kLost;
  if (!ledger_->record_outcome(kSinkUid, committable.transaction,
                               lost ? pb::LedgerEntry::LOST : pb::LedgerEntry::COMMITTED,
                               result.message, world_.events.now_ms())) {
    return;
  }
  if (!lost) {
    world_.checker.reported_committed(committable.transaction);
    return check_final_commits();
  }
  world_.checker.reported_lost(committable.transaction);
  last_fault_ = absl::StrCat("lost ", committable.transaction, ": ", result.message);
  // An attempt that only settles goes on: the others are still to be committed or fenced.
  if (machine_->settling()) return check_final_commits();
  apply(machine_->failed(attempt, {"sink", last_fault_, true}, world_.events.now()));
}

void SimulatedJobManager::check_final_commits() {
  if (!last_checkpoint_ || machine_->step() != AttemptStep::kFinishing) return;
  if (ledger_->open_of(*last_checkpoint_) > 0 && !world_.broken(Mutation::kFinishBeforeCommitted)) {
    return;
  }
  apply(machine_->final_commits_known(machine_->attempt()));
}

}  // namespace weir::simulation
