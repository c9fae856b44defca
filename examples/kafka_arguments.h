// The arguments that the keyed example jobs share.
#pragma once

#include <weir/kafka.h>
#include <weir/weir.h>

#include <string>

// How often checkpoints are taken, where state lives, how many subtasks there are.
inline void configure(weir::StreamExecutionEnvironment& env, weir::Args& args) {
  env.enable_checkpointing(args.get_duration("checkpoint-interval", std::chrono::seconds(5)));
  env.set_checkpoint_timeout(std::chrono::minutes(1));
  env.set_tolerable_checkpoint_failures(0);
  env.set("state.backend.type", args.get("state-backend", "hashmap"));
  // 0: what `weir run -p` or the cluster says.
  const auto parallelism = static_cast<int>(args.get_int("parallelism", 0));
  if (parallelism != 0) env.set_parallelism(parallelism);
}

// One topic in, one out.
struct KafkaArguments {
  explicit KafkaArguments(weir::Args& args)
      : brokers(args.get("brokers")),
        in(args.get("in")),
        out(args.get("out")),
        group(args.get("group")),
        prefix(args.get("transactional-id-prefix")),
        guarantee(args.get("guarantee", "exactly-once")),
        transaction_timeout(args.get_duration("transaction-timeout", std::chrono::minutes(10))),
        fetch_memory_bytes(
            args.get_memory_size("fetch-memory", weir::KafkaSourceOptions().fetch_memory_bytes)),
        bounded(args.get_flag("bounded")) {}

  weir::KafkaSource<std::string> source() const {
    auto builder = weir::KafkaSource<std::string>::builder();
    builder.set_bootstrap_servers(brokers)
        .set_topics(in)
        .set_group_id(group)
        .set_starting_offsets(
            weir::OffsetsInitializer::committed_offsets(weir::OffsetReset::kEarliest))
        .set_fetch_memory(fetch_memory_bytes);
    if (bounded) builder.set_bounded(weir::OffsetsInitializer::latest());
    return builder.build();
  }

  weir::KafkaSink<std::string> sink() const {
    return weir::KafkaSink<std::string>::builder()
        .set_bootstrap_servers(brokers)
        .set_topic(out)
        .set_delivery_guarantee(delivery_guarantee())
        .set_transactional_id_prefix(prefix)
        .set_transaction_timeout(transaction_timeout)
        .build();
  }

  weir::DeliveryGuarantee delivery_guarantee() const {
    if (guarantee == "exactly-once") return weir::DeliveryGuarantee::kExactlyOnce;
    if (guarantee == "at-least-once") return weir::DeliveryGuarantee::kAtLeastOnce;
    if (guarantee == "none") return weir::DeliveryGuarantee::kNone;
    throw weir::FatalError("--guarantee is '" + guarantee +
                           "': it must be exactly-once, at-least-once or none");
  }

  const std::string brokers;
  const std::string in;
  const std::string out;
  const std::string group;
  const std::string prefix;
  const std::string guarantee;
  const std::chrono::milliseconds transaction_timeout;
  const std::int64_t fetch_memory_bytes;
  const bool bounded;
};
