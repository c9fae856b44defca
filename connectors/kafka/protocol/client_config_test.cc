#include "connectors/kafka/protocol/client_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "common/status_matchers.h"

namespace weir::kafka::protocol {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

using Properties = std::map<std::string, std::string>;

absl::StatusOr<ClientConfig> read(Properties properties) {
  properties.emplace("bootstrap.servers", "one:9092");
  return client_config_from_properties(properties);
}

TEST(ClientConfigTest, NeedsNoMoreThanTheBrokers) {
  const auto config = read({{"linger.ms", "5"}, {"acks", "all"}});
  ASSERT_THAT(config, IsOk());
  EXPECT_THAT(config->bootstrap_servers, ElementsAre(HostPort{"one", 9092}));
  EXPECT_FALSE(config->tls.has_value());
  EXPECT_FALSE(config->sasl.has_value());
}

TEST(ClientConfigTest, ReadsEveryFormOfAnAddress) {
  const auto config =
      read({{"bootstrap.servers", "one, two:1234 ,PLAINTEXT://three:5,[::1]:9,[fe80::1]"}});
  ASSERT_THAT(config, IsOk());
  EXPECT_THAT(config->bootstrap_servers,
              ElementsAre(HostPort{"one", 9092}, HostPort{"two", 1234}, HostPort{"three", 5},
                          HostPort{"::1", 9}, HostPort{"fe80::1", 9092}));
}

TEST(ClientConfigTest, RefusesAddressesThatAreNone) {
  for (const char* servers :
       {"", ",", "one:", "one:0", "one:65536", "one:x", ":9092", "[::1", "[::1]9"}) {
    EXPECT_THAT(read({{"bootstrap.servers", servers}}),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("bootstrap.servers")))
        << servers;
  }
}

TEST(ClientConfigTest, TakesTheOldNameOfTheBrokerList) {
  const auto config = client_config_from_properties({{"metadata.broker.list", "old:1"}});
  ASSERT_THAT(config, IsOk());
  EXPECT_THAT(config->bootstrap_servers, ElementsAre(HostPort{"old", 1}));
}

TEST(ClientConfigTest, ReadsTls) {
  const auto config = read({{"security.protocol", "SSL"},
                            {"ssl.ca.location", "/ca.pem"},
                            {"ssl.certificate.location", "/own.pem"},
                            {"ssl.key.location", "/own.key"},
                            {"ssl.key.password", "secret"}});
  ASSERT_THAT(config, IsOk());
  ASSERT_TRUE(config->tls.has_value());
  EXPECT_EQ(config->tls->ca_location, "/ca.pem");
  EXPECT_EQ(config->tls->certificate_location, "/own.pem");
  EXPECT_EQ(config->tls->key_location, "/own.key");
  EXPECT_EQ(config->tls->key_password, "secret");
  EXPECT_TRUE(config->tls->verify_certificate);
  EXPECT_TRUE(config->tls->verify_hostname);
  EXPECT_FALSE(config->sasl.has_value());
}

TEST(ClientConfigTest, VerificationIsTurnedOffOnlyByName) {
  const auto no_hostname =
      read({{"security.protocol", "ssl"}, {"ssl.endpoint.identification.algorithm", "none"}});
  ASSERT_THAT(no_hostname, IsOk());
  EXPECT_TRUE(no_hostname->tls->verify_certificate);
  EXPECT_FALSE(no_hostname->tls->verify_hostname);
  const auto nothing =
      read({{"security.protocol", "ssl"}, {"enable.ssl.certificate.verification", "false"}});
  ASSERT_THAT(nothing, IsOk());
  EXPECT_FALSE(nothing->tls->verify_certificate);
  EXPECT_FALSE(nothing->tls->verify_hostname);
}

TEST(ClientConfigTest, ReadsSaslUnderBothNames) {
  for (const char* name : {"sasl.mechanism", "sasl.mechanisms"}) {
    const auto config = read({{"security.protocol", "sasl_plaintext"},
                              {name, "SCRAM-SHA-512"},
                              {"sasl.username", "u"},
                              {"sasl.password", "p"}});
    ASSERT_THAT(config, IsOk());
    EXPECT_FALSE(config->tls.has_value());
    ASSERT_TRUE(config->sasl.has_value());
    EXPECT_EQ(config->sasl->mechanism, SaslMechanism::kScramSha512);
    EXPECT_EQ(config->sasl->username, "u");
    EXPECT_EQ(config->sasl->password, "p");
  }
}

TEST(ClientConfigTest, NamesTheMechanismsThatItKnows) {
  for (const char* mechanism : {"GSSAPI", "OAUTHBEARER"}) {
    EXPECT_THAT(read({{"security.protocol", "SASL_SSL"}, {"sasl.mechanism", mechanism}}),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         AllOf(HasSubstr(mechanism), HasSubstr("PLAIN, SCRAM-SHA-256"))));
  }
  EXPECT_THAT(read({{"security.protocol", "SASL_SSL"}}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("sasl.mechanism")));
}

TEST(ClientConfigTest, RefusesALoginWithoutPasswordAndTellsNoSecret) {
  EXPECT_THAT(read({{"security.protocol", "SASL_SSL"},
                    {"sasl.mechanism", "PLAIN"},
                    {"sasl.password", "s3cret"}}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("sasl.username"), Not(HasSubstr("s3cret")))));
}

TEST(ClientConfigTest, RefusesWhatItWouldHaveToObeyAndCannot) {
  for (const char* name : {"ssl.ca.pem", "ssl.keystore.location", "ssl.crl.location"}) {
    EXPECT_THAT(read({{"security.protocol", "ssl"}, {name, "x"}}),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(name)));
  }
}

TEST(ClientConfigTest, NamesTheValueThatCannotBe) {
  const Properties wrong = {{"security.protocol", "tls"},
                            {"ssl.key.location", "/key"},
                            {"enable.ssl.certificate.verification", "maybe"},
                            {"ssl.endpoint.identification.algorithm", "http"},
                            {"socket.timeout.ms", "-1"},
                            {"socket.connection.setup.timeout.ms", "soon"}};
  for (const auto& [name, value] : wrong) {
    Properties properties = {{name, value}};
    properties.emplace("security.protocol", "ssl");
    EXPECT_THAT(read(properties), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(name)));
  }
}

TEST(ClientConfigTest, ReadsTimeoutsAndTheClientsName) {
  const auto config = read({{"socket.timeout.ms", "1500"},
                            {"socket.connection.setup.timeout.ms", "700"},
                            {"client.id", "job-7"}});
  ASSERT_THAT(config, IsOk());
  EXPECT_EQ(config->socket_timeout, std::chrono::milliseconds(1500));
  EXPECT_EQ(config->connection_setup_timeout, std::chrono::milliseconds(700));
  EXPECT_EQ(config->client_id, "job-7");
}

}  // namespace
}  // namespace weir::kafka::protocol
