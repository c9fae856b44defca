#include "tests/simulation/kafka_client.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace weir::simulation {
namespace {

using kafka::protocol::ErrorCode;
using kafka::protocol::InitProducerIdResult;

constexpr int64_t kRetryMinUs = 2 * kMillisecond;
constexpr int64_t kRetryMaxUs = 15 * kMillisecond;
constexpr int64_t kLateMaxUs = 400 * kMillisecond;
constexpr int64_t kDeliveryTimeoutUs = 500 * kMillisecond;
constexpr size_t kBatchMax = 8;

bool retriable(ErrorCode error) {
  return kafka::protocol::is_coordinator_moved(error) ||
         error == ErrorCode::kConcurrentTransactions || error == ErrorCode::kLeaderNotAvailable;
}

}  // namespace

KafkaLink::Fate KafkaLink::draw_fate(int broker) {
  Random& random = world_.random;
  const int64_t now_us = world_.events.now_us();
  const int64_t cut_until_us = world_.network.cut_until_us(&process_, nullptr);
  Fate fate;
  if (now_us < cut_until_us) {
    // Waits in the socket's buffer; the client loses patience before it hears of anything.
    if (random.chance(0.5)) fate.arrival_us = cut_until_us + random.between(0, kMillisecond);
    fate.broken_us = now_us + random.between(20, 60) * kMillisecond;
    return fate;
  }
  if (!world_.kafka.broker_alive(broker)) {
    fate.broken_us = now_us + random.between(100, 1000);
    return fate;
  }
  if (random.chance(world_.scenario.kafka_breaks)) {
    fate.broken_us = now_us + random.between(100, 2000);
    switch (random.between(0, 2)) {
      case 0:  // never sent
        break;
      case 1:  // acted upon, the answer is lost
        fate.arrival_us = now_us + random.between(50, 100);
        break;
      default:  // acted upon when nobody expects it any more
        fate.arrival_us = fate.broken_us + random.between(0, kLateMaxUs);
    }
    return fate;
  }
  fate.arrival_us = now_us + world_.network.delay_us();
  fate.answer_us = fate.arrival_us + world_.network.delay_us();
  return fate;
}

void KafkaAdmin::init_producer_id(const std::string& id,
                                  std::function<void(InitProducerIdResult)> done,
                                  int unknown_attempts) {
  if (closed_) return;
  World& world = link_.world();
  link_.call<InitProducerIdResult>(
      world.kafka.coordinator_of(id),
      [&world, id] {
        return world.kafka.init_producer_id(id, world.scenario.transaction_timeout_us);
      },
      [this, id, done, unknown_attempts](std::optional<InitProducerIdResult> result) {
        if (closed_) return;
        if (result && result->error == ErrorCode::kNone) {
          result->attempts = unknown_attempts + 1;
          done(*result);
          return;
        }
        World& world = link_.world();
        link_.process().after(world.random.between(kRetryMinUs, kRetryMaxUs),
                              [this, id, done, attempts = unknown_attempts + (result ? 0 : 1)] {
                                init_producer_id(id, done, attempts);
                              });
      });
}

void KafkaAdmin::end_transaction(const std::string& id, int64_t producer_id, int32_t producer_epoch,
                                 bool commit, std::function<void(std::optional<ErrorCode>)> done) {
  if (closed_) return;
  World& world = link_.world();
  link_.call<ErrorCode>(
      world.kafka.coordinator_of(id),
      [&world, id, producer_id, producer_epoch, commit] {
        return world.kafka.end_transaction(id, producer_id, producer_epoch, commit);
      },
      [this, done](std::optional<ErrorCode> error) {
        if (!closed_) done(error);
      });
}

void KafkaAdmin::describe(
    const std::string& id,
    std::function<void(std::optional<kafka::protocol::TransactionDescription>)> done) {
  if (closed_) return;
  World& world = link_.world();
  link_.call<kafka::protocol::TransactionDescription>(
      world.kafka.coordinator_of(id), [&world, id] { return world.kafka.describe_transaction(id); },
      [this, done](std::optional<kafka::protocol::TransactionDescription> description) {
        if (!closed_) done(description);
      });
}

