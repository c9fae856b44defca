// Reads lines from one topic and writes "processed_" + line to another, exactly once.
#include <weir/kafka.h>
#include <weir/weir.h>

using namespace weir;                  // NOLINT(build/namespaces)
using namespace std::chrono_literals;  // NOLINT(build/namespaces)

static DeliveryGuarantee parse_guarantee(const std::string& name) {
  if (name == "exactly-once") return DeliveryGuarantee::kExactlyOnce;
  if (name == "at-least-once") return DeliveryGuarantee::kAtLeastOnce;
  if (name == "none") return DeliveryGuarantee::kNone;
  throw FatalError("--guarantee is '" + name + "': it must be exactly-once, at-least-once or none");
}

WEIR_JOB(env, args) {
  const std::string brokers = args.get("brokers");
  const std::string in = args.get("in");
  const std::string out = args.get("out");
  const std::string group = args.get("group");
  const std::string prefix = args.get("transactional-id-prefix");
  const auto guarantee = parse_guarantee(args.get("guarantee", "exactly-once"));
  const auto checkpoint_interval = args.get_duration("checkpoint-interval", 5s);
  const auto transaction_timeout = args.get_duration("transaction-timeout", 10min);
  const auto fetch_memory =
      args.get_memory_size("fetch-memory", KafkaSourceOptions().fetch_memory_bytes);
  const bool bounded = args.get_flag("bounded");

  env.set_job_name("processed");
  env.enable_checkpointing(checkpoint_interval, CheckpointingMode::kExactlyOnce);
  env.set_checkpoint_timeout(60s);
  env.set_max_concurrent_checkpoints(1);
  env.set_tolerable_checkpoint_failures(0);

  auto source = KafkaSource<std::string>::builder();
  source.set_bootstrap_servers(brokers).set_topics(in).set_group_id(group).set_starting_offsets(
      OffsetsInitializer::committed_offsets(OffsetReset::kEarliest));
  source.set_fetch_memory(fetch_memory);
  if (bounded) source.set_bounded(OffsetsInitializer::latest());

  auto sink = KafkaSink<std::string>::builder()
                  .set_bootstrap_servers(brokers)
                  .set_topic(out)
                  .set_delivery_guarantee(guarantee)
                  .set_transactional_id_prefix(prefix)
                  .set_transaction_timeout(transaction_timeout)
                  .build();

  env.from_source(source.build(), WatermarkStrategy<std::string>::no_watermarks(), in)
      .uid("in")
      .map([](std::string_view line, Arena& arena) { return arena.concat({"processed_", line}); })
      .uid("processed")
      .sink_to(sink)
      .name("Sink: " + out)
      .uid("out");
}
