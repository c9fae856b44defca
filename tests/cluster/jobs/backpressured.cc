// As examples/keyed_count, with a task more and a sink that takes a record every --pause-us while
// the file --pause-while exists: what comes faster fills all buffers.
#include <chrono>
#include <filesystem>
#include <thread>

#include "../../../examples/kafka_arguments.h"

using namespace weir;  // NOLINT(build/namespaces)

static std::string_view key_of(std::string_view line) {
  return line.substr(0, line.find(','));
}

class Counting : public KeyedProcessFunction<std::string, std::string, std::string> {
 public:
  void open(OpenContext& context) override {
    count_ = context.get_state(ValueStateDescriptor<std::int64_t>("count"));
  }
  void process_element(std::string_view line, Context& /*context*/,
                       Collector<std::string>& out) override {
    const std::int64_t count = count_.value_or(0) + 1;
    count_.update(count);
    out.collect(std::string(key_of(line)) + "," + std::to_string(count));
  }

 private:
  ValueState<std::int64_t> count_;
};

WEIR_JOB(env, args) {
  configure(env, args);
  const KafkaArguments kafka(args);
  const std::chrono::microseconds pause(args.get_int("pause-us", 1000));
  const std::string pause_while = args.get("pause-while");
  env.set_job_name("backpressured");
  env.from_source(kafka.source(), WatermarkStrategy<std::string>::no_watermarks(), kafka.in)
      .uid("in")
      .rebalance()
      .map([](std::string_view line) { return std::string(line); })
      .uid("copy")
      .key_by(key_of)
      .process(Counting())
      .uid("count")
      .map([pause, pause_while](std::string_view line) {
        if (std::filesystem::exists(pause_while)) std::this_thread::sleep_for(pause);
        return std::string(line);
      })
      .uid("pause")
      .sink_to(kafka.sink())
      .uid("out");
}