void KafkaAdmin::metadata(
    const std::string& id,
    std::function<void(std::optional<kafka::protocol::ClusterMetadata>)> done) {
  if (closed_) return;
  World& world = link_.world();
  link_.call<kafka::protocol::ClusterMetadata>(
      world.kafka.coordinator_of(id), [&world] { return world.kafka.metadata(); },
      [this, done](std::optional<kafka::protocol::ClusterMetadata> cluster) {
        if (!closed_) done(std::move(cluster));
      });
}

void KafkaAdmin::describe_producers(
    int partition, std::function<void(std::optional<kafka::protocol::PartitionProducers>)> done) {
  if (closed_) return;
  World& world = link_.world();
  link_.call<kafka::protocol::PartitionProducers>(
      world.kafka.leader_of(partition),
      [&world, partition] { return world.kafka.describe_producers(partition); },
      [this, done](std::optional<kafka::protocol::PartitionProducers> described) {
        if (!closed_) done(std::move(described));
      });
}

void KafkaAdmin::write_transaction_marker(int partition,
                                          const kafka::protocol::TransactionMarker& marker,
                                          std::function<void(std::optional<ErrorCode>)> done) {
  if (closed_) return;
  World& world = link_.world();
  link_.call<ErrorCode>(
      world.kafka.leader_of(partition),
      [&world, partition, marker] {
        return world.kafka.write_transaction_marker(partition, marker);
      },
      [this, done](std::optional<ErrorCode> error) {
        if (!closed_) done(error);
      });
}

void KafkaAdmin::list(std::function<void(Listed)> done) {
  list_from(0, {}, std::move(done));
}

void KafkaAdmin::list_from(int broker, Listed all, std::function<void(Listed)> done) {
  if (closed_) return;
  World& world = link_.world();
  if (broker == world.kafka.broker_count()) return done(std::move(all));
  using Answer = std::optional<Listed>;
  link_.call<Answer>(
      broker,
      [&world, broker]() -> Answer {
        if (world.kafka.coordinators_away()) return std::nullopt;
        return world.kafka.list_transactions(broker);
      },
      [this, broker, all, done](std::optional<Answer> answer) mutable {
        if (closed_) return;
        if (!answer || !*answer) {
          // Who isn't there now may come back, or its ids move: ask all of them again.
          link_.process().after(kRetryMaxUs, [this, done] { list_from(0, {}, done); });
          return;
        }
        all.insert(all.end(), (*answer)->begin(), (*answer)->end());
        list_from(broker + 1, std::move(all), std::move(done));
      });
}

KafkaProducer::KafkaProducer(World& world, Process& process, std::string id)
    : world_(world),
      process_(process),
      admin_(world, process),
      link_(world, process),
      id_(std::move(id)) {}

void KafkaProducer::init(std::function<void(int)> done) {
  admin_.init_producer_id(id_, [this, done](InitProducerIdResult result) {
    producer_id_ = result.producer_id;
    epoch_ = result.producer_epoch;
    done(result.attempts);
  });
}

void KafkaProducer::take_over(const KafkaProducer& old) {
  producer_id_ = old.producer_id_;
  epoch_ = old.epoch_;
  for (const auto& [partition, queue] : old.queues_) queues_[partition].sequence = queue.sequence;
}

void KafkaProducer::produce(int partition, OutputRecord record) {
  PartitionQueue& queue = queues_[partition];
  queue.waiting.push_back(record);
  if (queue.busy) return;
  queue.busy = true;
  process_.after(world_.random.between(100, 4000), [this, partition] { send(partition); });
}

