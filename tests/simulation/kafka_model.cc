#include "tests/simulation/kafka_model.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/check.h"

namespace weir::simulation {
namespace {

using kafka::protocol::ErrorCode;
using State = kafka::protocol::TransactionState;

constexpr int kShards = 4;
constexpr int32_t kEpochMax = 32767;
constexpr int64_t kFailoverMinUs = 30 * kMillisecond;
constexpr int64_t kFailoverMaxUs = 150 * kMillisecond;
constexpr int64_t kMarkerRetryUs = 10 * kMillisecond;

// Not named by the protocol client, which never produces.
constexpr ErrorCode kOutOfOrderSequence = static_cast<ErrorCode>(45);

bool preparing(State state) {
  return state == State::kPrepareCommit || state == State::kPrepareAbort ||
         state == State::kPrepareEpochFence;
}

size_t shard_of(const std::string& id) {
  uint64_t hash = 14695981039346656037ULL;
  for (const char c : id) hash = (hash ^ static_cast<uint8_t>(c)) * 1099511628211ULL;
  return hash % kShards;
}

}  // namespace

KafkaModel::KafkaModel(EventQueue& events, Random& random, Options options)
    : events_(events), random_(random), options_(options) {
  brokers_.resize(static_cast<size_t>(options_.brokers));
  for (int shard = 0; shard < kShards; ++shard) {
    shard_leaders_.push_back(shard % options_.brokers);
  }
  partitions_.resize(static_cast<size_t>(options_.partitions));
  for (int partition = 0; partition < options_.partitions; ++partition) {
    partitions_[static_cast<size_t>(partition)].leader = partition % options_.brokers;
  }
}

int KafkaModel::coordinator_of(const std::string& id) const {
  return shard_leaders_[shard_of(id)];
}

std::optional<ErrorCode> KafkaModel::coordinator_error() {
  if (events_.now_us() >= coordinators_away_until_us_) return std::nullopt;
  switch (random_.between(0, 2)) {
    case 0:
      return ErrorCode::kCoordinatorLoadInProgress;
    case 1:
      return ErrorCode::kCoordinatorNotAvailable;
    default:
      return ErrorCode::kNotCoordinator;
  }
}

kafka::protocol::InitProducerIdResult KafkaModel::init_producer_id(const std::string& id,
                                                                   int64_t timeout_us) {
  kafka::protocol::InitProducerIdResult result;
  result.attempts = 1;
  if (const auto error = coordinator_error()) {
    result.error = *error;
    return result;
  }
  auto [found, added] = ids_.try_emplace(id);
  TransactionalId& state = found->second;
  if (added) {
    state.producer_id = next_producer_id_++;
    state.epoch = options_.first_epoch - 1;
  }
  if (preparing(state.state)) {
    result.error = ErrorCode::kConcurrentTransactions;
    return result;
  }
  if (state.state == State::kOngoing) {
    // Fences the old producer first; who asks has to ask again when the abort is through.
    end(id, state, false, true, AbortCause::kInitProducerId);
    result.error = ErrorCode::kConcurrentTransactions;
    return result;
  }
  raise_epoch(state);
  state.state = State::kEmpty;
  state.partitions.clear();
  state.timeout_us = timeout_us;
  state.changed_us = events_.now_us();
  WEIR_TRACE(
      events_, "kafka",
      absl::StrCat("InitProducerId ", id, " -> pid ", state.producer_id, " epoch ", state.epoch));
  result.producer_id = state.producer_id;
  result.producer_epoch = static_cast<int16_t>(state.epoch);
  return result;
}

void KafkaModel::raise_epoch(TransactionalId& state) {
  if (state.epoch >= kEpochMax - 1) {
    state.producer_id = next_producer_id_++;
    state.epoch = 0;
  } else {
    ++state.epoch;
  }
}

ErrorCode KafkaModel::end_transaction(const std::string& id, int64_t producer_id,
                                      int32_t producer_epoch, bool commit) {
  if (const auto error = coordinator_error()) return *error;
  const auto found = ids_.find(id);
  if (found == ids_.end() || found->second.producer_id != producer_id) {
    return ErrorCode::kInvalidProducerIdMapping;
  }
  TransactionalId& state = found->second;
  if (state.epoch != producer_epoch) return ErrorCode::kInvalidProducerEpoch;
  switch (state.state) {
    case State::kOngoing:
      end(id, state, commit, false, AbortCause::kEndTransaction);
      return ErrorCode::kNone;
    case State::kPrepareCommit:
      return commit ? ErrorCode::kConcurrentTransactions : ErrorCode::kInvalidTxnState;
    case State::kPrepareAbort:
    case State::kPrepareEpochFence:
      return commit ? ErrorCode::kInvalidTxnState : ErrorCode::kConcurrentTransactions;
    case State::kCompleteCommit:
      return commit ? ErrorCode::kNone : ErrorCode::kInvalidTxnState;
    case State::kCompleteAbort:
      return commit ? ErrorCode::kInvalidTxnState : ErrorCode::kNone;
    default:
      return ErrorCode::kInvalidTxnState;
  }
}

WatchedTransaction KafkaModel::watched(const std::string& id, const TransactionalId& state) const {
  WatchedTransaction transaction{state.serial, id, state.producer_id, state.epoch, {}};
  for (const int partition : state.partitions) {
    const Partition& log = partitions_[static_cast<size_t>(partition)];
    const auto producer = log.producers.find(state.producer_id);
    if (producer == log.producers.end()) continue;
    for (const int64_t offset : producer->second.open) {
      transaction.records.push_back(log.log[static_cast<size_t>(offset)].record);
    }
  }
  return transaction;
}

void KafkaModel::end(const std::string& id, TransactionalId& state, bool commit, bool fencing,
                     AbortCause cause) {
  const WatchedTransaction transaction = watched(id, state);
  WEIR_TRACE(events_, "kafka",
             absl::StrCat(commit    ? "commits "
                          : fencing ? "fences and aborts "
                                    : "aborts ",
                          id, " pid ", state.producer_id, " epoch ", state.epoch, ", ",
                          transaction.records.size(), " records"));
  if (commit && on_commit) on_commit(transaction);
  if (!commit && on_abort) on_abort(transaction, cause);
  state.fencing = fencing;
  // The markers carry the raised epoch, which is what shuts the old producer out of its partitions.
  if (fencing && state.epoch < kEpochMax) ++state.epoch;
  state.state = commit ? State::kPrepareCommit : State::kPrepareAbort;
  state.changed_us = events_.now_us();
  state.markers_missing = static_cast<int>(state.partitions.size());
  if (state.markers_missing == 0) {
    complete(state, commit);
    return;
  }
  for (const int partition : state.partitions) {
    events_.after(random_.between(0, options_.marker_delay_max_us),
                  [this, id, partition, serial = state.serial, commit] {
                    write_marker(id, partition, serial, commit);
                  });
  }
}

void KafkaModel::write_marker(const std::string& id, int partition, uint64_t serial, bool commit) {
  Partition& log = partitions_[static_cast<size_t>(partition)];
  const bool left_out = options_.leaves_out_markers && !has_leader(log) && !coordinators_away();
  if (!left_out && (!has_leader(log) || coordinators_away())) {
    events_.after(kMarkerRetryUs, [this, id, partition, serial, commit] {
      write_marker(id, partition, serial, commit);
    });
    return;
  }
  TransactionalId& state = ids_.at(id);
  WEIR_CHECK(preparing(state.state) && state.serial == serial);
  if (left_out) {
    WEIR_TRACE(events_, "kafka",
               absl::StrCat("leaves out a marker of ", id, " in partition ", partition));
  } else {
    end_in(log, state.producer_id, state.epoch, commit);
  }
  if (--state.markers_missing == 0) complete(state, commit);
}

bool KafkaModel::has_leader(const Partition& partition) const {
  return broker_alive(partition.leader) && events_.now_us() >= partition.away_until_us;
}

void KafkaModel::end_in(Partition& log, int64_t producer_id, int32_t epoch, bool commit) {
  ProducerState& producer = log.producers[producer_id];
  for (const int64_t offset : producer.open) {
    log.log[static_cast<size_t>(offset)].committed = commit;
  }
  producer.open.clear();
  if (producer.epoch < epoch) {
    producer.epoch = epoch;
    producer.next_sequence = 0;
    producer.first_of.clear();
  }
  log.log.push_back({{}, producer_id, true, commit});
}

kafka::protocol::ClusterMetadata KafkaModel::metadata() const {
  kafka::protocol::TopicMetadata topic;
  topic.name = "out";
  for (size_t i = 0; i < partitions_.size(); ++i) {
    const Partition& partition = partitions_[i];
    topic.partitions.push_back({.partition = static_cast<int32_t>(i),
                                .leader = has_leader(partition) ? partition.leader : -1,
                                .leader_epoch = partition.leader_epoch});
  }
  kafka::protocol::ClusterMetadata cluster;
  cluster.topics.push_back(std::move(topic));
  return cluster;
}

kafka::protocol::PartitionProducers KafkaModel::describe_producers(int partition) const {
  const Partition& log = partitions_[static_cast<size_t>(partition)];
  kafka::protocol::PartitionProducers described;
  described.partition = {"out", partition};
  if (!has_leader(log)) {
    described.error = ErrorCode::kLeaderNotAvailable;
    return described;
  }
  for (const auto& [producer_id, producer] : log.producers) {
    described.producers.push_back(
        {.producer_id = producer_id,
         .producer_epoch = producer.epoch,
         .transaction_start_offset = producer.open.empty() ? -1 : producer.open.front()});
  }
  return described;
}

ErrorCode KafkaModel::write_transaction_marker(int partition,
                                               const kafka::protocol::TransactionMarker& marker) {
  Partition& log = partitions_[static_cast<size_t>(partition)];
  if (!has_leader(log)) return ErrorCode::kLeaderNotAvailable;
  if (marker.producer_epoch < log.producers[marker.producer_id].epoch) {
    return ErrorCode::kInvalidProducerEpoch;
  }
  WEIR_TRACE(
      events_, "kafka",
      absl::StrCat("is given a marker of pid ", marker.producer_id, " in partition ", partition));
  end_in(log, marker.producer_id, marker.producer_epoch, marker.commit);
  return ErrorCode::kNone;
}

void KafkaModel::complete(TransactionalId& state, bool commit) {
  state.state = commit ? State::kCompleteCommit : State::kCompleteAbort;
  state.changed_us = events_.now_us();
  state.partitions.clear();
  if (state.fencing && options_.transaction_version_2 && state.epoch < kEpochMax) ++state.epoch;
  state.fencing = false;
}

kafka::protocol::TransactionDescription KafkaModel::describe_transaction(const std::string& id) {
  kafka::protocol::TransactionDescription description;
  description.transactional_id = id;
  if (const auto error = coordinator_error()) {
    description.error = *error;
    return description;
  }
  const auto found = ids_.find(id);
  if (found == ids_.end()) {
    description.error = ErrorCode::kTransactionalIdNotFound;
    return description;
  }
  const TransactionalId& state = found->second;
  description.state = state.state;
  description.producer_id = state.producer_id;
  description.producer_epoch = static_cast<int16_t>(state.epoch);
  description.timeout_ms = static_cast<int32_t>(state.timeout_us / kMillisecond);
  if (state.state == State::kOngoing || preparing(state.state)) {
    description.start_time_ms = state.start_us / kMillisecond;
    std::vector<int> partitions = state.partitions;
    std::sort(partitions.begin(), partitions.end());
    for (const int partition : partitions)
      description.topic_partitions.push_back({"out", partition});
  }
  return description;
}

std::vector<kafka::protocol::ListedTransaction> KafkaModel::list_transactions(int broker) {
  std::vector<kafka::protocol::ListedTransaction> listed;
  for (const auto& [id, state] : ids_) {
    if (coordinator_of(id) == broker)
      listed.push_back({id, state.producer_id, state.state, broker});
  }
  return listed;
}

ErrorCode KafkaModel::add_partition(const std::string& id, int64_t producer_id,
                                    int32_t producer_epoch, int partition) {
  if (const auto error = coordinator_error()) return *error;
  const auto found = ids_.find(id);
  if (found == ids_.end() || found->second.producer_id != producer_id) {
    return ErrorCode::kInvalidProducerIdMapping;
  }
  TransactionalId& state = found->second;
  if (state.epoch != producer_epoch) return ErrorCode::kInvalidProducerEpoch;
  if (preparing(state.state)) return ErrorCode::kConcurrentTransactions;
  if (state.state != State::kOngoing) {
    state.state = State::kOngoing;
    state.partitions.clear();
    state.start_us = events_.now_us();
    state.serial = next_serial_++;
    watch_timeout(id, state.serial);
  }
  state.changed_us = events_.now_us();
  if (std::find(state.partitions.begin(), state.partitions.end(), partition) ==
      state.partitions.end()) {
    state.partitions.push_back(partition);
  }
  return ErrorCode::kNone;
}

void KafkaModel::watch_timeout(const std::string& id, uint64_t serial) {
  events_.after(ids_.at(id).timeout_us, [this, id, serial] {
    const auto found = ids_.find(id);
    if (found == ids_.end()) return;
    TransactionalId& state = found->second;
    if (state.serial != serial || state.state != State::kOngoing) return;
    WEIR_TRACE(events_, "kafka", absl::StrCat("times out ", id));
    end(id, state, false, true, AbortCause::kTimeout);
  });
}

ErrorCode KafkaModel::produce(const std::string& id, int64_t producer_id, int32_t producer_epoch,
                              int partition, int64_t sequence,
                              const std::vector<OutputRecord>& records) {
  Partition& log = partitions_[static_cast<size_t>(partition)];
  if (events_.now_us() < log.away_until_us) return ErrorCode::kLeaderNotAvailable;
  ProducerState& producer = log.producers[producer_id];
  if (producer_epoch < producer.epoch) return ErrorCode::kInvalidProducerEpoch;
  if (producer_epoch > producer.epoch) {
    producer.epoch = producer_epoch;
    producer.next_sequence = 0;
    producer.first_of.clear();
    producer.open.clear();
  }
  if (sequence < producer.next_sequence)
    return ErrorCode::kNone;  // a duplicate, known by its number
  if (sequence > producer.next_sequence) return kOutOfOrderSequence;
  if (producer.open.empty()) {
    // The leader asks the coordinator whether this transaction is open and has the partition.
    if (const auto error = coordinator_error()) return *error;
    const auto found = ids_.find(id);
    if (found == ids_.end() || found->second.producer_id != producer_id) {
      return ErrorCode::kInvalidProducerIdMapping;
    }
    const TransactionalId& state = found->second;
    if (state.epoch != producer_epoch) return ErrorCode::kInvalidProducerEpoch;
    const bool has_partition = std::find(state.partitions.begin(), state.partitions.end(),
                                         partition) != state.partitions.end();
    if (state.state != State::kOngoing || !has_partition) return ErrorCode::kInvalidTxnState;
  }
  producer.first_of[sequence] = static_cast<int64_t>(log.log.size());
  for (const OutputRecord& record : records) {
    producer.open.push_back(static_cast<int64_t>(log.log.size()));
    log.log.push_back({record, producer_id, false, false});
  }
  producer.next_sequence += static_cast<int64_t>(records.size());
  return ErrorCode::kNone;
}

int64_t KafkaModel::offset_of(int partition, int64_t producer_id, int32_t producer_epoch,
                              int64_t sequence) {
  const Partition& log = partitions_[static_cast<size_t>(partition)];
  const auto producer = log.producers.find(producer_id);
  if (producer == log.producers.end() || producer->second.epoch != producer_epoch) return -1;
  const auto offset = producer->second.first_of.find(sequence);
  return offset == producer->second.first_of.end() ? -1 : offset->second;
}

int KafkaModel::any_broker_alive() {
  std::vector<int> alive;
  for (int broker = 0; broker < options_.brokers; ++broker) {
    if (broker_alive(broker)) alive.push_back(broker);
  }
  return alive.empty() ? -1 : random_.pick(alive);
}

void KafkaModel::kill_broker(int broker) {
  if (!broker_alive(broker)) return;
  WEIR_TRACE(events_, "kafka", absl::StrCat("broker ", broker, " is killed"));
  brokers_[static_cast<size_t>(broker)].alive = false;
  const int64_t back_us = events_.now_us() + random_.between(kFailoverMinUs, kFailoverMaxUs);
  coordinators_away_until_us_ = std::max(coordinators_away_until_us_, back_us);
  for (Partition& partition : partitions_) {
    if (partition.leader != broker) continue;
    // Partitions find their next leader later than the coordinators, or at the same time.
    partition.away_until_us =
        back_us + (random_.chance(0.5) ? random_.between(0, kFailoverMaxUs) : 0);
    ++partition.leader_epoch;
  }
  events_.at(back_us, [this, broker] {
    const int heir = any_broker_alive();
    if (heir < 0) return;  // its own restart brings everything back
    for (int& leader : shard_leaders_) {
      if (leader == broker) leader = heir;
    }
    for (Partition& partition : partitions_) {
      if (partition.leader != broker) continue;
      partition.leader = heir;
      ++partition.leader_epoch;
    }
  });
}

void KafkaModel::start_broker(int broker) {
  WEIR_TRACE(events_, "kafka", absl::StrCat("broker ", broker, " is started"));
  brokers_[static_cast<size_t>(broker)].alive = true;
}

void KafkaModel::move_coordinators(int64_t duration_us) {
  WEIR_TRACE(events_, "kafka", "coordinators are away");
  coordinators_away_until_us_ =
      std::max(coordinators_away_until_us_, events_.now_us() + duration_us);
}

void KafkaModel::expire_ids(int64_t idle_us) {
  for (auto id = ids_.begin(); id != ids_.end();) {
    const TransactionalId& state = id->second;
    const bool open = state.state == State::kOngoing || preparing(state.state);
    if (!open && state.changed_us + idle_us <= events_.now_us()) {
      WEIR_TRACE(events_, "kafka", absl::StrCat("forgets ", id->first));
      id = ids_.erase(id);
    } else {
      ++id;
    }
  }
}

int64_t KafkaModel::last_stable_offset(int partition) const {
  const Partition& log = partitions_[static_cast<size_t>(partition)];
  int64_t stable = static_cast<int64_t>(log.log.size());
  for (const auto& [producer_id, producer] : log.producers) {
    if (!producer.open.empty()) stable = std::min(stable, producer.open.front());
  }
  return stable;
}

int64_t KafkaModel::log_end_offset(int partition) const {
  return static_cast<int64_t>(partitions_[static_cast<size_t>(partition)].log.size());
}

std::vector<OutputRecord> KafkaModel::read_committed(int partition) const {
  std::vector<OutputRecord> records;
  const Partition& log = partitions_[static_cast<size_t>(partition)];
  const int64_t stable = last_stable_offset(partition);
  for (int64_t offset = 0; offset < stable; ++offset) {
    const LogEntry& entry = log.log[static_cast<size_t>(offset)];
    if (!entry.marker && entry.committed) records.push_back(entry.record);
  }
  return records;
}

std::vector<std::string> KafkaModel::open_since(int64_t begun_us) const {
  std::vector<std::string> open;
  for (const auto& [id, state] : ids_) {
    const bool ended = state.state != State::kOngoing && !preparing(state.state);
    if (ended || state.start_us > begun_us) continue;
    if (!watched(id, state).records.empty()) open.push_back(id);
  }
  return open;
}

}  // namespace weir::simulation
