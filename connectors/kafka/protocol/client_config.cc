#include "connectors/kafka/protocol/client_config.h"

#include <array>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/status.h"

namespace weir::kafka::protocol {
namespace {

using Properties = std::map<std::string, std::string>;

// Passing over one of these would weaken or break the connection without a word.
constexpr std::array<const char*, 6> kUnsupported = {"ssl.ca.pem",       "ssl.certificate.pem",
                                                     "ssl.key.pem",      "ssl.keystore.location",
                                                     "ssl.crl.location", "ssl.engine.location"};

std::optional<std::string> find(const Properties& properties, const std::string& name) {
  const auto found = properties.find(name);
  if (found == properties.end()) return std::nullopt;
  return found->second;
}

std::string find_or(const Properties& properties, const std::string& name,
                    const std::string& otherwise) {
  return find(properties, name).value_or(otherwise);
}

absl::Status wrong_value(const std::string& name, const std::string& value,
                         const std::string& expected) {
  return absl::InvalidArgumentError(absl::StrCat(name, " is '", value, "': expected ", expected));
}

absl::StatusOr<bool> read_bool(const Properties& properties, const std::string& name,
                               bool otherwise) {
  const auto value = find(properties, name);
  if (!value) return otherwise;
  bool result = false;
  if (!absl::SimpleAtob(*value, &result)) return wrong_value(name, *value, "true or false");
  return result;
}

absl::StatusOr<std::chrono::milliseconds> read_milliseconds(const Properties& properties,
                                                            const std::string& name,
                                                            std::chrono::milliseconds otherwise) {
  const auto value = find(properties, name);
  if (!value) return otherwise;
  int milliseconds = 0;
  if (!absl::SimpleAtoi(*value, &milliseconds) || milliseconds <= 0) {
    return wrong_value(name, *value, "milliseconds, more than 0");
  }
  return std::chrono::milliseconds(milliseconds);
}

// "host", "host:port", "[v6]:port", each with an optional "PROTOCOL://" before it.
absl::StatusOr<HostPort> read_server(const std::string& entry) {
  const absl::Status wrong = wrong_value("bootstrap.servers", entry, "host:port");
  const size_t scheme_end = entry.find("://");
  const std::string address =
      scheme_end == std::string::npos ? entry : entry.substr(scheme_end + 3);
  HostPort server;
  size_t host_end = address.rfind(':');
  if (address.starts_with('[')) {
    const size_t bracket = address.find(']');
    if (bracket == std::string::npos) return wrong;
    server.host = address.substr(1, bracket - 1);
    host_end = bracket + 1 < address.size() ? bracket + 1 : std::string::npos;
    if (host_end != std::string::npos && address[host_end] != ':') return wrong;
  } else {
    server.host = address.substr(0, host_end);
  }
  if (host_end != std::string::npos &&
      (!absl::SimpleAtoi(address.substr(host_end + 1), &server.port) || server.port < 1 ||
       server.port > 65535)) {
    return wrong;
  }
  if (server.host.empty()) return wrong;
  return server;
}

absl::StatusOr<std::vector<HostPort>> read_servers(const Properties& properties) {
  const std::string list =
      find_or(properties, "bootstrap.servers", find_or(properties, "metadata.broker.list", ""));
  std::vector<HostPort> servers;
  for (const absl::string_view part : absl::StrSplit(list, ',', absl::SkipWhitespace())) {
    WEIR_ASSIGN_OR_RETURN(HostPort server,
                          read_server(std::string(absl::StripAsciiWhitespace(part))));
    servers.push_back(std::move(server));
  }
  if (servers.empty()) {
    return absl::InvalidArgumentError("bootstrap.servers isn't set: name a broker as host:port");
  }
  return servers;
}

absl::StatusOr<TlsConfig> read_tls(const Properties& properties) {
  for (const char* name : kUnsupported) {
    if (properties.contains(name)) {
      return absl::InvalidArgumentError(
          absl::StrCat(name,
                       " isn't supported: use ssl.ca.location, ssl.certificate.location and "
                       "ssl.key.location with PEM files"));
    }
  }
  TlsConfig tls;
  tls.ca_location = find_or(properties, "ssl.ca.location", "");
  if (tls.ca_location == "probe") tls.ca_location.clear();
  tls.certificate_location = find_or(properties, "ssl.certificate.location", "");
  tls.key_location = find_or(properties, "ssl.key.location", "");
  tls.key_password = find_or(properties, "ssl.key.password", "");
  if (tls.certificate_location.empty() != tls.key_location.empty()) {
    return absl::InvalidArgumentError(
        "ssl.certificate.location and ssl.key.location belong together: set both or neither");
  }
  WEIR_ASSIGN_OR_RETURN(tls.verify_certificate,
                        read_bool(properties, "enable.ssl.certificate.verification", true));
  const std::string identification =
      find_or(properties, "ssl.endpoint.identification.algorithm", "https");
  if (identification != "https" && identification != "none") {
    return wrong_value("ssl.endpoint.identification.algorithm", identification, "https or none");
  }
  tls.verify_hostname = tls.verify_certificate && identification == "https";
  return tls;
}

absl::StatusOr<SaslConfig> read_sasl(const Properties& properties) {
  const std::string mechanism = absl::AsciiStrToUpper(
      find_or(properties, "sasl.mechanism", find_or(properties, "sasl.mechanisms", "")));
  SaslConfig sasl;
  bool known = false;
  for (const SaslMechanism candidate :
       {SaslMechanism::kPlain, SaslMechanism::kScramSha256, SaslMechanism::kScramSha512}) {
    if (mechanism != sasl_mechanism_name(candidate)) continue;
    sasl.mechanism = candidate;
    known = true;
  }
  if (!known) {
    return wrong_value("sasl.mechanism", mechanism, "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512");
  }
  sasl.username = find_or(properties, "sasl.username", "");
  sasl.password = find_or(properties, "sasl.password", "");
  if (sasl.username.empty() || sasl.password.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("sasl.username and sasl.password must be set for ", mechanism));
  }
  return sasl;
}

}  // namespace

