// Watches a topic from outside, as a read_committed reader sees it.
//
//   meter --brokers B --topic T --mode progress --records N [--timeout-s 300]
//     prints "<wall clock ms> <visible records>" whenever the number has changed, until N are
//     visible; looks every 20 ms, by each partition's last stable offset less the transaction
//     markers, so the numbers in between are a little high and the last one is exact.
//   meter --brokers B --topic T --mode latency --records N [--skip M]
//     reads the records that `fill` made (time, number), after any prefix that ends in '_', and
//     prints the milliseconds from creation to visibility: {"p50": …, "p99": …, "max": …,
//     "records": …}.
//   meter --brokers B --topic T --mode arrivals --records N
//     reads the same records and prints "<wall clock ms> <creation time of the newest record seen,
//     ms>" whenever a newer one is visible, until N have been read.
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
    rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
    for (int partition = 0; partition < partitions && error == RD_KAFKA_RESP_ERR_NO_ERROR;
         ++partition) {
      std::int64_t low = 0;
      std::int64_t high = 0;
      error =
          rd_kafka_query_watermark_offsets(reader, topic.c_str(), partition, &low, &high, 10'000);
      visible += high;
    }
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) continue;  // a new topic's leaders aren't known yet
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

// A record as `fill` made it, after any prefix that ends in '_'.
struct FillRecord {
  std::int64_t created_ms;
  std::int64_t number;
};

FillRecord parse(const rd_kafka_message_t& message) {
  const std::string value(static_cast<const char*>(message.payload),
                          std::min<std::size_t>(message.len, 64));
  const std::size_t underscore = value.find('_');
  const std::size_t start = underscore == value.npos ? 0 : underscore + 1;
  return {std::atoll(value.c_str() + start), std::atoll(value.c_str() + start + 14)};
}

// Shows the records of the topic with the time at which they came, until `records` have come.
template <typename Visit>
void read_all(const CommandLine& args, Visit visit) {
  const std::int64_t records = std::stoll(args.get("records"));
  const auto patience = std::chrono::seconds(args.get_int("timeout-s", 60));
  rd_kafka_t* reader = create_reader(args);
  rd_kafka_queue_t* queue = read_from_beginning(reader, args.get("topic"));
  std::vector<rd_kafka_message_t*> batch(1024);
  auto give_up = Clock::now() + patience;
  for (std::int64_t seen = 0; seen < records;) {
    // With a wait librdkafka returns only when the batch is full or the wait is over.
    ssize_t count = rd_kafka_consume_batch_queue(queue, 100, batch.data(), 1);
    const std::int64_t now_ms = wall_clock_ms();
    if (count > 0) {
      give_up = Clock::now() + patience;
      count += rd_kafka_consume_batch_queue(queue, 0, batch.data() + 1, batch.size() - 1);
    }
    if (Clock::now() > give_up) fail("only " + std::to_string(seen) + " records became visible");
    for (ssize_t i = 0; i < count; ++i) {
      if (batch[i]->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        visit(parse(*batch[i]), now_ms);
        ++seen;
      }
      rd_kafka_message_destroy(batch[i]);
    }
  }
  rd_kafka_queue_destroy(queue);
  rd_kafka_consumer_close(reader);
  rd_kafka_destroy(reader);
}

int arrivals(const CommandLine& args) {
  std::int64_t newest_ms = 0;
  read_all(args, [&](const FillRecord& record, std::int64_t now_ms) {
    if (record.created_ms <= newest_ms) return;
    newest_ms = record.created_ms;
    std::printf("%lld %lld\n", static_cast<long long>(now_ms), static_cast<long long>(newest_ms));
  });
  return 0;
}

int latency(const CommandLine& args) {
  const std::int64_t skip = args.get_int("skip", 0);
  std::vector<std::int64_t> latencies_ms;
  read_all(args, [&](const FillRecord& record, std::int64_t now_ms) {
    if (record.number >= skip) latencies_ms.push_back(now_ms - record.created_ms);
  });
  std::sort(latencies_ms.begin(), latencies_ms.end());
  const auto quantile = [&](double q) {
    return static_cast<long long>(
        latencies_ms[static_cast<std::size_t>(q * static_cast<double>(latencies_ms.size() - 1))]);
  };
  std::printf("{\"p50\": %lld, \"p99\": %lld, \"max\": %lld, \"records\": %zu}\n", quantile(0.5),
              quantile(0.99), quantile(1), latencies_ms.size());
  return 0;
}

}  // namespace
}  // namespace weir::bench

int main(int argc, char** argv) {
  const weir::bench::CommandLine args(argc, argv);
  const std::string mode = args.get("mode");
  if (mode == "progress") return weir::bench::progress(args);
  if (mode == "latency") return weir::bench::latency(args);
  if (mode == "arrivals") return weir::bench::arrivals(args);
  weir::bench::fail("--mode " + mode + " isn't progress, latency or arrivals");
}
