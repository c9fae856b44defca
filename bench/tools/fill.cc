// Fills a topic, round robin over its partitions.
//
//   fill --brokers B --topic T --records N [--kind lines] [--bytes 100] [--keys K] [--rate R/s]
//        [--first I] [--jitter-ms J] [--duplicates no|yes]
//
// kind    a record
// lines   its creation time ("%013lld,", wall clock ms), its number ("%010lld,") and padding
// keyed   "k%07lld," with its key, and padding
// events  "k%07lld,%013lld,%lld": key, event time, number; at the end a record in each partition
//         that lets event time pass all windows
//
// With a rate the records are spread evenly over each second, in ticks of a millisecond. With
// jitter event times are up to J ms less than they would be. SIGTERM ends the records where they
// are. When a broker dies a record may be written twice if duplicates are allowed; if not, the end
// may be an error: librdkafka 2.0 loses count of an idempotent producer's records.
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>

#include "bench/tools/kafka_handle.h"
#include "bench/tools/records.h"

namespace weir::bench {
namespace {

std::int64_t delivery_errors = 0;
volatile std::sig_atomic_t is_ended = 0;

void on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void*) {
  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) ++delivery_errors;
}

// Writes records over one another in the same memory.
class RecordMaker {
 public:
  explicit RecordMaker(const CommandLine& args)
      : kind_(args.get("kind", "lines")),
        keys_(args.get_int("keys", 1)),
        jitter_ms_(args.get_int("jitter-ms", 0)),
        value_(std::max<std::size_t>(static_cast<std::size_t>(args.get_int("bytes", 100)), 64),
               'x') {
    if (kind_ != "lines" && kind_ != "keyed" && kind_ != "events") {
      fail("--kind " + kind_ + " isn't lines, keyed or events");
    }
  }

  bool has_event_time() const { return kind_ == "events"; }
  std::string_view make(std::int64_t number) {
    if (kind_ == "lines") {
      put_text(put_number(0, wall_clock_ms(), 13), ",");
      put_text(put_number(14, number, 10), ",");
      return value_;
    }
    put_key(key_of(number, keys_));
    if (kind_ == "keyed") return value_;
    return event(event_time_ms_of(number, keys_) - number * kStride % (jitter_ms_ + 1), number);
  }
  std::string_view make_closing() {
    put_key(0);
    return event(kClosingEventTimeMs, 0);
  }

 private:
  void put_key(std::int64_t key) {
    put_text(0, "k");
    put_text(put_number(1, key, kKeyDigits), ",");
  }
  // Behind the key.
  std::string_view event(std::int64_t time_ms, std::int64_t number) {
    const std::size_t at = put_text(put_number(kKeyDigits + 2, time_ms, 13), ",");
    const char* const end =
        std::to_chars(value_.data() + at, value_.data() + value_.size(), number).ptr;
    return {value_.data(), end};
  }
  std::size_t put_number(std::size_t at, std::int64_t number, int digits) {
    for (std::size_t i = at + static_cast<std::size_t>(digits); i-- > at; number /= 10) {
      value_[i] = static_cast<char>('0' + number % 10);
    }
    return at + static_cast<std::size_t>(digits);
  }
  std::size_t put_text(std::size_t at, std::string_view text) {
    std::memcpy(value_.data() + at, text.data(), text.size());
    return at + text.size();
  }

  const std::string kind_;
  const std::int64_t keys_;
  const std::int64_t jitter_ms_;
  std::string value_;
};

void produce(rd_kafka_t* producer, rd_kafka_topic_t* topic, std::int32_t partition,
             std::string_view value) {
  while (rd_kafka_produce(topic, partition, RD_KAFKA_MSG_F_COPY, const_cast<char*>(value.data()),
                          value.size(), nullptr, 0, nullptr) != 0) {
    if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
      fail(rd_kafka_err2str(rd_kafka_last_error()));
    }
    rd_kafka_poll(producer, 10);
  }
}

int run(const CommandLine& args) {
  const std::string topic = args.get("topic");
  const std::int64_t records = std::stoll(args.get("records"));
  const std::int64_t first = args.get_int("first", 0);
  const std::int64_t rate = args.get_int("rate", 0);
  const bool duplicates = args.get("duplicates", "no") == "yes";
  RecordMaker maker(args);
  rd_kafka_t* producer = create_handle(RD_KAFKA_PRODUCER,
                                       {{"bootstrap.servers", args.get("brokers")},
                                        {"enable.idempotence", duplicates ? "false" : "true"},
                                        {"max.in.flight", duplicates ? "1" : "5"},
                                        {"linger.ms", rate > 0 ? "1" : "20"},
                                        {"batch.size", "1000000"},
                                        {"queue.buffering.max.messages", "1000000"}},
                                       on_delivery);
  const int partitions = partition_count(producer, topic);
  rd_kafka_topic_t* rkt = rd_kafka_topic_new(producer, topic.c_str(), nullptr);

  const auto start = std::chrono::steady_clock::now();
  for (std::int64_t i = 0; i < records && is_ended == 0; ++i) {
    if (rate > 0) {
      const auto due = start + std::chrono::milliseconds(i * 1000 / rate);
      if (due > std::chrono::steady_clock::now()) {
        rd_kafka_poll(producer, 0);
        std::this_thread::sleep_until(due);
      }
    }
    produce(producer, rkt, static_cast<std::int32_t>((first + i) % partitions),
            maker.make(first + i));
    if (i % 1024 == 0) rd_kafka_poll(producer, 0);
  }
  for (int partition = 0; maker.has_event_time() && partition < partitions; ++partition) {
    produce(producer, rkt, partition, maker.make_closing());
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
  std::signal(SIGTERM, [](int) { weir::bench::is_ended = 1; });
  return weir::bench::run(weir::bench::CommandLine(argc, argv));
}