const char* sasl_mechanism_name(SaslMechanism mechanism) {
  switch (mechanism) {
    case SaslMechanism::kPlain:
      return "PLAIN";
    case SaslMechanism::kScramSha256:
      return "SCRAM-SHA-256";
    case SaslMechanism::kScramSha512:
      return "SCRAM-SHA-512";
  }
  return "";
}

absl::StatusOr<ClientConfig> client_config_from_properties(
    const std::map<std::string, std::string>& properties) {
  ClientConfig config;
  WEIR_ASSIGN_OR_RETURN(config.bootstrap_servers, read_servers(properties));
  config.client_id = find_or(properties, "client.id", config.client_id);

  const std::string protocol =
      absl::AsciiStrToLower(find_or(properties, "security.protocol", "plaintext"));
  const bool tls = protocol == "ssl" || protocol == "sasl_ssl";
  const bool sasl = protocol == "sasl_plaintext" || protocol == "sasl_ssl";
  if (!tls && !sasl && protocol != "plaintext") {
    return wrong_value("security.protocol", protocol, "plaintext, ssl, sasl_plaintext or sasl_ssl");
  }
  if (tls) {
    WEIR_ASSIGN_OR_RETURN(config.tls, read_tls(properties));
  }
  if (sasl) {
    WEIR_ASSIGN_OR_RETURN(config.sasl, read_sasl(properties));
  }

  WEIR_ASSIGN_OR_RETURN(config.socket_timeout,
                        read_milliseconds(properties, "socket.timeout.ms", config.socket_timeout));
  WEIR_ASSIGN_OR_RETURN(config.connection_setup_timeout,
                        read_milliseconds(properties, "socket.connection.setup.timeout.ms",
                                          config.connection_setup_timeout));
  return config;
}

}  // namespace weir::kafka::protocol
