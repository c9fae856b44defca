// What the builders accept and refuse, with nothing included but the public header.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "weir/kafka.h"

namespace weir {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

std::string error_of(const std::function<void()>& build) {
  try {
    build();
  } catch (const FatalError& error) {
    return error.what();
  }
  return "";
}

KafkaSourceBuilder<std::string> source() {
  return KafkaSource<std::string>::builder().set_bootstrap_servers("localhost:9092");
}

KafkaSinkBuilder<std::string> sink() {
  return KafkaSink<std::string>::builder()
      .set_bootstrap_servers("localhost:9092")
      .set_topic("out")
      .set_delivery_guarantee(DeliveryGuarantee::kExactlyOnce)
      .set_transactional_id_prefix("p");
}

TEST(KafkaSourceBuilderTest, SaysWhatIsMissing) {
  EXPECT_EQ(error_of([] { source().set_topics("a", "b").build(); }), "");
  EXPECT_THAT(error_of([] { KafkaSource<std::string>::builder().set_topics("a").build(); }),
              HasSubstr("set_bootstrap_servers()"));
  EXPECT_THAT(error_of([] { source().build(); }), HasSubstr("set_topics()"));
  EXPECT_THAT(error_of([] { source().set_topics("a").set_topic_pattern("b.*").build(); }),
              HasSubstr("set_topic_pattern()"));
  EXPECT_THAT(error_of([] { source().set_topic_pattern("a[").build(); }), HasSubstr("'a['"));
  EXPECT_THAT(error_of([] {
                source()
                    .set_topics("a")
                    .set_starting_offsets(OffsetsInitializer::committed_offsets())
                    .build();
              }),
              HasSubstr("set_group_id()"));
  EXPECT_THAT(
      error_of([] {
        KafkaSource<int>::builder().set_bootstrap_servers("localhost:9092").set_topics("a").build();
      }),
      HasSubstr("set_value_only_deserializer()"));
}

TEST(KafkaSourceBuilderTest, RefusesReservedAndDangerousProperties) {
  EXPECT_THAT(
      error_of([] { source().set_topics("a").set_property("isolation.level", "x").build(); }),
      HasSubstr("set_isolation_level()"));
  EXPECT_THAT(error_of([] {
                source().set_topics("a").set_property("plugin.library.paths", "x.so").build();
              }),
              HasSubstr("'plugin.library.paths' isn't allowed"));
}

TEST(KafkaSinkBuilderTest, SaysWhatIsMissing) {
  EXPECT_EQ(error_of([] { sink().build(); }), "");
  EXPECT_THAT(error_of([] { sink().set_topic("").build(); }), HasSubstr("set_topic()"));
  EXPECT_THAT(error_of([] { sink().set_transactional_id_prefix("").build(); }),
              HasSubstr("set_transactional_id_prefix()"));
  EXPECT_THAT(error_of([] { sink().set_transactional_id_prefix("a:b").build(); }),
              HasSubstr("'a:b' contains ':'"));
  EXPECT_THAT(error_of([] { sink().set_transaction_timeout(10ms).build(); }),
              HasSubstr("under 1 s"));
  EXPECT_THAT(
      error_of([] {
        KafkaSink<int>::builder().set_bootstrap_servers("localhost:9092").set_topic("out").build();
      }),
      HasSubstr("set_value_serializer()"));
}

TEST(KafkaSinkBuilderTest, RefusesWhatWouldBreakItsGuarantee) {
  EXPECT_THAT(error_of([] { sink().set_property("acks", "1").build(); }),
              HasSubstr("acks must be 'all'"));
  EXPECT_THAT(error_of([] { sink().set_property("enable.idempotence", "false").build(); }),
              HasSubstr("set_delivery_guarantee()"));
  EXPECT_EQ(
      error_of([] {
        sink().set_delivery_guarantee(DeliveryGuarantee::kNone).set_property("acks", "1").build();
      }),
      "");
  // What the client that commits can't speak is known when the job is built.
  EXPECT_THAT(error_of([] {
                sink()
                    .set_property("security.protocol", "sasl_ssl")
                    .set_property("sasl.mechanism", "GSSAPI")
                    .build();
              }),
              HasSubstr("GSSAPI"));
}

}  // namespace
}  // namespace weir
