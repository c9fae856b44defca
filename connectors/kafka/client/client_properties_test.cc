#include "connectors/kafka/client/client_properties.h"

#include <gtest/gtest.h>

#include "common/status_matchers.h"

namespace weir::kafka {
namespace {

using testing::HasSubstr;

TEST(ClientPropertiesTest, ConnectionAndTuningAreTheJobs) {
  EXPECT_THAT(check_properties(ClientRole::kConsumer, {{"security.protocol", "sasl_ssl"},
                                                       {"sasl.mechanism", "SCRAM-SHA-512"},
                                                       {"fetch.min.bytes", "1000"}}),
              IsOk());
  EXPECT_THAT(
      check_properties(ClientRole::kProducer, {{"linger.ms", "20"}, {"compression.type", "zstd"}}),
      IsOk());
}

TEST(ClientPropertiesTest, WhatLoadsCodeOrRunsCommandsIsRefused) {
  for (const char* name :
       {"plugin.library.paths", "ssl.engine.location", "ssl.engine.id", "ssl.providers",
        "sasl.kerberos.kinit.cmd", "sasl.oauthbearer.token.endpoint.url", "interceptors",
        "ssl.certificate.verify_cb", "opaque", "test.mock.num.brokers"}) {
    for (const ClientRole role : {ClientRole::kConsumer, ClientRole::kProducer}) {
      EXPECT_THAT(check_properties(role, {{name, "secret-value"}}),
                  StatusIs(absl::StatusCode::kInvalidArgument,
                           testing::AllOf(HasSubstr(std::string("'") + name + "' isn't allowed"),
                                          testing::Not(HasSubstr("secret-value")))));
    }
  }
}

TEST(ClientPropertiesTest, WhatTheBuilderDecidesNamesItsSetter) {
  EXPECT_THAT(
      check_properties(ClientRole::kProducer, {{"transactional.id", "x"}}),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("use set_transactional_id_prefix()")));
  EXPECT_THAT(
      check_properties(ClientRole::kProducer, {{"enable.idempotence", "false"}}),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("use set_delivery_guarantee()")));
  EXPECT_THAT(check_properties(ClientRole::kConsumer, {{"isolation.level", "x"}}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("use set_isolation_level()")));
}

TEST(ClientPropertiesTest, ATypoNamesTheNearestProperty) {
  EXPECT_THAT(check_properties(ClientRole::kProducer, {{"linger.msec", "5"}}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("'linger.ms'")));
}

TEST(ClientPropertiesTest, APropertyOfTheOtherRoleIsRefused) {
  EXPECT_FALSE(check_properties(ClientRole::kConsumer, {{"linger.ms", "5"}}).ok());
  EXPECT_FALSE(check_properties(ClientRole::kProducer, {{"fetch.min.bytes", "5"}}).ok());
}

}  // namespace
}  // namespace weir::kafka
