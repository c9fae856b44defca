#include "jobmanager/job/dispatcher.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/config_options.h"
#include "common/log.h"
#include "common/status.h"
#include "jobmanager/checkpoint/checkpoint_loader.h"
#include "jobmanager/checkpoint/checkpoint_publisher.h"
#include "jobmanager/job/job_options.h"
#include "jobmanager/plan/max_parallelism.h"

namespace weir {

namespace {

bool is_terminal(const std::string& state) {
  return state == "FINISHED" || state == "CANCELED" || state == "FAILED";
}

// Heartbeats bring the tasks' figures, which people look at.
constexpr std::chrono::milliseconds kMetricsInterval{1000};

// From a library's upload to the submission of its job.
constexpr std::chrono::minutes kSubmissionPatience{10};

std::pair<std::string, Attempt> parse_allocation(const std::string& name) {
  const size_t slash = name.find('/');
  return {name.substr(0, slash), Attempt(std::stoi(name.substr(slash + 1)))};
}

std::string data_address(const pb::RegisterTaskManager& taskmanager) {
  return absl::StrCat(taskmanager.host(), ":", taskmanager.data_port());
}

std::function<double()> make_random(uint64_t seed) {
  return [engine = std::mt19937_64(seed)]() mutable {
    return std::uniform_real_distribution<double>(-1, 1)(engine);
  };
}

}  // namespace

Dispatcher::Dispatcher(Config config, MetadataStore& store, const Clock& clock,
                       MailboxFactory make_mailbox, std::string checkpoint_folder)
    : config_(std::move(config)),
      store_(store),
      clock_(clock),
      make_mailbox_(std::move(make_mailbox)),
      checkpoint_folder_(std::move(checkpoint_folder)),
      liveness_(config_.get(options::kHeartbeatTimeout)),
      io_(make_mailbox_("jm-io")),
      mailbox_(make_mailbox_("jm-dispatcher")) {}

Dispatcher::~Dispatcher() {
  shutdown();
}

Dispatcher::Job::~Job() {
  // The writer posts into the controller's mailbox, which therefore ends after it.
  writer_mailbox->shutdown(Mailbox::Pending::kDrain);
  mailbox->shutdown(Mailbox::Pending::kDrain);
}

absl::Status Dispatcher::start() {
  WEIR_ASSIGN_OR_RETURN(const std::vector<VersionedJobRecord> records, store_.read_all());
  for (const VersionedJobRecord& stored : records) {
    mailbox_->post([this, stored] {
      const absl::Status status = take_up(stored);
      if (status.ok()) return;
      WEIR_LOG_ERROR(LogContext{}, "can't take up job {}: {}", stored.record.job_id(),
                     std::string(status.message()));
      pb::JobDetails& details = ended_[stored.record.job_id()];
      details.mutable_status()->set_job_id(stored.record.job_id());
      details.mutable_status()->set_name(stored.record.graph().name());
      details.mutable_status()->set_state("SUSPENDED");
      details.mutable_status()->set_detail(std::string(status.message()));
      details.mutable_status()->set_start_time_ms(stored.record.start_time_ms());
    });
  }
  mailbox_->post([this] {
    forget_old_jobs();
    clean_up_libraries();
    send_heartbeats();
  });
  return absl::OkStatus();
}

void Dispatcher::shutdown() {
  io_->shutdown(Mailbox::Pending::kDrop);
  mailbox_->shutdown(Mailbox::Pending::kDrop);
  jobs_.clear();  // nobody else can see them any more
}

absl::Status Dispatcher::take_up(const VersionedJobRecord& stored) {
  const pb::JobRecord& record = stored.record;
  WEIR_ASSIGN_OR_RETURN(JobPlan plan, JobPlan::make(record.graph()));
  if (is_terminal(record.state())) {
    ended_[record.job_id()] = details_of(record, plan);
    return absl::OkStatus();
  }
  WEIR_ASSIGN_OR_RETURN(JobOptions job_options,
                        make_job_options(config_, record.graph(), checkpoint_folder_));
  WEIR_ASSIGN_OR_RETURN(TransactionLedger ledger,
                        load_ledger(job_options.checkpoint_folder, record.job_id()));
  std::vector<CheckpointId> published;
  for (const auto& pointer : record.checkpoints()) published.emplace_back(pointer.checkpoint_id());
  for (const auto& pointer : record.savepoints()) published.emplace_back(pointer.checkpoint_id());
  if (record.has_restored_from()) {
    published.emplace_back(record.restored_from().checkpoint_id());
  }
  ledger.drop_unpublished(published);
  WEIR_RETURN_IF_ERROR(claim(
      record.job_id(), {record.exclusive_resources().begin(), record.exclusive_resources().end()}));
  LogContext context;
  context.job = JobId::parse(record.job_id());
  WEIR_LOG_INFO(context, "takes up the job '{}' after attempt {}", record.graph().name(),
                record.attempt());
  VersionedJobRecord taken_up = stored;
  if (record.max_parallelism() == 0) {  // written before jobs had key groups
    taken_up.record.set_max_parallelism(default_max_parallelism(record.graph()));
  }
  add_job(std::move(taken_up), std::move(plan), std::move(job_options), std::move(ledger));
  return absl::OkStatus();
}

void Dispatcher::add_job(VersionedJobRecord stored, JobPlan plan, JobOptions job_options,
                         TransactionLedger ledger) {
  const std::string job_id = stored.record.job_id();
  auto job = std::make_unique<Job>();
  job->name = stored.record.graph().name();
  job->mailbox = make_mailbox_("jm-job");
  job->writer_mailbox = make_mailbox_("jm-writer");
  job->writer = std::make_unique<JobRecordWriter>(store_, stored, *job->writer_mailbox);
  auto strategy = make_restart_strategy(job_options, make_random(random_()));
  job->controller = std::make_unique<JobController>(
      JobEnvironment{*job->mailbox, *job->writer, connections_, *this, clock_,
                     store_.leader_epoch()},
      std::move(stored.record), std::move(plan), std::move(job_options), std::move(strategy),
      std::move(ledger));
  jobs_[job_id] = std::move(job);
  post_to(job_id, [](JobController& controller) { controller.start(); });
}

void Dispatcher::post_to(const std::string& job_id, absl::AnyInvocable<void(JobController&)> task) {
  const auto it = jobs_.find(job_id);
  if (it == jobs_.end()) return;
  it->second->mailbox->post([controller = it->second->controller.get(),
                             task = std::move(task)]() mutable { task(*controller); });
}

absl::Status Dispatcher::accept(absl::AnyInvocable<void()> task) {
  const absl::Status accepted = mailbox_->try_post(std::move(task));
  if (absl::IsResourceExhausted(accepted)) {
    WEIR_LOG_WARN(LogContext{}, "drops a message: {}", std::string(accepted.message()));
  }
  return accepted;
}

absl::Status Dispatcher::accept_for(const std::string& job_id,
                                    absl::AnyInvocable<void(JobController&)> task) {
  const auto it = jobs_.find(job_id);
  if (it == jobs_.end()) return absl::OkStatus();
  const absl::Status accepted =
      it->second->mailbox->try_post([controller = it->second->controller.get(),
                                     task = std::move(task)]() mutable { task(*controller); });
  if (accepted.ok()) return accepted;
  WEIR_LOG_WARN(LogContext{}, "job {}: drops a message: {}", job_id,
                std::string(accepted.message()));
  return Annotate(accepted, absl::StrCat("job ", job_id));
}

// --- TaskManagers ---

absl::Status Dispatcher::register_taskmanager(uint64_t session,
                                              pb::RegisterTaskManager registration,
                                              TaskManagerConnections::Connection connection) {
  return accept([this, session, registration = std::move(registration),
                 connection = std::move(connection)]() mutable {
    const std::string id = registration.taskmanager_id();
    if (taskmanagers_.contains(id)) lose_taskmanager(id, "it registered again");
    WEIR_LOG_INFO(LogContext{}, "TaskManager {} registers: {} slots, host {}, pid {}", id,
                  registration.slots(), registration.host(), registration.pid());
    pb::ToTaskManager welcome;
    welcome.set_leader_epoch(store_.leader_epoch().value());
    welcome.mutable_registered()->set_heartbeat_interval_ms(
        std::min(config_.get(options::kHeartbeatInterval), kMetricsInterval).count());
    welcome.mutable_registered()->set_heartbeat_timeout_ms(
        config_.get(options::kHeartbeatTimeout).count());
    (void)connection->send(std::move(welcome));
    connections_.add(id, connection);
    slots_.add_taskmanager(id, registration.slots());
    liveness_.heard(id, clock_.now());
    taskmanager_of_session_[session] = id;
    taskmanagers_[id] = {session, std::move(registration), std::move(connection),
                         to_unix_ms(clock_.wall_now()), 0};
    check_liveness();
    advance_slots();
  });
}

const Dispatcher::TaskManager* Dispatcher::find_session(uint64_t session) const {
  const auto id = taskmanager_of_session_.find(session);
  if (id == taskmanager_of_session_.end()) return nullptr;
  const auto it = taskmanagers_.find(id->second);
  return it == taskmanagers_.end() || it->second.session != session ? nullptr : &it->second;
}

namespace {

// The job that a message is about; "" for others.
std::string job_of(const pb::FromTaskManager& message) {
  switch (message.message_case()) {
    case pb::FromTaskManager::kCoordinatorValidated:
      return message.coordinator_validated().coordinator().job_id();
    case pb::FromTaskManager::kCoordinatorResolved:
      return message.coordinator_resolved().coordinator().job_id();
    case pb::FromTaskManager::kCoordinatorRecovered:
      return message.coordinator_recovered().coordinator().job_id();
    case pb::FromTaskManager::kCoordinatorFailed:
      return message.coordinator_failed().coordinator().job_id();
    case pb::FromTaskManager::kTaskStateChanged:
      return message.task_state_changed().task().job_id();
    case pb::FromTaskManager::kAcknowledgeCheckpoint:
      return message.acknowledge_checkpoint().task().job_id();
    case pb::FromTaskManager::kAcknowledgeCoordinatorCheckpoint:
      return message.acknowledge_coordinator_checkpoint().coordinator().job_id();
    case pb::FromTaskManager::kDeclineCheckpoint:
      return message.decline_checkpoint().task().job_id();
    case pb::FromTaskManager::kCommitReported:
      return message.commit_reported().job_id();
    case pb::FromTaskManager::kSourceEvent:
      return message.source_event().coordinator().job_id();
    case pb::FromTaskManager::kAttemptReleased:
      return message.attempt_released().job_id();
    case pb::FromTaskManager::kTasksReleased:
      return message.tasks_released().job_id();
    default:
      return "";
  }
}

}  // namespace

absl::Status Dispatcher::on_taskmanager_message(uint64_t session, pb::FromTaskManager message) {
  return accept([this, session, message = std::move(message)]() mutable {
    const TaskManager* known = find_session(session);
    if (known == nullptr || message.leader_epoch() != store_.leader_epoch().value()) return;
    const std::string id = known->registration.taskmanager_id();
    liveness_.heard(id, clock_.now());
    if (message.has_heartbeat()) {
      TaskManager& taskmanager = taskmanagers_[id];
      taskmanager.last_heartbeat_ms = to_unix_ms(clock_.wall_now());
      taskmanager.memory_bytes = message.heartbeat().memory_bytes();
      for (const pb::TaskMetrics& metrics : message.heartbeat().tasks()) {
        // The next heartbeat brings them again.
        (void)accept_for(metrics.task().job_id(),
                         [metrics](JobController& controller) { controller.on_metrics(metrics); });
      }
      for (const pb::CoordinatorMetrics& metrics : message.heartbeat().coordinators()) {
        (void)accept_for(metrics.coordinator().job_id(),
                         [metrics](JobController& controller) { controller.on_metrics(metrics); });
      }
      return;
    }
    const std::string job_id = job_of(message);
    const absl::Status accepted =
        accept_for(job_id, [id, message = std::move(message)](JobController& controller) {
          controller.on_message(id, message);
        });
    if (!accepted.ok()) lose_taskmanager(id, std::string(accepted.message()));
  });
}

void Dispatcher::on_taskmanager_closed(uint64_t session, const std::string& cause) {
  mailbox_->post([this, session, cause] {
    if (const TaskManager* known = find_session(session)) {
      lose_taskmanager(known->registration.taskmanager_id(),
                       absl::StrCat("its connection closed: ", cause));
    }
    taskmanager_of_session_.erase(session);
  });
}

void Dispatcher::lose_taskmanager(std::string id, const std::string& cause) {
  const auto it = taskmanagers_.find(id);
  WEIR_LOG_WARN(LogContext{}, "TaskManager {} is lost: {}", id, cause);
  taskmanager_of_session_.erase(it->second.session);
  it->second.connection->cancel(absl::UnavailableError(cause));
  taskmanagers_.erase(it);
  connections_.remove(id);
  slots_.remove_taskmanager(id);
  liveness_.forget(id);
  for (const auto& [job_id, job] : jobs_) {
    post_to(job_id,
            [id, cause](JobController& controller) { controller.taskmanager_lost(id, cause); });
  }
}

void Dispatcher::send_heartbeats() {
  pb::ToTaskManager message;
  message.set_leader_epoch(store_.leader_epoch().value());
  message.mutable_heartbeat()->set_sequence(++heartbeat_sequence_);
  for (const auto& [job_id, job] : jobs_) message.mutable_heartbeat()->add_job_ids(job_id);
  for (const auto& [id, taskmanager] : taskmanagers_) connections_.send(id, message);
  mailbox_->post_after(config_.get(options::kHeartbeatInterval), [this] { send_heartbeats(); });
}

void Dispatcher::check_liveness() {
  mailbox_->cancel_timer(liveness_timer_);
  for (const Liveness::Silent& silent : liveness_.expire(clock_.now())) {
    lose_taskmanager(silent.taskmanager,
                     absl::StrCat("silent for ", silent.age.count(), " ms (heartbeat.timeout)"));
  }
  if (const auto next = liveness_.next_wakeup()) {
    liveness_timer_ =
        mailbox_->post_after(std::max(MonotonicTime::duration::zero(), *next - clock_.now()),
                             [this] { check_liveness(); });
  }
}

// --- JobServices ---

std::vector<std::string> Dispatcher::allocations_up_to(const std::string& job_id,
                                                       Attempt attempt) const {
  std::vector<std::string> names;
  for (const std::string& name : slots_.allocations(allocation_prefix(job_id))) {
    if (parse_allocation(name).second <= attempt) names.push_back(name);
  }
  return names;
}

void Dispatcher::request_slots(const std::string& job_id, Attempt attempt, int32_t count,
                               std::chrono::milliseconds timeout) {
  mailbox_->post([=, this] {
    std::vector<std::string> preferred;
    if (const auto job = jobs_.find(job_id); job != jobs_.end()) {
      preferred = job->second->taskmanagers;
    }
    // Another number of slots is another distribution of the state.
    if (preferred.size() != static_cast<size_t>(count)) preferred.clear();
    slots_.request(allocation(job_id, attempt), count, clock_.now() + timeout, timeout,
                   std::move(preferred));
    advance_slots();
  });
}

void Dispatcher::release_slots(const std::string& job_id, Attempt attempt,
                               const std::string& taskmanager) {
  mailbox_->post([=, this] {
    for (const std::string& name : allocations_up_to(job_id, attempt)) {
      slots_.release(name, taskmanager);
    }
    advance_slots();
  });
}

void Dispatcher::release_all_slots(const std::string& job_id, Attempt attempt) {
  mailbox_->post([=, this] {
    for (const std::string& name : allocations_up_to(job_id, attempt)) slots_.release_all(name);
    advance_slots();
  });
}

void Dispatcher::return_slots(const std::string& job_id, Attempt attempt) {
  mailbox_->post([=, this] {
    slots_.release_all(allocation(job_id, attempt));
    advance_slots();
  });
}

void Dispatcher::advance_slots() {
  for (SlotPool::Decision& decision : slots_.advance(clock_.now())) {
    const std::string& name = std::visit([](const auto& d) { return d.allocation; }, decision);
    const auto [job_id, attempt] = parse_allocation(name);
    if (auto* granted = std::get_if<SlotPool::Granted>(&decision)) {
      if (const auto job = jobs_.find(job_id); job != jobs_.end()) {
        job->second->taskmanagers = granted->taskmanagers;
      }
      std::vector<GrantedSlot> slots;
      for (const std::string& id : granted->taskmanagers) {
        slots.push_back({id, data_address(taskmanagers_[id].registration)});
      }
      post_to(job_id, [attempt = attempt, slots = std::move(slots)](JobController& controller) {
        controller.slots_granted(attempt, slots);
      });
    } else {
      post_to(job_id, [attempt = attempt, cause = std::get<SlotPool::Refused>(decision).cause](
                          JobController& controller) { controller.slots_refused(attempt, cause); });
    }
  }
  mailbox_->cancel_timer(slot_timer_);
  if (const auto next = slots_.next_wakeup()) {
    slot_timer_ =
        mailbox_->post_after(std::max(MonotonicTime::duration::zero(), *next - clock_.now()),
                             [this] { advance_slots(); });
  }
}

void Dispatcher::claim_resources(const std::string& job_id, std::vector<std::string> resources) {
  mailbox_->post([this, job_id, resources = std::move(resources)] {
    const absl::Status claimed = claim(job_id, resources);
    post_to(job_id, [claimed](JobController& controller) {
      if (claimed.ok()) {
        controller.resources_granted();
      } else {
        controller.resources_refused(std::string(claimed.message()));
      }
    });
  });
}

absl::Status Dispatcher::claim(const std::string& job_id,
                               const std::vector<std::string>& resources) {
  for (const std::string& resource : resources) {
    const auto holder = resource_holders_.find(resource);
    if (holder == resource_holders_.end() || holder->second == job_id) continue;
    const auto job = jobs_.find(holder->second);
    return absl::FailedPreconditionError(
        absl::StrCat(resource, " is used by job ", holder->second,
                     job == jobs_.end() ? "" : absl::StrCat(" ('", job->second->name, "')"),
                     ": choose another one for this job, or end that job first"));
  }
  for (const std::string& resource : resources) resource_holders_[resource] = job_id;
  return absl::OkStatus();
}

void Dispatcher::job_terminated(const std::string& job_id, pb::JobDetails details) {
  mailbox_->post([this, job_id, details = std::move(details)]() mutable {
    std::erase_if(resource_holders_, [&](const auto& held) { return held.second == job_id; });
    ended_[job_id] = std::move(details);
    jobs_.erase(job_id);
    forget_old_jobs();
    clean_up_libraries();
  });
}

void Dispatcher::forget_old_jobs() {
  std::vector<std::pair<int64_t, std::string>> by_end;
  for (const auto& [job_id, details] : ended_) {
    // One that couldn't be taken up has no end: its record is all that is left of it.
    if (is_terminal(details.status().state())) {
      by_end.emplace_back(details.status().end_time_ms(), job_id);
    }
  }
  const auto capacity = static_cast<size_t>(config_.get(options::kJobStoreCapacity));
  if (by_end.size() <= capacity) return;
  std::sort(by_end.begin(), by_end.end());
  by_end.resize(by_end.size() - capacity);
  for (const auto& [end_ms, job_id] : by_end) {
    ended_.erase(job_id);
    io_->post([this, job_id = job_id] {
      if (const absl::Status forgotten = forget(job_id); !forgotten.ok()) {
        WEIR_LOG_WARN(LogContext{}, "job {}: {}", job_id, std::string(forgotten.message()));
      }
    });
  }
}

// Its folder first: without the record nobody would find it.
absl::Status Dispatcher::forget(const std::string& job_id) {
  WEIR_ASSIGN_OR_RETURN(const VersionedJobRecord stored, store_.read(job_id));
  WEIR_ASSIGN_OR_RETURN(const JobOptions job_options,
                        make_job_options(config_, stored.record.graph(), checkpoint_folder_));
  const std::string& folder = job_options.checkpoint_folder;
  WEIR_RETURN_IF_ERROR(
      clean_up(stored.record, folder, keeps_checkpoints(stored.record, job_options)));
  WEIR_RETURN_IF_ERROR(delete_job_folder(job_id, folder));
  return store_.remove(job_id);
}

void Dispatcher::clean_up_libraries() {
  io_->post([this] {
    if (const absl::Status removed = remove_unneeded_libraries(); !removed.ok()) {
      WEIR_LOG_WARN(LogContext{}, "job libraries: {}", std::string(removed.message()));
    }
  });
}

absl::Status Dispatcher::remove_unneeded_libraries() {
  std::erase_if(uploaded_, [&](const auto& upload) {
    return clock_.now() - upload.second > kSubmissionPatience;
  });
  std::set<std::string> needed;
  for (const auto& [sha256, time] : uploaded_) needed.insert(sha256);
  WEIR_ASSIGN_OR_RETURN(const std::vector<VersionedJobRecord> records, store_.read_all());
  for (const VersionedJobRecord& stored : records) {
    const pb::JobRecord& record = stored.record;
    if (!is_terminal(record.state())) needed.insert(record.graph().library_sha256());
  }
  return store_.remove_libraries_except(needed);
}

}  // namespace weir
