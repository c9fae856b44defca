#include "taskmanager/task/task.h"

#include <pthread.h>

#include <utility>

#include "common/check.h"
#include "common/clock.h"
#include "common/fault_point.h"
#include "proto/control.pb.h"
#include "weir/error.h"

namespace weir {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""h;

// A post wakes the reader, so this bounds only the harm of a reader that misses a wake-up.
constexpr auto kPollWait = 100ms;
// Writers can't say when they take records again, so they are asked.
constexpr auto kWritablePollInterval = 1ms;

uint64_t microseconds_since(MonotonicTime begin) {
  return std::chrono::duration_cast<std::chrono::microseconds>(SystemClock::instance().now() -
                                                               begin)
      .count();
}

// Only the task's thread writes, so no read-modify-write is needed.
void add(std::atomic<uint64_t>& counter, uint64_t value) {
  counter.store(counter.load(std::memory_order_relaxed) + value, std::memory_order_relaxed);
}

void throw_fault(const absl::Status& status) {
  if (!status.ok()) throw Error(std::string(status.message()));
}

}  // namespace

Task::Task(Options options)
    : options_(std::move(options)), mailbox_({.name = options_.spec.name, .wakeup = [this] {
                                                MutexLock lock(wake_up_mutex_);
                                                if (wakeable_ != nullptr) wakeable_->wake_up();
                                              }}) {
  thread_ = std::thread([this] { run(); });
}

Task::~Task() {
  cancel();
  thread_.join();
}

void Task::start(Generation generation) {
  post([this, generation] { open(generation); });
}

void Task::on_source_event(pb::SourceEvent event) {
  post([this, event = std::move(event)] {
    if (state_ == TaskState::kRunning) source_->on_event(event);
    idle_ = false;
  });
}

void Task::trigger_checkpoint(CheckpointTrigger trigger) {
  post([this, trigger] { take_checkpoint(trigger); });
}

void Task::notify_checkpoint_complete(CheckpointId checkpoint) {
  post([this, checkpoint] { on_complete(checkpoint); });
}

void Task::cancel() {
  cancelled_ = true;
  post([this] { transition(TaskState::kCanceled); });
}

pb::TaskId Task::id() const {
  pb::TaskId id;
  id.set_job_id(options_.spec.attempt.job_id);
  id.set_attempt(options_.spec.attempt.attempt);
  id.set_vertex(options_.spec.vertex);
  id.set_subtask(options_.spec.subtask);
  return id;
}

pb::TaskMetrics Task::metrics() const {
  pb::TaskMetrics metrics;
  *metrics.mutable_task() = id();
  metrics.set_records_in(counters_.records_in);
  metrics.set_records_out(counters_.records_out);
  metrics.set_bytes_in(counters_.bytes_in);
  metrics.set_bytes_out(counters_.bytes_out);
  metrics.set_busy_ms(counters_.busy_us / 1000);
  metrics.set_idle_ms(counters_.idle_us / 1000);
  metrics.set_backpressured_ms(counters_.backpressured_us / 1000);
  for (const auto& [name, value] : gauges_.snapshot()) (*metrics.mutable_gauges())[name] = value;
  return metrics;
}

void Task::run() {
  pthread_setname_np(pthread_self(), options_.spec.name.substr(0, 15).c_str());
  guard([&] { build(); });
  while (!is_terminal(state_)) {
    mailbox_.run_pending();
    if (is_terminal(state_)) break;
    if (state_ == TaskState::kRunning && !stopped_) {
      read_batch();
    } else {
      mailbox_.run_one(1h);
    }
  }
  release_resources();
  options_.on_ended();
}

