// The ways into a protected cluster, against a real Apache Kafka: TLS with and without a
// certificate of one's own, PLAIN and SCRAM over TLS.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "common/status_matchers.h"
#include "connectors/kafka/protocol/client.h"
#include "connectors/kafka/source/partition_split.h"
#include "connectors/kafka/testing/fake_context.h"
#include "tests/cluster/kafka_fixture.h"
#include "tests/cluster/process.h"
#include "weir/kafka.h"

namespace weir::kafka::protocol {
namespace {

using cluster_test::KafkaFixture;
using std::chrono::seconds;
using std::chrono::steady_clock;
using ::testing::HasSubstr;

using Properties = std::map<std::string, std::string>;

constexpr const char* kPassword = "open sesame";
constexpr int kIterations = 4096;

Deadline later() {
  return steady_clock::now() + seconds(30);
}

// A request that only this test needs, so that it can make SCRAM users.
struct AlterScramResponse {
  ErrorCode error = ErrorCode::kNone;

  static AlterScramResponse decode(Reader& in) {
    AlterScramResponse response;
    in.int32();
    const size_t results = in.compact_array_length(5);
    for (size_t i = 0; i < results; ++i) {
      in.compact_string();
      response.error = static_cast<ErrorCode>(in.int16());
      const uint32_t message_size_plus_one = in.unsigned_varint();
      for (uint32_t j = 1; j < message_size_plus_one; ++j) in.int8();
      in.skip_tagged_fields();
    }
    in.skip_tagged_fields();
    return response;
  }
};

struct AlterScramRequest {
  static constexpr Api kApi{51, 0, true, "AlterUserScramCredentials"};
  using Response = AlterScramResponse;

  std::string username;
  int8_t mechanism;  // 1: SCRAM-SHA-256, 2: SCRAM-SHA-512

  void encode(Writer& out) const {
    const std::string salt = "salt of " + username;
    const EVP_MD* const digest = mechanism == 1 ? EVP_sha256() : EVP_sha512();
    std::string salted(static_cast<size_t>(EVP_MD_size(digest)), '\0');
    PKCS5_PBKDF2_HMAC(kPassword, -1, reinterpret_cast<const unsigned char*>(salt.data()),
                      static_cast<int>(salt.size()), kIterations, digest,
                      static_cast<int>(salted.size()),
                      reinterpret_cast<unsigned char*>(salted.data()));
    out.compact_array_length(0);  // deletions
    out.compact_array_length(1);
    out.compact_string(username);
    out.int8(mechanism);
    out.int32(kIterations);
    out.compact_string(salt);
    out.compact_string(salted);
    out.no_tagged_fields();
    out.no_tagged_fields();
  }
};

void run(const std::vector<std::string>& command) {
  const auto result = cluster_test::run_command(command);
  if (result.exit_code != 0) throw std::runtime_error(command[1] + ": " + result.errors);
}

// A private authority with a certificate for the broker and one for the client.
class Certificates {
 public:
  Certificates() : folder_(cluster_test::make_temporary_folder("weir-certificates")) {
    make_authority("ca");
    make_authority("stranger");
    issue("broker", "IP:127.0.0.1");
    issue("client", "DNS:client");
    std::ofstream(file("broker.pem"))
        << std::ifstream(file("broker.key")).rdbuf() << std::ifstream(file("broker.crt")).rdbuf();
    run({"openssl", "rsa", "-aes256", "-passout", std::string("pass:") + kPassword, "-in",
         file("client.key"), "-out", file("client-encrypted.key")});
  }
  ~Certificates() { std::filesystem::remove_all(folder_); }
  Certificates(const Certificates&) = delete;
  Certificates& operator=(const Certificates&) = delete;

  std::string file(const std::string& name) const { return folder_ + "/" + name; }

 private:
  void make_authority(const std::string& name) {
    run({"openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
         "/CN=" + name, "-keyout", file(name + ".key"), "-out", file(name + ".crt")});
  }

  void issue(const std::string& name, const std::string& alternative_name) {
    run({"openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=" + name, "-keyout",
         file(name + ".key"), "-out", file(name + ".csr")});
    std::ofstream(file("extensions")) << "subjectAltName=" << alternative_name << "\n";
    run({"openssl", "x509", "-req", "-in", file(name + ".csr"), "-CA", file("ca.crt"), "-CAkey",
         file("ca.key"), "-CAcreateserial", "-days", "2", "-extfile", file("extensions"), "-out",
         file(name + ".crt")});
  }

