// Reads lines "key,…" from one topic and writes "key,count" to another for each, exactly once.
#include <charconv>

#include "../kafka_arguments.h"

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
    char digits[20];
    const char* const end = std::to_chars(digits, digits + sizeof(digits), count).ptr;
    out.collect(out.arena().concat({key_of(line), ",", std::string_view(digits, end)}));
  }

 private:
  ValueState<std::int64_t> count_;
};

WEIR_JOB(env, args) {
  configure(env, args);
  const KafkaArguments kafka(args);
  env.set_job_name("keyed_count");
  env.from_source(kafka.source(), WatermarkStrategy<std::string>::no_watermarks(), kafka.in)
      .uid("in")
      .key_by(key_of)
      .process(Counting())
      .name("Count")
      .uid("count")
      .sink_to(kafka.sink())
      .name("Sink: " + kafka.out)
      .uid("out");
}
