#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "connectors/kafka/protocol/error_code.h"
#include "connectors/kafka/protocol/transaction_admin.h"
#include "tests/simulation/event_queue.h"
#include "tests/simulation/random.h"

namespace weir::simulation {

// What a record of the simulated job is: where it stood in the input. The output must hold each
// exactly once.
struct RecordId {
  int32_t split = 0;
  int64_t offset = 0;

  auto operator<=>(const RecordId&) const = default;
};

// What the simulated job writes for a record of its input.
struct OutputRecord {
  RecordId id;
  int key = 0;        // always in the same partition
  int64_t count = 0;  // of its key, this one included; 0: the job keeps no state
};

// One transaction, for those who watch the model. Serial numbers are the model's own: (id, producer
// id, epoch) may stand for several transactions in a row, as in Kafka.
struct WatchedTransaction {
  uint64_t serial = 0;
  std::string transactional_id;
  int64_t producer_id = -1;
  int32_t producer_epoch = -1;
  std::vector<OutputRecord> records;
};

enum class AbortCause { kTimeout, kInitProducerId, kEndTransaction };

// A Kafka cluster with transactions as they were measured: transaction coordinators, partition
// leaders, markers, fencing. Requests act at once when they arrive; the way there and back is the
// client's (kafka_client.h). Everything acknowledged survives the death of a broker; what is gone
// with it are requests on their way, and for a while its coordinators and leaders answer nobody.
//
// Each transactional id has its coordinator on one broker, each partition its leader; both move to
// another broker when theirs dies.
class KafkaModel {
 public:
  struct Options {
    int brokers = 2;
    int partitions = 3;
    int64_t marker_delay_max_us = 3 * kMillisecond;
    // Where the epochs of a new id begin: near the end, a new producer id follows soon.
    int32_t first_epoch = 0;
    // As Kafka 4.1 to 4.3: a partition that has no leader when a marker is due never gets it.
    bool leaves_out_markers = false;
    // A broker with transaction.version 2 raises the epoch once more when it fences.
    bool transaction_version_2 = true;
  };

  using ErrorCode = kafka::protocol::ErrorCode;

  KafkaModel(EventQueue& events, Random& random, Options options);
  KafkaModel(const KafkaModel&) = delete;
  KafkaModel& operator=(const KafkaModel&) = delete;

  // --- requests, in the state of their arrival ---
  kafka::protocol::InitProducerIdResult init_producer_id(const std::string& id, int64_t timeout_us);
  ErrorCode end_transaction(const std::string& id, int64_t producer_id, int32_t producer_epoch,
                            bool commit);
  kafka::protocol::TransactionDescription describe_transaction(const std::string& id);
  std::vector<kafka::protocol::ListedTransaction> list_transactions(int broker);
  // The partitions' leaders and their epochs, as coordinators see them.
  kafka::protocol::ClusterMetadata metadata() const;
  kafka::protocol::PartitionProducers describe_producers(int partition) const;
  ErrorCode write_transaction_marker(int partition,
                                     const kafka::protocol::TransactionMarker& marker);
  ErrorCode add_partition(const std::string& id, int64_t producer_id, int32_t producer_epoch,
                          int partition);
  // `sequence` counts the records of this producer epoch in this partition; what was appended
  // already isn't appended again.
  ErrorCode produce(const std::string& id, int64_t producer_id, int32_t producer_epoch,
                    int partition, int64_t sequence, const std::vector<OutputRecord>& records);
  // The offset of the first record of the batch in the partition, -1 if it isn't there.
  int64_t offset_of(int partition, int64_t producer_id, int32_t producer_epoch, int64_t sequence);

  // --- faults ---
  void kill_broker(int broker);
  void start_broker(int broker);
  bool coordinators_away() const { return events_.now_us() < coordinators_away_until_us_; }
  bool broker_alive(int broker) const { return brokers_[static_cast<size_t>(broker)].alive; }
  int broker_count() const { return options_.brokers; }
  // The coordinator of every id is away for a while: 14, 15 or 16.
  void move_coordinators(int64_t duration_us);
  // Forgets ids without an open transaction that weren't used for `idle_us`.
  void expire_ids(int64_t idle_us);

  // The broker that coordinates an id, or leads a partition; the one that clients ask.
  int coordinator_of(const std::string& id) const;
  int leader_of(int partition) const { return partitions_[static_cast<size_t>(partition)].leader; }

  // --- what readers see ---
  int partition_count() const { return options_.partitions; }
  // As isolation.level=read_committed: below the last stable offset, without what was aborted.
  std::vector<OutputRecord> read_committed(int partition) const;
  int64_t last_stable_offset(int partition) const;
  int64_t log_end_offset(int partition) const;
  // Ids with a transaction that isn't completed and holds records. (One without is what a late
  // AddPartitionsToTxn leaves behind: nobody waits for it.)
  std::vector<std::string> open_transactions() const { return open_since(events_.now_us()); }
  // Of these, the ones begun by then.
  std::vector<std::string> open_since(int64_t begun_us) const;
  // Ids that the coordinators remember.
  size_t id_count() const { return ids_.size(); }

  // --- watchers: called when the fate is decided, before the markers are written ---
  std::function<void(const WatchedTransaction&)> on_commit;
  std::function<void(const WatchedTransaction&, AbortCause)> on_abort;

 private:
  using State = kafka::protocol::TransactionState;

  struct Broker {
    bool alive = true;
  };
  struct TransactionalId {
    int64_t producer_id = -1;
    int32_t epoch = -1;
    State state = State::kEmpty;
    std::vector<int> partitions;  // in the open transaction
    int64_t start_us = 0;
    int64_t timeout_us = 0;
    int64_t changed_us = 0;
    uint64_t serial = 0;      // of the open transaction, or the last one
    int markers_missing = 0;  // in a Prepare state
    bool fencing = false;     // the abort under way raises the epoch
  };
  struct LogEntry {
    OutputRecord record;
    int64_t producer_id = -1;
    bool marker = false;
    bool committed = false;
  };
  struct ProducerState {
    int32_t epoch = -1;
    int64_t next_sequence = 0;
    std::vector<int64_t> open;            // offsets of the open transaction here
    std::map<int64_t, int64_t> first_of;  // sequence → offset of each batch of this epoch
  };
  struct Partition {
    int leader = 0;
    int32_t leader_epoch = 0;
    int64_t away_until_us = 0;
    std::vector<LogEntry> log;
    std::map<int64_t, ProducerState> producers;  // by producer id
  };

  std::optional<ErrorCode> coordinator_error();
  void end(const std::string& id, TransactionalId& state, bool commit, bool fencing,
           AbortCause cause);
  void write_marker(const std::string& id, int partition, uint64_t serial, bool commit);
  bool has_leader(const Partition& partition) const;
  static void end_in(Partition& log, int64_t producer_id, int32_t epoch, bool commit);
  void complete(TransactionalId& state, bool commit);
  void raise_epoch(TransactionalId& state);
  void watch_timeout(const std::string& id, uint64_t serial);
  WatchedTransaction watched(const std::string& id, const TransactionalId& state) const;
  int any_broker_alive();

  EventQueue& events_;
  Random& random_;
  const Options options_;
  std::vector<Broker> brokers_;
  std::vector<int> shard_leaders_;  // coordinators: an id belongs to a shard by its hash
  std::vector<Partition> partitions_;
  std::map<std::string, TransactionalId> ids_;
  int64_t coordinators_away_until_us_ = 0;
  int64_t next_producer_id_ = 1000;
  uint64_t next_serial_ = 1;
};

}  // namespace weir::simulation
