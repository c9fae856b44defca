// What librdkafka alone can do: consume (read_committed) → produce in transactions, one commit
// every
// --commit-interval-ms, no engine. The offsets aren't committed, and a crash would repeat records:
// it is the upper bound of a pass-through job, not a job.
//
//   raw_loop --brokers B --in I --out O --records N [--pairs 2] [--commit-interval-ms 1000]
//            [--prefix processed_] [--bytes B] [--consumer k=v]… [--producer k=v]…
//
// It writes the prefix and the record, or the first B bytes of that. Each pair is a thread with a
// consumer of its share of the partitions and a producer of its own.
// Prints one line of JSON.
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "bench/tools/kafka_handle.h"
#include "connectors/kafka/client/consumer_queue.h"

namespace weir::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kTimeoutMs = 60'000;

std::atomic<std::int64_t> delivery_errors{0};

void on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void*) {
  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) ++delivery_errors;
}

rd_kafka_t* create_consumer(const CommandLine& args) {
  Properties properties = {{"bootstrap.servers", args.get("brokers")},
                           {"group.id", "raw-loop"},
                           {"isolation.level", "read_committed"},
                           {"enable.auto.commit", "false"},
                           {"enable.auto.offset.store", "false"}};
  for (const auto& [key, value] : args.pairs("consumer")) properties[key] = value;
  return create_handle(RD_KAFKA_CONSUMER, properties);
}

rd_kafka_t* create_producer(const CommandLine& args, int pair) {
  Properties properties = {
      {"bootstrap.servers", args.get("brokers")},
      {"transactional.id", "raw-loop-" + args.get("out") + "-" + std::to_string(pair)},
      {"linger.ms", "5"},
      {"batch.size", "1000000"},
      {"batch.num.messages", "10000"},
      {"queue.buffering.max.messages", "1000000"}};
  for (const auto& [key, value] : args.pairs("producer")) properties[key] = value;
  return create_handle(RD_KAFKA_PRODUCER, properties, on_delivery);
}

// One consumer and one producer, until all pairs together have passed `records`.
void run_pair(const CommandLine& args, int pair, int pairs, std::int64_t records,
              std::atomic<std::int64_t>& passed) {
  const std::string in = args.get("in");
  const std::string prefix = args.get("prefix", "processed_");
  const auto bytes_max = static_cast<std::size_t>(args.get_int("bytes", 1 << 30));
  const auto interval = std::chrono::milliseconds(args.get_int("commit-interval-ms", 1000));

  rd_kafka_t* consumer = create_consumer(args);
  rd_kafka_topic_partition_list_t* assignment = rd_kafka_topic_partition_list_new(8);
  const int partitions = partition_count(consumer, in);
  for (int partition = pair; partition < partitions; partition += pairs) {
    rd_kafka_topic_partition_list_add(assignment, in.c_str(), partition)->offset =
        RD_KAFKA_OFFSET_BEGINNING;
  }
  rd_kafka_poll_set_consumer(consumer);
  check(rd_kafka_assign(consumer, assignment), "assign");
  rd_kafka_topic_partition_list_destroy(assignment);
  // Fetches on when the queue has room, as Weir does: without it small queues bound the rate.
  auto queue = std::make_optional<kafka::ConsumerQueue>(consumer);

  rd_kafka_t* producer = create_producer(args, pair);
  check(rd_kafka_init_transactions(producer, kTimeoutMs), "init_transactions");
  rd_kafka_topic_t* out = rd_kafka_topic_new(producer, args.get("out").c_str(), nullptr);

  std::string value;
  bool open = false;
  Clock::time_point commit_due;
  const auto commit = [&] {
    check(rd_kafka_flush(producer, kTimeoutMs), "flush");
    check(rd_kafka_commit_transaction(producer, kTimeoutMs), "commit_transaction");
    open = false;
  };
  while (passed.load(std::memory_order_relaxed) < records) {
    const auto batch = queue->next_batch(std::chrono::milliseconds(20));
    if (!batch.ok()) fail(std::string(batch.status().message()));
    if (!batch->empty() && !open) {
      check(rd_kafka_begin_transaction(producer), "begin_transaction");
      open = true;
      commit_due = Clock::now() + interval;
    }
    std::int64_t taken = 0;
    for (const rd_kafka_message_t* message : *batch) {
      if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        value.assign(prefix).append(static_cast<const char*>(message->payload), message->len);
        value.resize(std::min(value.size(), bytes_max));
        while (rd_kafka_produce(out, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, value.data(),
                                value.size(), nullptr, 0, nullptr) != 0) {
          if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
            fail(rd_kafka_err2str(rd_kafka_last_error()));
          }
          rd_kafka_poll(producer, 1);
        }
        ++taken;
      }
    }
    rd_kafka_poll(producer, 0);
    passed += taken;
    if (open && Clock::now() >= commit_due) commit();
  }
  if (open) commit();

  rd_kafka_topic_destroy(out);
  rd_kafka_destroy(producer);
  queue.reset();
  rd_kafka_consumer_close(consumer);
  rd_kafka_destroy(consumer);
}

int run(const CommandLine& args) {
  const std::int64_t records = std::stoll(args.get("records"));
  const int pairs = static_cast<int>(args.get_int("pairs", 2));
  std::atomic<std::int64_t> passed{0};
  const auto start = Clock::now();
  std::vector<std::thread> threads;
  for (int pair = 0; pair < pairs; ++pair) {
    threads.emplace_back([&, pair] { run_pair(args, pair, pairs, records, passed); });
  }
  for (std::thread& thread : threads) thread.join();
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  if (delivery_errors > 0) {
    fail(std::to_string(delivery_errors.load()) + " records weren't written");
  }

  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto cpu_seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  std::printf(
      "{\"records\": %lld, \"seconds\": %.3f, \"cpu_seconds\": %.3f, \"memory_mib\": %.1f}\n",
      static_cast<long long>(passed.load()), seconds,
      cpu_seconds(usage.ru_utime) + cpu_seconds(usage.ru_stime),
      static_cast<double>(usage.ru_maxrss) / 1024);
  return 0;
}

}  // namespace
}  // namespace weir::bench

int main(int argc, char** argv) {
  return weir::bench::run(weir::bench::CommandLine(argc, argv));
}
