#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "connectors/kafka/protocol/transaction_admin.h"
#include "tests/simulation/world.h"

namespace weir::simulation {

// A process' way to the brokers: requests that take their time, whose connection may break before
// or after they act, and which may act long after the client gave them up.
class KafkaLink {
 public:
  KafkaLink(World& world, Process& process) : world_(world), process_(process) {}

  // `execute` happens at the broker; `done` gets its answer, or nothing: then nobody knows.
  template <typename Response>
  void call(int broker, std::function<Response()> execute,
            std::function<void(std::optional<Response>)> done) {
    const Fate fate = draw_fate(broker);
    if (fate.arrival_us >= 0) {
      const bool answered = fate.answer_us >= 0;
      world_.events.at(fate.arrival_us, [this, broker, fate, answered, execute, done] {
        if (!world_.kafka.broker_alive(broker)) {
          if (answered) process_.at(fate.answer_us, [done] { done(std::nullopt); });
          return;
        }
        Response response = execute();
        if (answered) process_.at(fate.answer_us, [done, response] { done(response); });
      });
    }
    if (fate.answer_us < 0) process_.at(fate.broken_us, [done] { done(std::nullopt); });
  }

  Process& process() { return process_; }
  World& world() { return world_; }

 private:
  struct Fate {
    int64_t arrival_us = -1;  // -1: never
    int64_t answer_us = -1;   // -1: the connection breaks instead
    int64_t broken_us = -1;
  };
  Fate draw_fate(int broker);

  World& world_;
  Process& process_;
};

// The calls of protocol::TransactionAdmin, answered later instead of blocking. After close()
// nothing is answered and nothing new is sent.
class KafkaAdmin {
 public:
  using ErrorCode = kafka::protocol::ErrorCode;

  KafkaAdmin(World& world, Process& process) : link_(world, process) {}

  // Until it succeeds; `attempts` counts requests whose effect isn't known, and the last.
  void init_producer_id(const std::string& id,
                        std::function<void(kafka::protocol::InitProducerIdResult)> done,
                        int unknown_attempts = 0);
  // Once; nothing: not known.
  void end_transaction(const std::string& id, int64_t producer_id, int32_t producer_epoch,
                       bool commit, std::function<void(std::optional<ErrorCode>)> done);
  void describe(const std::string& id,
                std::function<void(std::optional<kafka::protocol::TransactionDescription>)> done);
  // As the id's coordinator sees it.
  void metadata(const std::string& id,
                std::function<void(std::optional<kafka::protocol::ClusterMetadata>)> done);
  void describe_producers(
      int partition, std::function<void(std::optional<kafka::protocol::PartitionProducers>)> done);
  void write_transaction_marker(int partition, const kafka::protocol::TransactionMarker& marker,
                                std::function<void(std::optional<ErrorCode>)> done);
  using Listed = std::vector<kafka::protocol::ListedTransaction>;
  // All ids, once every broker has answered. Repeated until then.
  void list(std::function<void(Listed)> done);

  void close() { closed_ = true; }

 private:
  void list_from(int broker, Listed all, std::function<void(Listed)> done);

  KafkaLink link_;
  bool closed_ = false;
};

// A producer handle as librdkafka has it: batches, retries, sequence numbers, delivery reports.
// Dropping it sends nothing, and its requests on their way may still arrive.
class KafkaProducer {
 public:
  struct Range {
    int64_t first = -1;
    int64_t last = -1;
    uint64_t records = 0;
  };

  KafkaProducer(World& world, Process& process, std::string id);

  // `init_attempts`: InitProducerId requests sent. Not called after close().
  void init(std::function<void(int init_attempts)> done);
  // For the mutation that goes on with an old handle's producer id and epoch.
  void take_over(const KafkaProducer& old);
  void produce(int partition, OutputRecord record);
  // When everything has been reported: whether all of it was delivered.
  void flush(std::function<void(bool)> done);
  void close();

  const std::string& id() const { return id_; }
  int64_t producer_id() const { return producer_id_; }
  int32_t epoch() const { return epoch_; }
  const std::map<int, Range>& written() const { return written_; }

 private:
  struct PartitionQueue {
    std::deque<OutputRecord> waiting;
    std::vector<OutputRecord> in_flight;
    int64_t sequence = 0;
    bool added = false;
    bool busy = false;
    int64_t give_up_us = 0;
  };

  void send(int partition);
  void send_batch(int partition);
  void delivered(int partition);
  void retry(int partition, std::function<void()> again);
  void fail();
  void report();

  World& world_;
  Process& process_;
  KafkaAdmin admin_;
  KafkaLink link_;
  const std::string id_;
  int64_t producer_id_ = -1;
  int32_t epoch_ = -1;
  bool closed_ = false;
  bool failed_ = false;
  std::map<int, PartitionQueue> queues_;
  std::map<int, Range> written_;
  std::function<void(bool)> flushed_;
};

}  // namespace weir::simulation
