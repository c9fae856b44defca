// As examples/processed, with what that job fixes left to its arguments, and with user code that
// throws while a file exists.
#include <weir/kafka.h>
#include <weir/weir.h>

#include <filesystem>

using namespace weir;                  // NOLINT(build/namespaces)
using namespace std::chrono_literals;  // NOLINT(build/namespaces)

WEIR_JOB(env, args) {
  const std::string brokers = args.get("brokers");
  const std::string in = args.get("in");
  const std::string out = args.get("out");
  const std::string group = args.get("group");
  const std::string prefix = args.get("transactional-id-prefix");
  const std::string throw_while = args.get("throw-while", "");
  env.set_job_name("tunable");
  env.enable_checkpointing(args.get_duration("checkpoint-interval", 5s),
                           CheckpointingMode::kExactlyOnce);
  env.set_checkpoint_timeout(args.get_duration("checkpoint-timeout", 60s));
  env.set_tolerable_checkpoint_failures(static_cast<int>(args.get_int("tolerable-failures", 0)));

  env.from_source(KafkaSource<std::string>::builder()
                      .set_bootstrap_servers(brokers)
                      .set_topics(in)
                      .set_group_id(group)
                      .set_starting_offsets(OffsetsInitializer::earliest())
                      .build(),
                  WatermarkStrategy<std::string>::no_watermarks(), in)
      .uid("in")
      .map([throw_while](std::string_view line, Arena& arena) {
        if (line.find("error") != line.npos && std::filesystem::exists(throw_while)) {
          throw std::runtime_error("a record says error");
        }
        return arena.concat({"processed_", line});
      })
      .uid("processed")
      .sink_to(KafkaSink<std::string>::builder()
                   .set_bootstrap_servers(brokers)
                   .set_topic(out)
                   .set_delivery_guarantee(DeliveryGuarantee::kExactlyOnce)
                   .set_transactional_id_prefix(prefix)
                   .set_transaction_timeout(args.get_duration("transaction-timeout", 10min))
                   .build())
      .uid("out");
}
