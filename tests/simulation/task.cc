#include "tests/simulation/task.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace weir::simulation {
namespace {

constexpr int64_t kPollMinUs = 1 * kMillisecond;
constexpr int64_t kPollMaxUs = 5 * kMillisecond;
constexpr size_t kChannelItemsMax = 16;

pb::Committable to_proto(const Committable& committable) {
  pb::Committable proto;
  proto.set_transaction(committable.transaction);
  proto.set_checkpoint_id(committable.checkpoint_id);
  proto.set_records(committable.records);
  proto.set_payload(committable.payload);
  for (const WrittenRange& range : committable.ranges) {
    auto* written = proto.add_ranges();
    written->set_resource(range.resource);
    written->set_first(range.first);
    written->set_last(range.last);
    written->set_records(range.records);
  }
  return proto;
}

}  // namespace

SimulatedTask::SimulatedTask(World& world, Process& process, int subtask,
                             pb::OperatorState restored, TaskReports reports)
    : world_(world),
      process_(process),
      subtask_(subtask),
      restored_(std::move(restored)),
      reports_(std::move(reports)),
      committer_(world, process) {}

void SimulatedTask::start(uint64_t generation, std::vector<SimulatedTask*> peers) {
  peers_ = std::move(peers);
  writer_ = std::make_unique<SimulatedWriter>(world_, process_, generation, subtask_);
  writer_->open();
  if (world_.scenario.shuffled) {
    const auto mode = world_.broken(Mutation::kAlignmentDoesNotBlock)
                          ? BarrierAligner::Mode::kAtLeastOnce
                          : BarrierAligner::Mode::kExactlyOnce;
    aligner_ = std::make_unique<BarrierAligner>(static_cast<int>(peers_.size()), mode);
    channels_.resize(peers_.size());
    counts_.emplace(subtask_, static_cast<int>(peers_.size()));
    counts_->restore(restored_.keyed(), world_.durable);
    for (SimulatedTask* peer : peers_) {
      outgoing_.push_back(world_.network.connect(process_, peer->process_));
      outgoing_.back()->on_closed(Connection::kClient, [this] { fail("a channel broke"); });
      outgoing_.back()->on_closed(Connection::kServer, [peer] { peer->fail("a channel broke"); });
    }
  }
  reports_.running();
  process_.after(world_.random.between(kPollMinUs, kPollMaxUs), [this] { poll(); });
}

void SimulatedTask::add_splits(const std::vector<SplitPosition>& splits) {
  for (const SplitPosition& position : splits) splits_[position.split] = position;
}

int SimulatedTask::key_of(const RecordId& record) const {
  return static_cast<int>((record.offset * 7 + record.split) % KeyCounts::kKeys);
}

void SimulatedTask::write(const RecordId& record) {
  const int key = key_of(record);
  writer_->write(partition_of(key), {record, key, counts_ ? counts_->add(key) : 0});
}

bool SimulatedTask::congested() const {
  if (!aligner_) return flushing_ || !writable();
  return std::any_of(peers_.begin(), peers_.end(), [this](const SimulatedTask* peer) {
    const auto& channels = peer->channels_;
    return channels.empty() || channels[static_cast<size_t>(subtask_)].size() >= kChannelItemsMax;
  });
}

void SimulatedTask::poll() {
  if (closed_) return;
  process_.after(world_.random.between(kPollMinUs, kPollMaxUs), [this] { poll(); });
  for (auto& [split, position] : splits_) {
    const int64_t available = position.stop < 0 ? world_.input_end(split)
                                                : std::min(position.stop, world_.input_end(split));
    const int64_t batch_end = position.next + world_.random.between(1, 4);
    while (reading_ && position.next < std::min(available, batch_end) && !congested()) {
      const RecordId record{split, position.next++};
      if (aligner_) {
        const auto target = static_cast<size_t>(
            KeyCounts::subtask_of(key_of(record), static_cast<int>(peers_.size())));
        outgoing_[target]->send(Connection::kClient,
                                [peer = peers_[target], channel = subtask_, record] {
                                  peer->deliver(channel, {std::nullopt, record});
                                });
      } else {
        write(record);
      }
    }
  }
  report_drained();
  if (aligner_) pump();
}

void SimulatedTask::report_drained() {
  if (drained_ || !no_more_splits_) return;
  for (const auto& [split, position] : splits_) {
    if (position.stop < 0 || position.next < position.stop) return;
  }
  drained_ = true;
  reports_.drained();
}

pb::OperatorState SimulatedTask::source_state() const {
  pb::OperatorState state;
  state.set_uid(kSourceUid);
  state.set_subtask(subtask_);
  for (const auto& [split, position] : splits_) {
    auto* proto = state.add_splits();
    proto->set_id(std::to_string(split));
    proto->set_state(std::to_string(position.next));
  }
  return state;
}

void SimulatedTask::trigger(CheckpointId checkpoint, bool stop_sources) {
  if (closed_ || !writer_) return;
  if (!aligner_ && flushing_) {
    barriers_.emplace_back(checkpoint, stop_sources);
    return;
  }
  take_barrier(checkpoint, stop_sources);
}

void SimulatedTask::take_barrier(CheckpointId checkpoint, bool stop_sources) {
  source_states_[checkpoint] = source_state();
  if (stop_sources) reading_ = false;
  if (!aligner_) return prepare(checkpoint);
  for (size_t target = 0; target < peers_.size(); ++target) {
    outgoing_[target]->send(Connection::kClient,
                            [peer = peers_[target], channel = subtask_, checkpoint] {
                              peer->deliver(channel, {checkpoint, {}});
                            });
  }
}

