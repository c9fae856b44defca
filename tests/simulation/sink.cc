#include "tests/simulation/sink.h"

#include <algorithm>
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

bool is_open(kafka::protocol::TransactionState state) {
  using State = kafka::protocol::TransactionState;
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
      subtask_(subtask),
      pool_(world.scenario.concurrent_checkpoints) {}

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

void SimulatedWriter::write(int partition, RecordId record) {
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
            return end(committable, report);
          case kafka::CommitStep::kCommitted:
            return settle(committable, report, {CommitStatus::kCommitted, ""});
          case kafka::CommitStep::kRetry:
            return settle(committable, report, {CommitStatus::kRetry, decision.message});
          case kafka::CommitStep::kLost:
            return settle(committable, report, {CommitStatus::kLost, decision.message});
        }
      });
}

void SimulatedCommitter::end(const Committable& committable, Report report) {
  const kafka::PreparedTransaction prepared = parse(committable);
  world_.checker.commit_sent(committable.transaction);
  admin_.end_transaction(prepared.transactional_id, prepared.producer_id, prepared.producer_epoch,
                         true, [this, committable, report](std::optional<ErrorCode> error) {
                           if (closed_) return;
                           if (!error) {
                             return settle(committable, report, {CommitStatus::kRetry, "away"});
                           }
                           const auto decision = kafka::decide_by_end_error(*error);
                           const CommitStatus status =
                               decision.step == kafka::CommitStep::kCommitted
                                   ? CommitStatus::kCommitted
                               : decision.step == kafka::CommitStep::kLost ? CommitStatus::kLost
                                                                           : CommitStatus::kRetry;
                           settle(committable, report, {status, decision.message});
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
    std::vector<std::string> fence = plan_recovery(input).fence;
    std::reverse(fence.begin(), fence.end());
    fence_next(std::move(fence), done);
  });
}

void SimulatedSinkCoordinator::fence_next(std::vector<std::string> left,
                                          std::function<void()> done) {
  if (closed_) return;
  if (left.empty()) return done();
  const std::string id = left.back();
  left.pop_back();
  if (!world_.broken(Mutation::kFenceByEndTransaction)) {
    admin_.init_producer_id(id, [this, left, done](auto) { fence_next(left, done); });
    return;
  }
  admin_.describe(id, [this, id, left, done](auto description) {
    if (!description || description->state != kafka::protocol::TransactionState::kOngoing) {
      return fence_next(left, done);
    }
    admin_.end_transaction(id, description->producer_id, description->producer_epoch, false,
                           [this, left, done](auto) { fence_next(left, done); });
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
