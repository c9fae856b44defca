#include "taskmanager/task/task.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/fault_point.h"
#include "common/log.h"
#include "proto/control.pb.h"
#include "taskmanager/task/in_flight_streams.h"
#include "weir/error.h"

namespace weir {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""ns;
using std::chrono_literals::operator""h;

// A post wakes the input, so this bounds only the harm of a reader that misses a wake-up.
constexpr auto kPollWait = 100ms;
// Writers can't say when they take records again, nor backends when slices, so they are asked.
constexpr auto kWritablePollInterval = 1ms;
// A deadline that has passed while nothing can be done about it must not make a busy loop.
constexpr std::chrono::nanoseconds kShortestWait = 1ms;

}  // namespace

MonotonicTime Task::now() {
  return SystemClock::instance().now();
}

void Task::throw_fault(const absl::Status& status) {
  if (!status.ok()) throw Error(std::string(status.message()));
}

Task::Task(Options options)
    : options_(std::move(options)),
      reporter_(options_.spec, *options_.sender),
      mailbox_({.name = options_.spec.name, .wakeup = [this] {
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
    if (state_ == TaskState::kRunning && source_ != nullptr) source_->on_event(event);
    idle_ = false;
  });
}

void Task::trigger_checkpoint(CheckpointTrigger trigger) {
  if (options_.spec.gates.empty()) post([this, trigger] { on_trigger(trigger); });
}

void Task::notify_checkpoint_complete(CheckpointId checkpoint) {
  post([this, checkpoint] { on_complete(checkpoint); });
}

void Task::notify_checkpoint_aborted(CheckpointId checkpoint) {
  post([this, checkpoint] { on_aborted(checkpoint); });
}

void Task::cancel() {
  cancelled_ = true;
  {
    MutexLock lock(cancel_mutex_);
    if (cancellable_ != nullptr) cancellable_->cancel();
  }
  post([this] { transition(TaskState::kCanceled); });
}

pb::TaskId Task::id() const {
  return reporter_.id();
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
    guard([&] { step(); });
  }
  release_resources();
  options_.on_ended();
}

void Task::build() {
  const TaskSpec& spec = options_.spec;
  const StreamGraph graph = options_.build_graph();
  if (spec.unaligned_checkpoints) make_recorder();
  std::vector<TaskOutputs::Streams> streams;
  for (const PartitionSpec& output : spec.outputs) {
    streams.push_back(streams_of(graph, output, spec.subtask));
  }
  outputs_ = std::make_unique<TaskOutputs>(
      spec, std::move(streams), options_.network, [this] { mailbox_.post([] {}); },
      [this](const absl::Status& status) { post_failure(status); });
  {
    MutexLock lock(cancel_mutex_);
    cancellable_ = outputs_.get();
    if (cancelled_) outputs_->cancel();
  }
  std::vector<ChannelWriter*> channels;
  for (const auto& partition : outputs_->partitions()) channels.push_back(partition.get());
  chain_ = std::make_unique<TaskChain>(graph, spec, channels);
  head_uid_ = graph.nodes[spec.chain.front()].uid;
  make_operators();
  for (TaskChain::Sink& sink : chain_->sinks()) {
    sinks_.push_back(std::make_unique<SinkDriver>(
        sink, spec.attempt, spec.subtask, spec.parallelism, cancelled_, gauges_, *options_.sender,
        [this](absl::AnyInvocable<void()> function) { post(std::move(function)); },
        options_.commit_backoff));
  }
  make_input(graph);
  transition(TaskState::kDeployed);
  WEIR_FAULT_POINT("task.deployed");
}

void Task::make_recorder() {
  const TaskSpec& spec = options_.spec;
  recorder_ = std::make_unique<InFlightRecorder>(
      absl::StrCat("in-flight-", spec.vertex, "-", spec.subtask),
      [this](CheckpointId checkpoint, absl::StatusOr<pb::InFlightHandle> handle) {
        post([this, checkpoint, handle = std::move(handle)]() mutable {
          on_in_flight_stored(checkpoint, std::move(handle));
        });
      });
}

void Task::make_operators() {
  const TaskSpec& spec = options_.spec;
  for (TaskChain::Function& function : chain_->functions()) {
    std::unique_ptr<KeyedStateBackend> backend;
    if (function.keyed) {
      KeyedStateBackends& backends = *options_.state_backends;
      auto opened = backends.open(
          spec.state_backend, spec.attempt.job_id + "-" + keyed_state_name(spec, function.node),
          spec.keyed_in_slot,
          spec.local_recovery ? backends.copies_of(spec.attempt.job_id) : nullptr);
      if (!opened.ok()) throw Error(std::string(opened.status().message()));
      backend = *std::move(opened);
    }
    operators_.push_back(std::make_unique<OperatorDriver>(
        function, spec, cancelled_, gauges_, std::move(backend),
        [this, uid = function.uid](CheckpointId checkpoint,
                                   absl::StatusOr<pb::KeyedStateHandle> handle) {
          post([this, checkpoint, uid, handle = std::move(handle)]() mutable {
            on_state_stored(checkpoint, uid, std::move(handle));
          });
        }));
  }
}