void KafkaProducer::send(int partition) {
  if (closed_ || failed_) return;
  PartitionQueue& queue = queues_[partition];
  if (queue.in_flight.empty()) {
    const size_t size = std::min(queue.waiting.size(), kBatchMax);
    queue.in_flight.assign(queue.waiting.begin(),
                           queue.waiting.begin() + static_cast<std::ptrdiff_t>(size));
    queue.waiting.erase(queue.waiting.begin(),
                        queue.waiting.begin() + static_cast<std::ptrdiff_t>(size));
    queue.give_up_us = world_.events.now_us() + kDeliveryTimeoutUs;
  }
  if (queue.added) return send_batch(partition);
  link_.call<ErrorCode>(
      world_.kafka.coordinator_of(id_),
      [this, partition] {
        return world_.kafka.add_partition(id_, producer_id_, epoch_, partition);
      },
      [this, partition](std::optional<ErrorCode> error) {
        if (closed_ || failed_) return;
        if (error && *error == ErrorCode::kNone) {
          queues_[partition].added = true;
          send_batch(partition);
        } else if (!error || retriable(*error)) {
          retry(partition, [this, partition] { send(partition); });
        } else {
          fail();
        }
      });
}

void KafkaProducer::send_batch(int partition) {
  if (closed_ || failed_) return;
  PartitionQueue& queue = queues_[partition];
  if (world_.strikes(world_.scenario.delivery_fails)) {
    // As a record over the broker's maximum: only its delivery report tells.
    WEIR_TRACE(world_.events, process_.name(), absl::StrCat("a batch of ", id_, " is refused"));
    queue.in_flight.clear();
    failed_ = true;
    if (world_.broken(Mutation::kFlushErrorIgnored)) failed_ = false;
    return delivered(partition);
  }
  link_.call<ErrorCode>(
      world_.kafka.leader_of(partition),
      [this, partition, sequence = queue.sequence, records = queue.in_flight] {
        return world_.kafka.produce(id_, producer_id_, epoch_, partition, sequence, records);
      },
      [this, partition](std::optional<ErrorCode> error) {
        if (closed_ || failed_) return;
        if (error && *error == ErrorCode::kNone) {
          delivered(partition);
        } else if (!error || retriable(*error)) {
          retry(partition, [this, partition] { send_batch(partition); });
        } else {
          fail();
        }
      });
}

void KafkaProducer::retry(int partition, std::function<void()> again) {
  if (world_.events.now_us() > queues_[partition].give_up_us) return fail();
  process_.after(world_.random.between(kRetryMinUs, kRetryMaxUs), std::move(again));
}

void KafkaProducer::delivered(int partition) {
  PartitionQueue& queue = queues_[partition];
  const auto count = static_cast<int64_t>(queue.in_flight.size());
  if (count > 0) {
    const int64_t offset = world_.kafka.offset_of(partition, producer_id_, epoch_, queue.sequence);
    Range& range = written_[partition];
    if (range.first < 0) range.first = offset;
    range.last = offset + count - 1;
    range.records += static_cast<uint64_t>(count);
  }
  queue.sequence += count;
  queue.in_flight.clear();
  if (queue.waiting.empty() || failed_) {
    queue.busy = false;
    report();
  } else {
    send(partition);
  }
}

void KafkaProducer::fail() {
  failed_ = true;
  WEIR_TRACE(world_.events, process_.name(), absl::StrCat("producer ", id_, " has failed"));
  report();
}

void KafkaProducer::flush(std::function<void(bool)> done) {
  flushed_ = std::move(done);
  report();
}

void KafkaProducer::report() {
  if (!flushed_ || closed_) return;
  const bool busy = std::any_of(queues_.begin(), queues_.end(),
                                [](const auto& entry) { return entry.second.busy; });
  if (busy && !failed_) return;
  auto flushed = std::exchange(flushed_, nullptr);
  process_.after(10, [this, flushed, ok = !failed_] {
    if (!closed_) flushed(ok);
  });
}

void KafkaProducer::close() {
  closed_ = true;
  admin_.close();
}

}  // namespace weir::simulation