  const std::string folder_;
};

class SecurityTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    certificates_ = std::make_unique<Certificates>();
    open_ = address(cluster_test::free_port());
    mutual_ = address(cluster_test::free_port());
    login_ = address(cluster_test::free_port());
    const std::string controller = address(cluster_test::free_port());
    const std::string listeners =
        "LOGIN://" + login_ + ",MUTUAL://" + mutual_ + ",PLAINTEXT://" + open_;
    const std::string sasl = "listener.name.login.";
    const std::string modules = "org.apache.kafka.common.security.";
    kafka_ = std::make_unique<KafkaFixture>(
        1,
        Properties{
            {"listeners", listeners + ",CONTROLLER://" + controller},
            {"advertised.listeners", listeners},
            {"controller.quorum.voters", "1@" + controller},
            {"auto.create.topics.enable", "true"},
            {"listener.security.protocol.map",
             "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,MUTUAL:SSL,LOGIN:SASL_SSL"},
            {"ssl.keystore.type", "PEM"},
            {"ssl.keystore.location", certificates_->file("broker.pem")},
            {"ssl.truststore.type", "PEM"},
            {"ssl.truststore.location", certificates_->file("ca.crt")},
            {"listener.name.mutual.ssl.client.auth", "required"},
            {sasl + "sasl.enabled.mechanisms", "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512"},
            {sasl + "plain.sasl.jaas.config",
             modules + "plain.PlainLoginModule required user_plain=\"" + kPassword + "\";"},
            {sasl + "scram-sha-256.sasl.jaas.config", modules + "scram.ScramLoginModule required;"},
            {sasl + "scram-sha-512.sasl.jaas.config",
             modules + "scram.ScramLoginModule required;"}});
    make_scram_users();
  }

  static void TearDownTestSuite() {
    kafka_.reset();
    certificates_.reset();
  }

  static std::string address(int port) { return "127.0.0.1:" + std::to_string(port); }

  static void make_scram_users() {
    const auto config = *client_config_from_properties({{"bootstrap.servers", open_}});
    auto connection = Connection::open(config, config.bootstrap_servers.front(), later());
    if (!connection.ok()) throw std::runtime_error(connection.status().ToString());
    for (const auto& request :
         {AlterScramRequest{"sc,ram=256", 1}, AlterScramRequest{"scram512", 2}}) {
      const auto altered = (*connection)->call(request, later());
      if (!altered.ok()) throw std::runtime_error(altered.status().ToString());
      if (altered->error != ErrorCode::kNone) throw std::runtime_error(error_name(altered->error));
    }
  }

  static absl::Status enter(const Properties& properties) {
    const auto config = client_config_from_properties(properties);
    if (!config.ok()) return config.status();
    return Client(*config).metadata({}, later()).status();
  }

  static Properties login(const std::string& mechanism, const std::string& username) {
    return {{"bootstrap.servers", login_},
            {"security.protocol", "SASL_SSL"},
            {"ssl.ca.location", certificates_->file("ca.crt")},
            {"sasl.mechanism", mechanism},
            {"sasl.username", username},
            {"sasl.password", kPassword}};
  }

  static Properties mutual() {
    return {{"bootstrap.servers", mutual_},
            {"security.protocol", "SSL"},
            {"ssl.ca.location", certificates_->file("ca.crt")},
            {"ssl.certificate.location", certificates_->file("client.crt")},
            {"ssl.key.location", certificates_->file("client.key")}};
  }

  static Properties changed(Properties properties, const Properties& changes) {
    for (const auto& [name, value] : changes) properties[name] = value;
    return properties;
  }

  static inline std::unique_ptr<Certificates> certificates_;
  static inline std::unique_ptr<KafkaFixture> kafka_;
  static inline std::string open_;
  static inline std::string mutual_;
  static inline std::string login_;
};

TEST_F(SecurityTest, EntersByPasswordOverTls) {
  EXPECT_THAT(enter(login("PLAIN", "plain")), IsOk());
  EXPECT_THAT(enter(login("SCRAM-SHA-256", "sc,ram=256")), IsOk());
  EXPECT_THAT(enter(login("SCRAM-SHA-512", "scram512")), IsOk());
}