void Task::make_input(const StreamGraph& graph) {
  const TaskSpec& spec = options_.spec;
  if (chain_->source()) {
    auto source =
        std::make_unique<SourceDriver>(*chain_, spec.attempt, spec.subtask, spec.parallelism,
                                       cancelled_, gauges_, *options_.sender);
    source_ = source.get();
    input_ = std::move(source);
    return;
  }
  std::vector<GateInput::Gate> gates;
  std::vector<RestoredRecords::Channel> restored;
  for (size_t i = 0; i < spec.gates.size(); ++i) {
    gates.push_back({create_gate(spec.gates[i]), chain_->receivers()[i].get(),
                     is_overtakable(graph, spec.gates[i].edge)
                         ? BarrierAligner::Channel::kOvertakable
                         : BarrierAligner::Channel::kInOrder,
                     streams_of(graph, spec.gates[i], spec.subtask)});
    for (const RestoredChannel& channel : spec.gates[i].restored) {
      restored.push_back({channel, chain_->restoring_receivers()[i].get()});
    }
  }
  input_ = std::make_unique<GateInput>(
      std::move(gates), chain_->head(), spec.checkpoint_mode, recorder_.get(),
      RestoredRecords(std::move(restored)),
      GateInput::Callbacks{
          .take_checkpoint =
              [this](const CheckpointTrigger& trigger, const Alignment& alignment, bool unaligned) {
                take_checkpoint(trigger, alignment, unaligned);
              },
          .all_recorded =
              [this](CheckpointId checkpoint, const Alignment& alignment) {
                on_inputs_recorded(checkpoint, alignment);
              },
          .give_up_checkpoint =
              [this](CheckpointId checkpoint, const std::string& why) {
                give_up_checkpoint(checkpoint, why);
              }});
}

std::unique_ptr<InputGate> Task::create_gate(const GateSpec& spec) {
  auto gate = options_.network->create_gate(
      {.name = options_.spec.name,
       .channels = spec.channels,
       .on_available =
           [this] {
             MutexLock lock(wake_up_mutex_);
             if (wakeable_ != nullptr) wakeable_->wake_up();
           },
       .on_failure = [this](const absl::Status& status) { post_failure(status); },
       .on_priority_event = [this] { mailbox_.post([] {}); }});
  if (!gate.ok()) throw Error(std::string(gate.status().message()));
  return *std::move(gate);
}

void Task::open(Generation generation) {
  if (state_ != TaskState::kDeployed) return;
  throw_fault(WEIR_FAULT_POINT_STATUS("task.before_start"));
  for (auto& sink : sinks_) sink->open(generation.value());
  for (auto& op : operators_) op->open(generation.value());
  input_->open(generation.value());
  opened_ = true;
  {
    MutexLock lock(wake_up_mutex_);
    wakeable_ = input_.get();
  }
  transition(input_->restored() ? TaskState::kRunning : TaskState::kInitializing);
}

bool Task::reading() const {
  return source_ == nullptr ? takes_checkpoints() || state_ == TaskState::kInitializing
                            : state_ == TaskState::kRunning && !stopped_;
}

void Task::step() {
  outputs_->flush_if_due(now());
  snapshot_wait_ = continue_snapshots();
  if (recording_) continue_recording();
  if (!reading()) {
    wait_in_mailbox(1h);
    return;
  }
  // Before anything is asked: after a barrier a sink may take no more records.
  input_->poll_events();
  if (is_terminal(state_)) return;  // a checkpoint failed
  bool sinks_writable = true;
  for (auto& sink : sinks_) sinks_writable = sink->writable() && sinks_writable;
  if (sinks_writable && outputs_->writable()) {
    process_batch();
    return;
  }
  const MonotonicTime begin = now();
  wait_in_mailbox(sinks_writable ? kPollWait : kWritablePollInterval);
  TaskCounters::add(counters_.backpressured_us, now() - begin);
}

void Task::process_batch() {
  if (!stopped_) advance_processing_time();
  const MonotonicTime begin = now();
  const std::optional<CheckpointId> checkpoint_before = last_checkpoint_;
  const std::chrono::nanoseconds blocked_before = outputs_->blocked();
  const PollStatus status = input_->poll(
      idle_ ? std::chrono::ceil<std::chrono::milliseconds>(time_to_wait(kPollWait)) : 0ms);
  if (is_terminal(state_)) return;  // a checkpoint failed
  chain_->end_batch();
  input_->end_batch();
  count_batch();
  // A poll that waited isn't work, even if it brought something in the end.
  const std::chrono::nanoseconds blocked = outputs_->blocked() - blocked_before;
  TaskCounters::add(counters_.backpressured_us, blocked);
  TaskCounters::add(idle_ ? counters_.idle_us : counters_.busy_us, now() - begin - blocked);
  const bool only_records = !idle_ && last_checkpoint_ == checkpoint_before;
  batch_time_ = only_records ? now() - begin : 0ns;
  idle_ = status == PollStatus::kIdle;
  if (state_ == TaskState::kInitializing && input_->restored()) transition(TaskState::kRunning);
  if (status == PollStatus::kEndOfInput) {
    outputs_->flush();
    transition(TaskState::kDrained);
  }
}

