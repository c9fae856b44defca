// Reads lines "key,eventtime_ms,value" from one topic and writes "key,window_start_ms,sum" to
// another, for each key and window of event time, exactly once.
#include <array>
#include <charconv>

#include "../kafka_arguments.h"

using namespace weir;                  // NOLINT(build/namespaces)
using namespace std::chrono_literals;  // NOLINT(build/namespaces)

namespace {

std::string_view field(std::string_view line, int index) {
  for (; index > 0; --index) {
    const std::size_t comma = line.find(',');
    line = comma == line.npos ? std::string_view() : line.substr(comma + 1);
  }
  return line.substr(0, line.find(','));
}

std::int64_t number(std::string_view line, int index) {
  const std::string_view text = field(line, index);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size()) return value;
  throw FatalError("the line '" + std::string(line) + "' isn't \"key,eventtime_ms,value\"");
}

struct Sum {
  using Input = std::string;
  using Accumulator = std::int64_t;
  using Result = std::int64_t;
  Accumulator create_accumulator() const { return 0; }
  void add(std::string_view line, Accumulator& sum) const { sum += number(line, 2); }
  void merge(Accumulator later, Accumulator& sum) const { sum += later; }
  Result get_result(Accumulator sum) const { return sum; }
};

std::string_view to_text(std::int64_t value, std::array<char, 20>& digits) {
  return {digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr};
}

void emit(std::string_view key, const TimeWindow& window, std::int64_t sum,
          Collector<std::string>& out) {
  std::array<char, 20> start_digits;
  std::array<char, 20> sum_digits;
  out.collect(out.arena().concat(
      {key, ",", to_text(window.start, start_digits), ",", to_text(sum, sum_digits)}));
}

}  // namespace

WEIR_JOB(env, args) {
  configure(env, args);
  const KafkaArguments kafka(args);
  const auto size = args.get_duration("size", 1s);
  const auto slide = args.get_duration("slide", size);  // of tumbling windows, their size
  const auto out_of_orderness = args.get_duration("out-of-orderness", 1s);
  const auto idle_timeout = args.get_duration("idle-timeout", 0s);  // 0: every partition is awaited

  auto strategy = WatermarkStrategy<std::string>::for_bounded_out_of_orderness(out_of_orderness)
                      .with_timestamp_assigner(
                          [](std::string_view line, Timestamp) { return number(line, 1); });
  if (idle_timeout > 0s) strategy = std::move(strategy).with_idleness(idle_timeout);

  env.set_job_name("window_sum");
  env.from_source(kafka.source(), strategy, kafka.in)
      .uid("in")
      .key_by([](std::string_view line) { return field(line, 0); })
      .window(SlidingEventTimeWindows::of(size, slide))
      .aggregate<std::string>(Sum(), emit)
      .name("Window Sum")
      .uid("sum")
      .sink_to(kafka.sink())
      .name("Sink: " + kafka.out)
      .uid("out");
}