void Task::build() {
  const TaskSpec& spec = options_.spec;
  const StreamGraph graph = options_.build_graph();
  chain_ = std::make_unique<TaskChain>(graph, spec.chain);
  source_ = std::make_unique<SourceDriver>(chain_->source(), spec.attempt, spec.subtask,
                                           spec.parallelism, cancelled_, gauges_, *options_.sender);
  for (TaskChain::Function& function : chain_->functions()) {
    function_contexts_.push_back(std::make_unique<AttemptContext<RuntimeContext>>(
        spec.attempt, function.uid, spec.subtask, spec.parallelism, cancelled_, gauges_));
  }
  for (TaskChain::Sink& sink : chain_->sinks()) {
    sinks_.push_back(std::make_unique<SinkDriver>(
        sink, spec.attempt, spec.subtask, spec.parallelism, cancelled_, gauges_, *options_.sender,
        [this](absl::AnyInvocable<void()> function) { post(std::move(function)); },
        options_.commit_backoff));
  }
  transition(TaskState::kDeployed);
  WEIR_FAULT_POINT("task.deployed");
}

void Task::open(Generation generation) {
  if (state_ != TaskState::kDeployed) return;
  throw_fault(WEIR_FAULT_POINT_STATUS("task.before_start"));
  for (auto& sink : sinks_) sink->open(generation.value());
  for (size_t i = 0; i < function_contexts_.size(); ++i) {
    function_contexts_[i]->set_generation(generation.value());
    chain_->functions()[i].function->open(*function_contexts_[i]);
  }
  source_->open(generation.value());
  opened_ = true;
  {
    MutexLock lock(wake_up_mutex_);
    wakeable_ = source_.get();
  }
  transition(TaskState::kRunning);
}

void Task::read_batch() {
  bool writable = true;
  guard([&] {
    for (auto& sink : sinks_) writable = sink->writable() && writable;
  });
  if (is_terminal(state_)) return;
  if (!writable) {
    const MonotonicTime begin = SystemClock::instance().now();
    mailbox_.run_one(kWritablePollInterval);
    add(counters_.backpressured_us, microseconds_since(begin));
    return;
  }
  guard([&] { poll_source(); });
}

void Task::poll_source() {
  const MonotonicTime begin = SystemClock::instance().now();
  const PollStatus status = source_->poll(idle_ ? kPollWait : 0ms);
  finish_batch();
  // A poll that waited isn't work, even if it brought something in the end.
  add(idle_ ? counters_.idle_us : counters_.busy_us, microseconds_since(begin));
  idle_ = status == PollStatus::kIdle;
  if (status == PollStatus::kEndOfInput) transition(TaskState::kDrained);
}

void Task::finish_batch() {
  chain_->end_batch();
  const IoCounts in = source_->io_counts();
  counters_.records_in.store(in.records, std::memory_order_relaxed);
  counters_.bytes_in.store(in.bytes, std::memory_order_relaxed);
  IoCounts out;
  for (const auto& sink : sinks_) {
    const IoCounts written = sink->io_counts();
    out.records += written.records;
    out.bytes += written.bytes;
  }
  counters_.records_out.store(out.records, std::memory_order_relaxed);
  counters_.bytes_out.store(out.bytes, std::memory_order_relaxed);
}

void Task::take_checkpoint(const CheckpointTrigger& trigger) {
  if (!takes_checkpoints()) {
    decline(trigger, "the task is " + std::string(to_string(state_)));
    return;
  }
  if (last_checkpoint_ && trigger.checkpoint <= *last_checkpoint_) return;
  last_checkpoint_ = trigger.checkpoint;
  const auto failure = run_user_code([&] { snapshot_and_acknowledge(trigger); });
  if (!failure) return;
  if (!cancelled_) decline(trigger, failure->cause);
  fail({"checkpoint " + to_string(trigger.checkpoint) + ": " + failure->cause, failure->fatal});
}

void Task::snapshot_and_acknowledge(const CheckpointTrigger& trigger) {
  const int64_t start_delay_ms =
      to_unix_ms(SystemClock::instance().wall_now()) - trigger.trigger_time_ms;
  const MonotonicTime begin = SystemClock::instance().now();
  throw_fault(WEIR_FAULT_POINT_STATUS("task.barrier_received"));
  pb::FromTaskManager message;
  pb::AcknowledgeCheckpoint& acknowledge = *message.mutable_acknowledge_checkpoint();
  *acknowledge.mutable_task() = id();
  acknowledge.set_checkpoint_id(trigger.checkpoint.value());
  source_->snapshot(trigger.checkpoint.value(), *acknowledge.add_operators());
  for (auto& sink : sinks_) sink->snapshot(trigger.checkpoint, *acknowledge.add_operators());
  if (trigger.stop_sources) stopped_ = true;
  acknowledge.set_sync_duration_us(microseconds_since(begin));
  acknowledge.set_start_delay_us(std::max<int64_t>(0, start_delay_ms) * 1000);
  throw_fault(WEIR_FAULT_POINT_STATUS("task.snapshot_before_ack"));
  options_.sender->send(std::move(message));
  WEIR_FAULT_POINT("task.ack_sent");
}