void Task::count_batch() {
  counters_.set_in(input_->io_counts());
  IoCounts out = outputs_->io_counts();
  for (const auto& sink : sinks_) {
    const IoCounts written = sink->io_counts();
    out.records += written.records;
    out.bytes += written.bytes;
  }
  counters_.set_out(out);
}

void Task::wait_in_mailbox(std::chrono::nanoseconds most) {
  mailbox_.run_one(time_to_wait(most));
}

std::chrono::nanoseconds Task::time_to_wait(std::chrono::nanoseconds most) const {
  if (snapshot_wait_ == 0ns) return 0ns;
  std::chrono::nanoseconds wait = std::min(most, snapshot_wait_);
  if (const MonotonicTime flush = outputs_->flush_deadline(); flush != MonotonicTime::max()) {
    wait = std::min(wait, flush - now());
  }
  const MonotonicTime send_ahead =
      recording_ && recording_->outputs ? recording_->send_ahead : MonotonicTime::max();
  const MonotonicTime timeout = input_ == nullptr ? MonotonicTime::max() : input_->next_timeout();
  if (const MonotonicTime next = std::min(send_ahead, timeout); next != MonotonicTime::max()) {
    wait = std::min(wait, next - now());
  }
  for (const auto& op : operators_) {
    const Timestamp timer = opened_ ? op->next_processing_timer() : kMaxWatermark;
    if (timer == kMaxWatermark) continue;
    const Timestamp wall_now = unix_now_ms();
    const std::chrono::milliseconds until(std::max(timer, wall_now) - wall_now);
    wait = std::min<std::chrono::nanoseconds>(wait, std::min(until, kPollWait));
  }
  return std::max(wait, std::min(most, kShortestWait));
}

void Task::advance_processing_time() {
  const Timestamp wall_now = unix_now_ms();
  for (auto& op : operators_) op->advance_processing_time(wall_now);
}

std::chrono::nanoseconds Task::continue_snapshots() {
  std::chrono::nanoseconds wait = std::chrono::nanoseconds::max();
  for (auto& op : operators_) {
    KeyedStateDriver* const state = op->keyed_state();
    if (state == nullptr || !state->snapshot_open()) continue;
    if (!state->snapshot_ready()) {
      wait = std::min(wait, std::chrono::nanoseconds(kWritablePollInterval));
      continue;
    }
    const MonotonicTime begin = now();
    do {
      state->continue_snapshot();
    } while (state->snapshot_open() && state->snapshot_ready() && now() - begin < batch_time_);
    TaskCounters::add(counters_.busy_us, now() - begin);
    wait = 0ns;
  }
  return wait;
}

void Task::release_resources() {
  cancelled_ = true;  // commits and closes that wait give up
  {
    MutexLock lock(wake_up_mutex_);
    wakeable_ = nullptr;
  }
  {
    MutexLock lock(cancel_mutex_);
    cancellable_ = nullptr;
  }
  for (auto& sink : sinks_) sink->stop_committing();
  if (opened_) close_parts();
  mailbox_.shutdown(Mailbox::Pending::kDrop);
  input_.reset();
  sinks_.clear();
  chain_.reset();
  operators_.clear();
  outputs_.reset();
  recorder_.reset();
}

void Task::close_parts() {
  const auto close = [&](auto& part) {
    if (const auto failure = run_user_code([&] { part.close(); })) {
      WEIR_LOG_WARN(reporter_.log_context(), "{}: close failed: {}", options_.spec.name,
                    failure->cause);
    }
  };
  close(*input_);
  for (auto op = operators_.rbegin(); op != operators_.rend(); ++op) close(**op);
  for (auto& sink : sinks_) close(*sink);
}

void Task::post(absl::AnyInvocable<void()> function) {
  mailbox_.post([this, function = std::move(function)]() mutable { guard(function); });
}

void Task::post_failure(const absl::Status& status) {
  post([message = std::string(status.message())] { throw Error(message); });
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
    return;
  }
  transition(TaskState::kFailed, failure);
  if (outputs_ != nullptr) outputs_->fail(absl::InternalError(failure.cause));
}

void Task::transition(TaskState to, const Failure& failure) {
  WEIR_CHECK(can_transition(state_, to))
      << options_.spec.name << " from " << to_string(state_) << " to " << to_string(to);
  state_ = to;
  if (to == TaskState::kInitializing) return;
  reporter_.state_changed(to, failure, metrics());
}

}  // namespace weir