void SimulatedTask::deliver(int channel, Item item) {
  if (closed_ || channels_.empty()) return;
  channels_[static_cast<size_t>(channel)].push_back(item);
  pump();
}

void SimulatedTask::pump() {
  while (!closed_ && !flushing_) {
    std::vector<int> readable;
    for (int channel = 0; channel < static_cast<int>(channels_.size()); ++channel) {
      const auto& items = channels_[static_cast<size_t>(channel)];
      if (items.empty() || aligner_->blocked(channel)) continue;
      if (items.front().barrier || writable()) readable.push_back(channel);
    }
    if (readable.empty()) return;
    const int channel = world_.random.pick(readable);
    const Item item = channels_[static_cast<size_t>(channel)].front();
    channels_[static_cast<size_t>(channel)].pop_front();
    if (item.barrier) {
      apply(aligner_->on_barrier(channel, *item.barrier));
    } else {
      write(item.record);
    }
  }
}

void SimulatedTask::apply(const BarrierAligner::Decision& decision) {
  if (decision.taken) prepare(*decision.taken);
}

void SimulatedTask::prepare(CheckpointId checkpoint) {
  flushing_ = true;
  pb::OperatorState sink;
  sink.set_uid(kSinkUid);
  sink.set_subtask(subtask_);
  if (counts_) *sink.add_keyed() = counts_->snapshot(world_.durable);
  writer_->prepare_commit([this, checkpoint, sink = std::move(sink)](
                              std::optional<std::vector<Committable>> committables) {
    if (closed_) return;
    if (!committables) return fail("a flush failed");
    prepared(checkpoint, sink, std::move(*committables));
  });
}

void SimulatedTask::prepared(CheckpointId checkpoint, pb::OperatorState sink,
                             std::vector<Committable> committables) {
  last_barrier_ = checkpoint;
  auto carried = tracker_.on_barrier(checkpoint, std::move(committables));
  if (!carried.ok()) return fail(std::string(carried.status().message()));
  sink.set_writer_state(writer_->snapshot());
  for (const Committable& committable : *carried) {
    carried_[committable.transaction].committable = committable;
    carried_[committable.transaction].last_carrier = checkpoint;
    if (world_.broken(Mutation::kNoCarry) && committable.checkpoint_id != checkpoint.value()) {
      continue;
    }
    *sink.add_committables() = to_proto(committable);
  }
  if (world_.strikes(world_.scenario.declines)) {
    reports_.declined(checkpoint);
  } else {
    reports_.acknowledged(checkpoint, {source_states_[checkpoint], sink});
  }
  source_states_.erase(source_states_.begin(), source_states_.upper_bound(checkpoint));
  flushing_ = false;
  if (aligner_) return pump();
  if (barriers_.empty()) return;
  const auto [next, stop_sources] = barriers_.front();
  barriers_.pop_front();
  take_barrier(next, stop_sources);
}

void SimulatedTask::notify_complete(CheckpointId checkpoint) {
  if (closed_) return;
  apply(tracker_.on_notify(checkpoint));
  release_early(checkpoint, false);
}

void SimulatedTask::notify_foreign() {
  if (!closed_ && last_barrier_.value() > 0) apply(tracker_.on_notify(last_barrier_));
}

void SimulatedTask::notify_aborted(CheckpointId checkpoint) {
  if (closed_) return;
  if (world_.broken(Mutation::kAbortOnDecline)) {
    for (const auto& [transaction, carried] : carried_) {
      if (carried.committable.checkpoint_id == checkpoint.value()) {
        writer_->abort_prepared(transaction.substr(0, transaction.find('/')));
      }
    }
  }
  if (!aligner_) return;
  apply(aligner_->on_abort(checkpoint));
  pump();
}

void SimulatedTask::notify_savepoint(CheckpointId savepoint) {
  if (!closed_) release_early(savepoint, true);
}

void SimulatedTask::apply(const CommitTracker::Decision& decision) {
  for (const Committable& committable : decision.to_commit) {
    committer_.commit(committable, [this](const Committable& done, const CommitResult& result) {
      if (closed_) return;
      reports_.commit_result(done, result);
      const auto next = tracker_.on_commit_result(done.transaction, result.status);
      carried_[done.transaction].committed = true;
      apply(next);
      if (world_.broken(Mutation::kReuseBeforeLater) || world_.broken(Mutation::kSameEpochAgain)) {
        writer_->release(done);
      }
    });
  }
  for (const Committable& committable : decision.to_release) {
    carried_.erase(committable.transaction);
    writer_->release(committable);
  }
}

// Gives ids back by the wrong rules.
void SimulatedTask::release_early(CheckpointId complete, bool savepoint) {
  const bool by_first = !savepoint && world_.broken(Mutation::kReuseFromFirstCarrier);
  const bool by_savepoint = savepoint && world_.broken(Mutation::kReuseAfterSavepoint);
  if (!by_first && !by_savepoint) return;
  for (const auto& [transaction, carried] : carried_) {
    const CheckpointId carrier =
        by_first ? CheckpointId(carried.committable.checkpoint_id) : carried.last_carrier;
    if (carried.committed && carrier < complete) writer_->release(carried.committable);
  }
}

void SimulatedTask::fail(const std::string& cause) {
  if (closed_) return;
  WEIR_TRACE(world_.events, process_.name(), absl::StrCat("task ", subtask_, " fails: ", cause));
  reports_.failed(cause);
  cancel();
}

void SimulatedTask::cancel() {
  if (closed_) return;
  closed_ = true;
  if (writer_) writer_->close();
  committer_.close();
  for (Connection* connection : outgoing_) connection->close(Connection::kClient);
}

}  // namespace weir::simulation
