// Watches a topic from outside, as a read_committed reader sees it.
//
//   meter --brokers B --topic T --mode progress --records N [--timeout-s 300]
//     prints "<wall clock ms> <visible records>" whenever the number has changed, until N are visible;
//     looks every 20 ms, by each partition's last stable offset less the transaction markers, so the
//     numbers in between are a little high and the last one is exact.
//   meter --brokers B --topic T --mode latency --records N [--skip M]
//     reads the records that `fill` made (time, number), after any prefix that ends in '_', and prints
//     the milliseconds from creation to visibility: {"p50": …, "p99": …, "max": …, "records": …}.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "bench/tools/kafka_handle.h"

namespace weir::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kLookInterval = std::chrono::milliseconds(20);

rd_kafka_t* create_reader(const CommandLine& args) {
  return create_handle(RD_KAFKA_CONSUMER, {{"bootstrap.servers", args.get("brokers")},
                                           {"group.id", "meter"},
                                           {"isolation.level", "read_committed"},
                                           {"enable.auto.commit", "false"},
                                           {"fetch.wait.max.ms", "10"},
                                           {"enable.partition.eof", "true"}});
}

rd_kafka_queue_t* read_from_beginning(rd_kafka_t* reader, const std::string& topic) {
  rd_kafka_topic_partition_list_t* list = rd_kafka_topic_partition_list_new(8);
  const int partitions = partition_count(reader, topic);
  for (int i = 0; i < partitions; ++i) {
    rd_kafka_topic_partition_list_add(list, topic.c_str(), i)->offset = RD_KAFKA_OFFSET_BEGINNING;
  }
  rd_kafka_poll_set_consumer(reader);
  check(rd_kafka_assign(reader, list), "assign");
  rd_kafka_topic_partition_list_destroy(list);
  return rd_kafka_queue_get_consumer(reader);
}

int progress(const CommandLine& args) {
  const std::string topic = args.get("topic");
  const std::int64_t records = std::stoll(args.get("records"));
  const auto give_up = Clock::now() + std::chrono::seconds(args.get_int("timeout-s", 300));
  rd_kafka_t* reader = create_reader(args);
  const int partitions = partition_count(reader, topic);
  std::int64_t shown = -1;
  while (shown < records) {
    const auto next_look = Clock::now() + kLookInterval;
    if (next_look > give_up) fail("only " + std::to_string(shown) + " records became visible");
    std::int64_t visible = 0;
    for (int partition = 0; partition < partitions; ++partition) {
      std::int64_t low = 0;
      std::int64_t high = 0;
      check(rd_kafka_query_watermark_offsets(reader, topic.c_str(), partition, &low, &high, 10'000),
            "offsets");
      visible += high;
    }
    if (visible != shown) {
      std::printf("%lld %lld\n", static_cast<long long>(wall_clock_ms()),
                  static_cast<long long>(visible));
      std::fflush(stdout);
      shown = visible;
    }
    std::this_thread::sleep_until(next_look);
  }
  rd_kafka_destroy(reader);
  return 0;
}

int latency(const CommandLine& args) {
  const std::int64_t records = std::stoll(args.get("records"));
  const std::int64_t skip = args.get_int("skip", 0);
  rd_kafka_t* reader = create_reader(args);
  rd_kafka_queue_t* queue = read_from_beginning(reader, args.get("topic"));
  std::vector<std::int64_t> latencies_ms;
  std::vector<rd_kafka_message_t*> batch(1024);
  auto give_up = Clock::now() + std::chrono::seconds(60);
  for (std::int64_t seen = 0; seen < records;) {
    const ssize_t count = rd_kafka_consume_batch_queue(queue, 100, batch.data(), batch.size());
    const std::int64_t now_ms = wall_clock_ms();
    if (count > 0) give_up = Clock::now() + std::chrono::seconds(60);
    if (Clock::now() > give_up) fail("only " + std::to_string(seen) + " records became visible");
    for (ssize_t i = 0; i < count; ++i) {
      const rd_kafka_message_t* message = batch[i];
      if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        const std::string value(static_cast<const char*>(message->payload),
                                std::min<std::size_t>(message->len, 64));
        const std::size_t underscore = value.find('_');
        const std::size_t start = underscore == value.npos ? 0 : underscore + 1;
        const std::int64_t created_ms = std::atoll(value.c_str() + start);
        const std::int64_t number = std::atoll(value.c_str() + start + 14);
        if (number >= skip) latencies_ms.push_back(now_ms - created_ms);
        ++seen;
      }
      rd_kafka_message_destroy(batch[i]);
    }
  }
  std::sort(latencies_ms.begin(), latencies_ms.end());
  const auto quantile = [&](double q) {
    return static_cast<long long>(
        latencies_ms[static_cast<std::size_t>(q * static_cast<double>(latencies_ms.size() - 1))]);
  };
  std::printf("{\"p50\": %lld, \"p99\": %lld, \"max\": %lld, \"records\": %zu}\n", quantile(0.5),
              quantile(0.99), quantile(1), latencies_ms.size());
  rd_kafka_queue_destroy(queue);
  rd_kafka_consumer_close(reader);
  rd_kafka_destroy(reader);
  return 0;
}

}  // namespace
}  // namespace weir::bench

int main(int argc, char** argv) {
  const weir::bench::CommandLine args(argc, argv);
  return args.get("mode") == "latency" ? weir::bench::latency(args) : weir::bench::progress(args);
}