void Task::decline(const CheckpointTrigger& trigger, const std::string& cause) {
  pb::FromTaskManager message;
  pb::DeclineCheckpoint& declined = *message.mutable_decline_checkpoint();
  *declined.mutable_task() = id();
  declined.set_checkpoint_id(trigger.checkpoint.value());
  declined.set_cause(cause);
  options_.sender->send(std::move(message));
}

void Task::on_complete(CheckpointId checkpoint) {
  if (!takes_checkpoints()) return;
  WEIR_FAULT_POINT("task.notified_before_commit");
  for (auto& sink : sinks_) sink->notify_checkpoint_complete(checkpoint);
  source_->notify_checkpoint_complete(checkpoint.value());
}

void Task::release_resources() {
  cancelled_ = true;  // commits and closes that wait give up
  {
    MutexLock lock(wake_up_mutex_);
    wakeable_ = nullptr;
  }
  for (auto& sink : sinks_) sink->stop_committing();
  if (opened_) {
    const auto close = [&](auto& part) {
      if (const auto failure = run_user_code([&] { part.close(); })) {
        WEIR_LOG_WARN(log_context(), "{}: close failed: {}", options_.spec.name, failure->cause);
      }
    };
    close(*source_);
    for (auto function = chain_->functions().rbegin(); function != chain_->functions().rend();
         ++function) {
      close(*function->function);
    }
    for (auto& sink : sinks_) close(*sink);
  }
  mailbox_.shutdown(Mailbox::Pending::kDrop);
  source_.reset();
  sinks_.clear();
  chain_.reset();
}

void Task::post(absl::AnyInvocable<void()> function) {
  mailbox_.post([this, function = std::move(function)]() mutable { guard(function); });
}

template <typename F>
void Task::guard(F&& function) {
  if (is_terminal(state_)) return;
  if (const auto failure = run_user_code(std::forward<F>(function))) fail(*failure);
}

void Task::fail(const Failure& failure) {
  // What a cancelled connector throws isn't a failure.
  if (cancelled_) {
    transition(TaskState::kCanceled);
  } else {
    transition(TaskState::kFailed, failure);
  }
}

void Task::transition(TaskState to, const Failure& failure) {
  WEIR_CHECK(can_transition(state_, to))
      << options_.spec.name << " from " << to_string(state_) << " to " << to_string(to);
  state_ = to;
  pb::FromTaskManager message;
  pb::TaskStateChanged& changed = *message.mutable_task_state_changed();
  *changed.mutable_task() = id();
  changed.set_state(static_cast<pb::TaskStateChanged::State>(
      static_cast<int>(to) - static_cast<int>(TaskState::kDeployed)));
  changed.set_cause(failure.cause);
  changed.set_fatal(failure.fatal);
  // Its last figures: the next heartbeat doesn't know a task that has ended.
  if (to == TaskState::kDrained || is_terminal(to)) *changed.mutable_metrics() = metrics();
  if (to == TaskState::kFailed) {
    WEIR_LOG_ERROR(log_context(), "{} FAILED: {}", options_.spec.name, failure.cause);
  } else {
    WEIR_LOG_INFO(log_context(), "{} {}", options_.spec.name, to_string(to));
  }
  options_.sender->send(std::move(message));
}

LogContext Task::log_context() const {
  return {.job = JobId::parse(options_.spec.attempt.job_id),
          .attempt = Attempt(options_.spec.attempt.attempt),
          .checkpoint = std::nullopt,
          .subtask = SubtaskIndex(options_.spec.subtask)};
}

}  // namespace weir
