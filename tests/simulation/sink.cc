#include "tests/simulation/sink.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "connectors/kafka/sink/commit_decision.h"
#include "connectors/kafka/sink/transactional_id.h"
#include "proto/kafka.pb.h"

namespace weir::simulation {
namespace {

using kafka::protocol::ErrorCode;

constexpr char kPrefix[] = "job";
constexpr int64_t kCommitBackoffUs = 10 * kMillisecond;
constexpr int64_t kSweepIntervalUs = 100 * kMillisecond;

using State = kafka::protocol::TransactionState;

bool is_open(State state) {
  return state != State::kEmpty && state != State::kCompleteCommit &&
         state != State::kCompleteAbort;
}

std::string range_name(int partition) {
  return absl::StrCat("out-", partition);
}

kafka::PreparedTransaction parse(const Committable& committable) {
  pb::KafkaCommittable payload;
  WEIR_CHECK(payload.ParseFromString(committable.payload));
  kafka::PreparedTransaction prepared;
  prepared.transactional_id = payload.transactional_id();
  prepared.producer_id = payload.producer_id();
  prepared.producer_epoch = static_cast<int16_t>(payload.producer_epoch());
  for (const WrittenRange& range : committable.ranges) {
    prepared.topic_partitions.push_back({"out", std::stoi(range.resource.substr(4))});
  }
  return prepared;
}

}  // namespace

SimulatedWriter::SimulatedWriter(World& world, Process& process, uint64_t generation, int subtask)
    : world_(world),
      process_(process),
      admin_(world, process),
      generation_(generation),
      subtask_(subtask) {}

std::string SimulatedWriter::id_of(int slot) const {
  const uint64_t generation = world_.broken(Mutation::kNoGenerationInIds) ? 1 : generation_;
  return kafka::format_transactional_id({kPrefix, kSinkUid, generation, subtask_, slot});
}

void SimulatedWriter::prepare_handle() {
  if (closed_) return;
  const std::optional<int> slot = pool_.start_preparing();
  if (!slot) return;
  auto handle = std::make_unique<KafkaProducer>(world_, process_, id_of(*slot));
  KafkaProducer* producer = handle.get();
  std::unique_ptr<KafkaProducer> old = std::exchange(handles_[*slot], std::move(handle));
  if (old && world_.broken(Mutation::kSameEpochAgain)) {
    producer->take_over(*old);
    dropped_.push_back(std::move(old));
    pool_.init_succeeded(*slot, 1);
    return;
  }
  if (old) dropped_.push_back(std::move(old));
  producer->init([this, slot, producer](int init_attempts) {
    if (closed_) return;
    const int told = world_.broken(Mutation::kRetriedInitUsed) ? 1 : init_attempts;
    WEIR_TRACE(world_.events, process_.name(),
               absl::StrCat("handle ", producer->id(), " epoch ", producer->epoch(), " is ready",
                            init_attempts > 1 ? " after retries" : ""));
    if (!pool_.init_succeeded(*slot, told)) {
      producer->close();
      prepare_handle();
    }
  });
}

bool SimulatedWriter::writable() const {
  if (pool_.is_open()) return true;
  if (world_.broken(Mutation::kFourIds) && pool_.prepared_count() >= 4) return false;
  return pool_.has_ready();
}

void SimulatedWriter::write(int partition, OutputRecord record) {
  if (!pool_.is_open()) {
    const std::optional<int> slot = pool_.open();
    WEIR_CHECK(slot.has_value());
    open_slot_ = *slot;
    prepare_handle();
  }
  handles_.at(open_slot_)->produce(partition, record);
}

void SimulatedWriter::prepare_commit(
    std::function<void(std::optional<std::vector<Committable>>)> done) {
  if (!pool_.is_open()) return done(std::vector<Committable>());
  KafkaProducer* producer = handles_.at(open_slot_).get();
  producer->flush([this, producer, done](bool delivered) {
    if (closed_) return;
    if (!delivered && !world_.broken(Mutation::kFlushErrorIgnored)) return done(std::nullopt);
    producer->close();
    pool_.prepare();
    open_slot_ = -1;
    prepare_handle();
    Committable committable;
    committable.transaction =
        absl::StrCat(producer->id(), "/", producer->producer_id(), "/", producer->epoch());
    pb::KafkaCommittable payload;
    payload.set_format_version(1);
    payload.set_transactional_id(producer->id());
    payload.set_producer_id(producer->producer_id());
    payload.set_producer_epoch(producer->epoch());
    payload.SerializeToString(&committable.payload);
    for (const auto& [partition, range] : producer->written()) {
      committable.ranges.push_back({range_name(partition), range.first, range.last, range.records});
      committable.records += range.records;
    }
    done(std::vector<Committable>{std::move(committable)});
  });
}

void SimulatedWriter::release(const Committable& committable) {
  if (closed_) return;
  const auto id = kafka::parse_transactional_id(parse(committable).transactional_id);
  WEIR_CHECK(id.has_value());
  if (pool_.state(id->slot) != kafka::TransactionPool::State::kPrepared) return;
  pool_.release(id->slot);
  prepare_handle();
}

std::string SimulatedWriter::snapshot() const {
  return absl::StrCat(generation_, ":", subtask_, ":", pool_.slot_count());
}

void SimulatedWriter::close() {
  closed_ = true;
  if (!world_.broken(Mutation::kTaskAbortsPrepared)) admin_.close();
  for (auto& [slot, handle] : handles_) handle->close();
  if (!world_.broken(Mutation::kTaskAbortsPrepared)) return;
  for (int slot = 0; slot < pool_.slot_count(); ++slot) {
    if (pool_.state(slot) == kafka::TransactionPool::State::kPrepared) abort_prepared(id_of(slot));
  }
}

void SimulatedWriter::abort_prepared(const std::string& transactional_id) {
  admin_.init_producer_id(transactional_id, [](auto) {});
}

void SimulatedMarkerWriter::ensure(std::vector<kafka::DecidedTransaction> transactions,
                                   std::vector<int> partitions, Done done) {
  if (transactions.empty() || partitions.empty()) return done(true);
  const int partition = partitions.back();
  partitions.pop_back();
  admin_.describe_producers(partition, [this, transactions, partitions, done](auto described) {
    if (!described || described->error != ErrorCode::kNone) return done(false);
    write_next(kafka::missing_markers(transactions, {*described}),
               [this, transactions, partitions, done](bool written) {
                 if (!written) return done(false);
                 ensure(transactions, partitions, done);
               });
  });
}

void SimulatedMarkerWriter::write_next(std::vector<kafka::MissingMarker> left, Done done) {
  if (left.empty()) return done(true);
  const kafka::MissingMarker next = left.back();
  left.pop_back();
  admin_.write_transaction_marker(next.partition.partition, next.marker,
                                  [this, left, done](std::optional<ErrorCode> error) {
                                    if (!error || *error != ErrorCode::kNone) return done(false);
                                    write_next(left, done);
                                  });
}

void SimulatedCommitter::commit(const Committable& committable, Report report) {
  if (closed_) return;
  admin_.describe(
      parse(committable).transactional_id,
      [this, committable,
       report](std::optional<kafka::protocol::TransactionDescription> description) {
        if (closed_) return;
        if (!description) return settle(committable, report, {CommitStatus::kRetry, "away"});
        const auto decision = kafka::decide_by_description(parse(committable), *description);
        switch (decision.step) {
          case kafka::CommitStep::kEndTransaction:
            return admin_.metadata(
                parse(committable).transactional_id, [this, committable, report](auto cluster) {
                  if (!cluster) {
                    return settle(committable, report, {CommitStatus::kRetry, "away"});
                  }
                  end(committable, report,
                      kafka::leader_epochs(*cluster, parse(committable).topic_partitions));
                });
          case kafka::CommitStep::kCommitted:
            return wait_until_completed(committable, report, {});
          case kafka::CommitStep::kRetry:
            return settle(committable, report, {CommitStatus::kRetry, decision.message});
          case kafka::CommitStep::kLost:
            return close_lost(committable, report, *description, decision.message);
        }
      });
}

void SimulatedCommitter::end(const Committable& committable, Report report,
                             kafka::LeaderEpochs before) {
  const kafka::PreparedTransaction prepared = parse(committable);
  world_.checker.commit_sent(committable.transaction);
  admin_.end_transaction(prepared.transactional_id, prepared.producer_id, prepared.producer_epoch,
                         true, [this, committable, report, before](std::optional<ErrorCode> error) {
                           if (closed_) return;
                           if (!error) {
                             return settle(committable, report, {CommitStatus::kRetry, "away"});
                           }
                           const auto decision = kafka::decide_by_end_error(*error);
                           if (decision.step == kafka::CommitStep::kCommitted) {
                             return wait_until_completed(committable, report, before);
                           }
                           const CommitStatus status = decision.step == kafka::CommitStep::kLost
                                                           ? CommitStatus::kLost
                                                           : CommitStatus::kRetry;
                           settle(committable, report, {status, decision.message});
                         });
}

void SimulatedCommitter::wait_until_completed(const Committable& committable, Report report,
                                              kafka::LeaderEpochs before) {
  const std::string id = parse(committable).transactional_id;
  if (world_.broken(Mutation::kKnownBeforeSeen)) {
    return settle(committable, report, {CommitStatus::kCommitted, ""});
  }
  admin_.describe(id, [this, id, committable, report, before](auto description) {
    if (!description || description->error != ErrorCode::kNone) {
      return settle(committable, report, {CommitStatus::kRetry, "away"});
    }
    if (description->state == State::kPrepareCommit) {
      process_.after(kMillisecond, [this, committable, report, before] {
        if (!closed_) wait_until_completed(committable, report, before);
      });
      return;
    }
    admin_.metadata(id, [this, committable, report, before](auto cluster) {
      if (!cluster) return settle(committable, report, {CommitStatus::kRetry, "away"});
      const auto partitions = parse(committable).topic_partitions;
      if (kafka::led_throughout(before, kafka::leader_epochs(*cluster, partitions), partitions)) {
        return settle(committable, report, {CommitStatus::kCommitted, ""});
      }
      ensure_markers(committable, true, report, "");
    });
  });
}

void SimulatedCommitter::close_lost(const Committable& committable, Report report,
                                    const kafka::protocol::TransactionDescription& description,
                                    const std::string& message) {
  const kafka::PreparedTransaction prepared = parse(committable);
  if (description.error == ErrorCode::kNone && description.producer_id == prepared.producer_id &&
      description.producer_epoch <= prepared.producer_epoch) {
    return settle(committable, report, {CommitStatus::kLost, message});
  }
  ensure_markers(committable, false, report, message);
}

void SimulatedCommitter::ensure_markers(const Committable& committable, bool committed,
                                        Report report, const std::string& message) {
  const kafka::PreparedTransaction prepared = parse(committable);
  std::vector<int> partitions;
  for (const auto& partition : prepared.topic_partitions) {
    partitions.push_back(partition.partition);
  }
  markers_.ensure(
      {{.transactional_id = prepared.transactional_id,
        .producer_id = prepared.producer_id,
        .producer_epoch = prepared.producer_epoch,
        .committed = committed}},
      partitions, [this, committable, committed, report, message](bool ensured) {
        const CommitStatus decided = committed ? CommitStatus::kCommitted : CommitStatus::kLost;
        settle(committable, report, {ensured ? decided : CommitStatus::kRetry, message});
      });
}

void SimulatedCommitter::settle(const Committable& committable, Report report,
                                CommitResult result) {
  WEIR_TRACE(world_.events, process_.name(),
             absl::StrCat("commit of ", committable.transaction, ": ",
                          result.status == CommitStatus::kCommitted ? "committed"
                          : result.status == CommitStatus::kLost    ? "LOST, "
                                                                    : "again, ",
                          result.message));
  if (result.status == CommitStatus::kRetry && world_.broken(Mutation::kCommitNotRetried)) {
    result.status = CommitStatus::kCommitted;
  }
  if (result.status == CommitStatus::kLost && world_.broken(Mutation::kFencedMeansCommitted)) {
    result.status = CommitStatus::kCommitted;
  }
  if (result.status == CommitStatus::kRetry) {
    process_.after(kCommitBackoffUs, [this, committable, report] { commit(committable, report); });
    return;
  }
  report(committable, result);
}

void SimulatedSinkCoordinator::validate(std::function<void(uint64_t)> done) {
  admin_.list([this, done](const KafkaAdmin::Listed& listed) {
    if (closed_) return;
    uint64_t generation_max = 0;
    for (const auto& transaction : listed) {
      const auto id = kafka::parse_transactional_id(transaction.transactional_id);
      if (id && id->prefix == kPrefix) generation_max = std::max(generation_max, id->generation);
    }
    done(generation_max);
  });
}

void SimulatedSinkCoordinator::recover(SinkRecovery recovery, SimulatedCommitter::Report report,
                                       std::function<void()> done) {
  input_.prefix = kPrefix;
  input_.uid = kSinkUid;
  input_.generation = recovery.generation;
  for (const RecoveredCommittable& recovered : recovery.committables) {
    const bool known = recovered.known_committed && !world_.broken(Mutation::kLedgerIgnored);
    input_.committables.push_back({parse(recovered.committable).transactional_id, known});
  }
  for (const std::string& state : recovery.writer_states) {
    const std::vector<std::string> parts = absl::StrSplit(state, ':');
    input_.pools.push_back({std::stoull(parts[0]), std::stoi(parts[1]), std::stoi(parts[2])});
  }
  std::vector<Committable> to_commit;
  for (const size_t index : plan_recovery(input_).commit) {
    to_commit.push_back(recovery.committables[index].committable);
  }
  std::reverse(to_commit.begin(), to_commit.end());
  if (world_.broken(Mutation::kSweepBeforeRecovered)) {
    input_.committables.clear();
    list_and_fence(false, [] {});
  }
  commit_next(std::move(to_commit), std::move(report), [this, done] {
    list_and_fence(true, [this, done] {
      done();
      if (!world_.broken(Mutation::kNoSweep)) sweep_later();
    });
  });
}

void SimulatedSinkCoordinator::commit_next(std::vector<Committable> left,
                                           SimulatedCommitter::Report report,
                                           std::function<void()> done) {
  if (closed_) return;
  if (left.empty()) return done();
  const Committable next = left.back();
  left.pop_back();
  committer_.commit(
      next, [this, left, report, done](const Committable& committable, const CommitResult& result) {
        if (closed_) return;
        report(committable, result);
        commit_next(left, report, done);
      });
}

void SimulatedSinkCoordinator::list_and_fence(bool idle_too, std::function<void()> done) {
  if (closed_) return;
  if (world_.broken(Mutation::kNoFencing)) return done();
  admin_.list([this, idle_too, done](const KafkaAdmin::Listed& listed) {
    if (closed_) return;
    kafka::RecoveryInput input = input_;
    if (!idle_too) input.pools.clear();
    for (const auto& transaction : listed) {
      if (idle_too || is_open(transaction.state)) {
        input.listed_ids.push_back(transaction.transactional_id);
      }
    }
    if (world_.broken(Mutation::kRecoveryTakesOwnIds)) input.committables.clear();
    auto fencing = std::make_shared<Fencing>();
    fencing->ids = plan_recovery(input).fence;
    fencing->done = done;
    if (world_.broken(Mutation::kFenceByEndTransaction)) {
      return fence_by_end_transaction(fencing, 0);
    }
    look_next(fencing, 0);
  });
}

void SimulatedSinkCoordinator::look_next(std::shared_ptr<Fencing> fencing, size_t index) {
  if (closed_) return;
  if (index == fencing->ids.size()) {
    return ensure_closed(fencing->committed, [this, fencing] { fence_next(fencing, 0); });
  }
  admin_.describe(fencing->ids[index], [this, fencing, index](auto last) {
    const bool unknown = !last || kafka::protocol::is_coordinator_moved(last->error) ||
                         last->state == State::kPrepareCommit;
    if (unknown) {
      process_.after(kCommitBackoffUs, [this, fencing, index] { look_next(fencing, index); });
      return;
    }
    if (last->error == ErrorCode::kNone) {
      const bool committed = last->state == State::kCompleteCommit;
      (committed ? fencing->committed : fencing->aborted)
          .push_back({.transactional_id = fencing->ids[index],
                      .producer_id = last->producer_id,
                      .producer_epoch = last->producer_epoch,
                      .committed = committed});
    }
    look_next(fencing, index + 1);
  });
}

void SimulatedSinkCoordinator::fence_next(std::shared_ptr<Fencing> fencing, size_t index) {
  if (closed_) return;
  if (index == fencing->ids.size()) return ensure_closed(fencing->aborted, fencing->done);
  admin_.init_producer_id(fencing->ids[index],
                          [this, fencing, index](auto) { fence_next(fencing, index + 1); });
}

void SimulatedSinkCoordinator::fence_by_end_transaction(std::shared_ptr<Fencing> fencing,
                                                        size_t index) {
  if (closed_) return;
  if (index == fencing->ids.size()) return fencing->done();
  const std::string& id = fencing->ids[index];
  admin_.describe(id, [this, id, fencing, index](auto description) {
    if (!description || description->state != State::kOngoing) {
      return fence_by_end_transaction(fencing, index + 1);
    }
    admin_.end_transaction(
        id, description->producer_id, description->producer_epoch, false,
        [this, fencing, index](auto) { fence_by_end_transaction(fencing, index + 1); });
  });
}

void SimulatedSinkCoordinator::ensure_closed(std::vector<kafka::DecidedTransaction> transactions,
                                             std::function<void()> done) {
  if (closed_) return;
  if (transactions.empty() || world_.broken(Mutation::kAbortMarkersMissing)) return done();
  std::vector<int> partitions(static_cast<size_t>(world_.kafka.partition_count()));
  std::iota(partitions.begin(), partitions.end(), 0);
  markers_.ensure(transactions, partitions, [this, transactions, done](bool ensured) {
    if (ensured) return done();
    process_.after(kCommitBackoffUs,
                   [this, transactions, done] { ensure_closed(transactions, done); });
  });
}

void SimulatedSinkCoordinator::sweep_later() {
  process_.after(kSweepIntervalUs, [this] {
    if (closed_) return;
    // An idle id was fenced by the recovery; what a zombie opened since is open.
    list_and_fence(false, [this] { sweep_later(); });
  });
}

void SimulatedSinkCoordinator::close() {
  closed_ = true;
  admin_.close();
  committer_.close();
}

}  // namespace weir::simulation
