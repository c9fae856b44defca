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
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "bench/tools/committed_reader.h"
#include "bench/tools/kafka_handle.h"

namespace weir::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kLookInterval = std::chrono::milliseconds(20);

int progress(const CommandLine& args) {
  const std::string topic = args.get("topic");
  const std::int64_t records = std::stoll(args.get("records"));
  const auto give_up = Clock::now() + std::chrono::seconds(args.get_int("timeout-s", 300));
  rd_kafka_t* reader = create_committed_reader(args);
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
    // An error: a new topic's leaders aren't known yet, or the broker is busy.
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR && visible != shown) {
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

FillRecord parse(std::string_view record) {
  const std::string value(record.substr(0, 64));
  const std::size_t underscore = value.find('_');
  const std::size_t start = underscore == value.npos ? 0 : underscore + 1;
  return {std::atoll(value.c_str() + start), std::atoll(value.c_str() + start + 14)};
}

int arrivals(const CommandLine& args) {
  std::int64_t newest_ms = 0;
  read_committed(args, [&](std::string_view value, std::int64_t now_ms) {
    const FillRecord record = parse(value);
    if (record.created_ms <= newest_ms) return;
    newest_ms = record.created_ms;
    std::printf("%lld %lld\n", static_cast<long long>(now_ms), static_cast<long long>(newest_ms));
  });
  return 0;
}

int latency(const CommandLine& args) {
  const std::int64_t skip = args.get_int("skip", 0);
  std::vector<std::int64_t> latencies_ms;
  read_committed(args, [&](std::string_view value, std::int64_t now_ms) {
    const FillRecord record = parse(value);
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