TEST_F(SecurityTest, ASourceReadsByPasswordOverTls) {
  constexpr std::size_t kRecords = 20'000;
  run({"sh", "-c", "seq " + std::to_string(kRecords) + " | kcat -P -t in -p 0 -b " + open_});
  KafkaSourceOptions options;
  options.bootstrap_servers = login_;
  options.properties = login("PLAIN", "plain");
  options.properties.erase("bootstrap.servers");
  options.fetch_memory_bytes = 1 << 20;  // so little that the fetch queue is full again and again
  FakeReaderContext context;
  const auto reader = create_source_reader(options);
  reader->open(context);
  reader->add_splits(std::vector<Split>{to_split({"in", 0})});
  std::size_t records = 0;
  while (records < kRecords) {
    reader->poll(std::chrono::milliseconds(100));
    for (const KafkaRecord& record : reader->records()) {
      ASSERT_EQ(record.value, std::to_string(++records));
    }
  }
}

TEST_F(SecurityTest, IsRefusedAtOnceWithAWrongPassword) {
  const Properties wrong = {{"sasl.password", "guessed"}};
  for (const auto& [mechanism, username] : Properties{
           {"PLAIN", "plain"}, {"SCRAM-SHA-256", "sc,ram=256"}, {"SCRAM-SHA-512", "scram512"}}) {
    EXPECT_THAT(enter(changed(login(mechanism, username), wrong)),
                StatusIs(absl::StatusCode::kUnauthenticated, HasSubstr("refuses the login")))
        << mechanism;
  }
}

TEST_F(SecurityTest, IsRefusedAsAUserOfAnotherMechanism) {
  EXPECT_THAT(enter(login("SCRAM-SHA-256", "scram512")),
              StatusIs(absl::StatusCode::kUnauthenticated));
}

TEST_F(SecurityTest, EntersByCertificate) {
  EXPECT_THAT(enter(mutual()), IsOk());
  EXPECT_THAT(
      enter(changed(mutual(), {{"ssl.key.location", certificates_->file("client-encrypted.key")},
                               {"ssl.key.password", kPassword}})),
      IsOk());
}

TEST_F(SecurityTest, IsRefusedWithoutTheCertificateThatTheBrokerWants) {
  Properties properties = mutual();
  properties.erase("ssl.certificate.location");
  properties.erase("ssl.key.location");
  EXPECT_THAT(enter(properties), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("TLS")));
}

TEST_F(SecurityTest, NamesTheKeyThatItCannotRead) {
  EXPECT_THAT(
      enter(changed(mutual(), {{"ssl.key.location", certificates_->file("client-encrypted.key")},
                               {"ssl.key.password", "guessed"}})),
      StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("ssl.key.location")));
}

TEST_F(SecurityTest, DistrustsABrokerOfAnotherAuthority) {
  const Properties stranger = {{"ssl.ca.location", certificates_->file("stranger.crt")}};
  EXPECT_THAT(enter(changed(login("PLAIN", "plain"), stranger)),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("isn't trusted")));
  const Properties careless = {{"enable.ssl.certificate.verification", "false"}};
  EXPECT_THAT(enter(changed(changed(login("PLAIN", "plain"), stranger), careless)), IsOk());
}

TEST_F(SecurityTest, DistrustsABrokerUnderAnotherName) {
  const std::string by_name = "localhost" + login_.substr(login_.find(':'));
  const Properties name = {{"bootstrap.servers", by_name}};
  EXPECT_THAT(enter(changed(login("PLAIN", "plain"), name)),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("mismatch")));
  const Properties careless = {{"ssl.endpoint.identification.algorithm", "none"}};
  EXPECT_THAT(enter(changed(changed(login("PLAIN", "plain"), name), careless)), IsOk());
}

TEST_F(SecurityTest, TellsThatThePortSpeaksAnotherProtocol) {
  Properties plain_to_tls = {{"bootstrap.servers", mutual_}};
  EXPECT_THAT(enter(plain_to_tls),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("security.protocol")));
}

}  // namespace
}  // namespace weir::kafka::protocol
