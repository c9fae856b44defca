// As examples/keyed_count, with a state that is large: each key's count comes with so many bytes
// that nothing can compress, and that must be the same when they are read again.
#include <weir/kafka.h>
#include <weir/weir.h>

#include <cstring>

using namespace weir;                  // NOLINT(build/namespaces)
using namespace std::chrono_literals;  // NOLINT(build/namespaces)

static std::string_view key_of(std::string_view line) {
  return line.substr(0, line.find(','));
}

class CountingWithBallast : public KeyedProcessFunction<std::string, std::string, std::string> {
 public:
  explicit CountingWithBallast(std::size_t bytes) : bytes_(bytes) {}

  void open(OpenContext& context) override {
    count_ = context.get_state(ValueStateDescriptor<std::int64_t>("count"));
    ballast_ = context.get_state(ValueStateDescriptor<std::string>("ballast"));
  }
  void process_element(std::string_view line, Context& /*context*/,
                       Collector<std::string>& out) override {
    const std::string_view key = key_of(line);
    const std::int64_t count = count_.value_or(0);
    if (count > 0 && ballast_.value_or("") != ballast(key, count)) {
      throw FatalError("the state of key " + std::string(key) + " isn't what was written");
    }
    count_.update(count + 1);
    ballast_.update(ballast(key, count + 1));
    out.collect(out.arena().concat({key, ",", std::to_string(count + 1)}));
  }

 private:
  // Marsaglia's xorshift64*.
  std::string ballast(std::string_view key, std::int64_t count) const {
    std::string bytes(bytes_, 0);
    std::uint64_t state =
        (std::hash<std::string_view>()(key) + static_cast<std::uint64_t>(count)) | 1;
    for (std::size_t at = 0; at + sizeof(state) <= bytes.size(); at += sizeof(state)) {
      state ^= state >> 12;
      state ^= state << 25;
      state ^= state >> 27;
      const std::uint64_t word = state * 0x2545F4914F6CDD1DULL;
      std::memcpy(bytes.data() + at, &word, sizeof(word));
    }
    return bytes;
  }

  std::size_t bytes_;
  ValueState<std::int64_t> count_;
  ValueState<std::string> ballast_;
};

WEIR_JOB(env, args) {
  const std::string brokers = args.get("brokers");
  const std::string group = args.get("group");
  const std::string prefix = args.get("transactional-id-prefix");
  env.set_job_name("large_state");
  env.enable_checkpointing(args.get_duration("checkpoint-interval", 5s));
  env.set_checkpoint_timeout(5min);
  env.set("state.backend.type", args.get("state-backend", "rocksdb"));

  env.from_source(KafkaSource<std::string>::builder()
                      .set_bootstrap_servers(brokers)
                      .set_topics({args.get("in")})
                      .set_group_id(group)
                      .set_starting_offsets(OffsetsInitializer::earliest())
                      .set_fetch_memory(8 << 20)
                      .build(),
                  WatermarkStrategy<std::string>::no_watermarks(), "in")
      .uid("in")
      .key_by(key_of)
      .process(CountingWithBallast(static_cast<std::size_t>(args.get_int("state-bytes", 2000))))
      .name("Count")
      .uid("count")
      .sink_to(KafkaSink<std::string>::builder()
                   .set_bootstrap_servers(brokers)
                   .set_topic(args.get("out"))
                   .set_delivery_guarantee(DeliveryGuarantee::kExactlyOnce)
                   .set_transactional_id_prefix(prefix)
                   .set_transaction_timeout(args.get_duration("transaction-timeout", 10min))
                   .build())
      .uid("out");
}
