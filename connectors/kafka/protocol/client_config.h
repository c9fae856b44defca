#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace weir::kafka::protocol {

struct HostPort {
  std::string host;
  int32_t port = 9092;

  auto operator<=>(const HostPort&) const = default;
};

struct TlsConfig {
  std::string ca_location;  // file or directory; empty: the system's
  std::string certificate_location;
  std::string key_location;
  std::string key_password;
  bool verify_certificate = true;
  bool verify_hostname = true;
};

enum class SaslMechanism { kPlain, kScramSha256, kScramSha512 };

// As Kafka spells it: "SCRAM-SHA-256".
const char* sasl_mechanism_name(SaslMechanism mechanism);

struct SaslConfig {
  SaslMechanism mechanism = SaslMechanism::kPlain;
  std::string username;
  std::string password;
};

struct ClientConfig {
  std::vector<HostPort> bootstrap_servers;
  std::string client_id = "weir";
  std::optional<TlsConfig> tls;
  std::optional<SaslConfig> sasl;
  // Bounds of one attempt, so that a broker that hangs leaves time to ask another. Shorter by
  // default than librdkafka's, because every request here is small.
  std::chrono::milliseconds socket_timeout{10'000};
  std::chrono::milliseconds connection_setup_timeout{10'000};
};

// Reads the properties that a librdkafka client of the same job is given: same names, same
// defaults but for the timeouts. Properties about other things are passed over; one that this
// client would have to obey and can't (GSSAPI, OAUTHBEARER, inline or keystore certificates, a
// revocation list) is InvalidArgument. No message repeats a secret.
absl::StatusOr<ClientConfig> client_config_from_properties(
    const std::map<std::string, std::string>& properties);

}  // namespace weir::kafka::protocol
