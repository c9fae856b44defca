// Fills a topic with records of a fixed size, round robin over its partitions.
//
//   fill --brokers B --topic T --records N [--bytes 100] [--rate R/s] [--first I]
//
// A record is its creation time ("%013lld,", wall clock ms), its number ("%010lld,") and padding.
// With a rate the records are spread evenly over each second, in ticks of a millisecond.
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>

#include "bench/tools/kafka_handle.h"

namespace weir::bench {
namespace {

std::int64_t delivery_errors = 0;

void on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void*) {
  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) ++delivery_errors;
}

int run(const CommandLine& args) {
  const std::string topic = args.get("topic");
  const std::int64_t records = std::stoll(args.get("records"));
  const std::int64_t first = args.get_int("first", 0);
  const std::int64_t rate = args.get_int("rate", 0);
  const auto bytes = static_cast<std::size_t>(args.get_int("bytes", 100));
  rd_kafka_t* producer = create_handle(RD_KAFKA_PRODUCER,
                                       {{"bootstrap.servers", args.get("brokers")},
                                        {"enable.idempotence", "true"},
                                        {"linger.ms", rate > 0 ? "1" : "20"},
                                        {"batch.size", "1000000"},
                                        {"queue.buffering.max.messages", "1000000"}},
                                       on_delivery);
  const int partitions = partition_count(producer, topic);
  rd_kafka_topic_t* rkt = rd_kafka_topic_new(producer, topic.c_str(), nullptr);

  std::string value(std::max<std::size_t>(bytes, 26), 'x');
  const auto start = std::chrono::steady_clock::now();
  for (std::int64_t i = 0; i < records; ++i) {
    if (rate > 0) {
      const auto due = start + std::chrono::milliseconds(i * 1000 / rate);
      if (due > std::chrono::steady_clock::now()) {
        rd_kafka_poll(producer, 0);
        std::this_thread::sleep_until(due);
      }
    }
    char head[32];
    std::snprintf(head, sizeof head, "%013lld,%010lld,", static_cast<long long>(wall_clock_ms()),
                  static_cast<long long>(first + i));
    std::memcpy(value.data(), head, 25);
    while (rd_kafka_produce(rkt, static_cast<std::int32_t>((first + i) % partitions),
                            RD_KAFKA_MSG_F_COPY, value.data(), value.size(), nullptr, 0,
                            nullptr) != 0) {
      if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        fail(rd_kafka_err2str(rd_kafka_last_error()));
      }
      rd_kafka_poll(producer, 10);
    }
    if (i % 1024 == 0) rd_kafka_poll(producer, 0);
  }
  check(rd_kafka_flush(producer, 60'000), "flush");
  rd_kafka_topic_destroy(rkt);
  rd_kafka_destroy(producer);
  if (delivery_errors > 0) fail(std::to_string(delivery_errors) + " records weren't written");
  return 0;
}

}  // namespace
}  // namespace weir::bench

int main(int argc, char** argv) {
  return weir::bench::run(weir::bench::CommandLine(argc, argv));
}
